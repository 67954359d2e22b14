"""Stutter: repeated frames, dropped frames, broken 2:2 and 3:2 cadences."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Annotated

import numpy as np

from defectscope.findings import Interval
from defectscope.media.frames import Frame
from defectscope.media.stream import StreamInfo
from defectscope.parameters import choice, number, parameters, switch
from defectscope.simulate.contract import Plan, Simulator, Truth, VideoSimulator
from defectscope.simulate.effects.frames import end_of, planes_of, time_of, with_planes, within
from defectscope.simulate.effects.visibility import visible_share
from defectscope.simulate.parameters import ladder

_KINDS = ("repeat", "drop", "cadence_22", "cadence_32")
_GROUP_GAP_S = 1.0
_VISIBLE_SHARE = 0.0005
# A frame that stands for longer is a freeze.
_LONGEST_S = 0.4
_PATTERNS = {"cadence_22": (2, 2), "cadence_32": (3, 2)}


@parameters
class Params:
    """What breaks the motion, how long and how often."""

    kind: Annotated[
        str,
        choice(
            _KINDS,
            "`repeat` (a frame stays while others are due, then motion jumps ahead), "
            "`drop` (frames are missing and all that follows comes early), `cadence_22` "
            "and `cadence_32` (the programme shows each frame 2:2 or 3:2 times, and "
            "inside the span the rhythm breaks).",
        ),
    ] = "repeat"
    length_frames: Annotated[
        int, number(1, 12, "Frames repeated or dropped at a time.", "frames")
    ] = 2
    every_frames: Annotated[
        int, number(3, 250, "Mean distance between two such events, in frames.", "frames")
    ] = 10
    irregular: Annotated[bool, switch("Events come at uneven distances.")] = True

    def __post_init__(self) -> None:
        if self.length_frames >= self.every_frames:
            raise ValueError("length_frames must be less than every_frames")


class Stutter(VideoSimulator[Params]):
    """Breaks the motion at several instants of the span.

    Truth has one entry for each bad interval, from its first event to the end of its last, with the
    instants of all of them; events more than a second apart are intervals of their own. An event
    begins with the first frame that is not the one due, and ends with the first that moves on;
    a drop is the instant of the jump, one frame long. Events that cannot be seen are made but not
    told: where at most one in 2,000 blocks of 4 x 4 samples are within eight codes of what was
    due, or of what was dropped.
    """

    name = "stutter"
    defects = ("stutter",)
    summary = "repeated or dropped frames, or a broken cadence"
    params = Params

    def draw(
        self, rng: np.random.Generator, severity: float, span: Interval, stream: StreamInfo
    ) -> Params:
        """Draws repeats or drops; cadences only suit programmes of 48 frames a second and more."""
        rate = float(stream.video.frame_rate) if stream.video else 25.0
        kinds = ["repeat", "repeat", "drop"]
        if rate >= 47:
            kinds += ["cadence_22" if rate < 55 else "cadence_32"]
        kind = kinds[int(rng.integers(len(kinds)))]
        length = round(ladder(severity, (1.0, 1.0, 2.0, 3.0, 5.0)) * max(1.0, rate / 30))
        length = max(1, min(length, int(_LONGEST_S * rate)))
        every_s = ladder(severity, (1.0, 0.6, 0.4, 0.35, 0.3)) * float(rng.uniform(0.85, 1.15))
        # Each dropped frame shortens the programme for good.
        every_s *= 2 if kind == "drop" else 1
        # Where fewer frames stay than are lost, the programme does not jump: it runs faster.
        least = 4 * length if kind == "drop" else length + 2
        return Params(
            kind=kind,
            length_frames=min(12, length),
            every_frames=min(250, max(round(every_s * rate), least, 3)),
        )

    def apply(
        self, frames: Iterable[Frame], plan: Plan[Params], truth: list[Truth]
    ) -> Iterator[Frame]:
        """Returns the frames with broken motion."""
        events: list[tuple[float, float]] = []
        if plan.params.kind == "drop":
            yield from _drop(frames, plan, events)
        elif plan.params.kind == "repeat":
            yield from _repeat(frames, plan, events)
        else:
            yield from _cadence(frames, plan, events)
        for group in _groups(events):
            starts = [round(start_s, 6) for start_s, _ in group]
            truth.append(plan.truth(self.name, group[0][0], group[-1][1], events_s=starts))


def _groups(events: list[tuple[float, float]]) -> list[list[tuple[float, float]]]:
    """Events that follow each other within a second are one disturbance to a viewer."""
    groups: list[list[tuple[float, float]]] = []
    for event in events:
        if groups and event[0] - groups[-1][-1][1] <= _GROUP_GAP_S:
            groups[-1].append(event)
        else:
            groups.append([event])
    return groups


def _schedule(plan: Plan[Params], frames: int) -> list[int]:
    """First frames of the events within a span, counted from its start."""
    params = plan.params
    rng = plan.rng(1)
    out: list[int] = []
    # The first event opens the span, so that truth begins where it was asked for.
    at = 0
    while at + params.length_frames <= frames:
        out.append(at)
        sway = float(rng.uniform(0.6, 1.4)) if params.irregular else 1.0
        least = 3 * params.length_frames if params.kind == "drop" else params.length_frames + 2
        at += max(least, round(params.every_frames * sway))
    return out


def _frames_in(plan: Plan[Params]) -> int:
    return max(1, round(plan.span.duration_s * float(plan.video.frame_rate)))


def _repeat(
    frames: Iterable[Frame], plan: Plan[Params], events: list[tuple[float, float]]
) -> Iterator[Frame]:
    video, length = plan.video, plan.params.length_frames
    held_numbers = {at + k for at in _schedule(plan, _frames_in(plan)) for k in range(length)}
    shown: Frame | None = None
    index, was_held, seen, begun_s = 0, False, False, 0.0
    for frame in frames:
        inside = within(plan.span, time_of(frame, video))
        hold = inside and shown is not None and index in held_numbers
        index += inside
        if not hold or shown is None:
            # Copied once: the decoder's buffers must not be kept.
            shown = with_planes(frame, planes_of(frame))
            was_held = False
            yield frame
            continue
        end_s = float(end_of(frame, video))
        seen = (was_held and seen) or _shows(shown, frame)
        if not was_held:
            begun_s = float(time_of(frame, video))
        elif events and events[-1][0] == begun_s:
            events.pop()
        if seen:
            events.append((begun_s, end_s))
        was_held = True
        yield replace(frame, planes=shown.planes, native=None)


def _drop(
    frames: Iterable[Frame], plan: Plan[Params], events: list[tuple[float, float]]
) -> Iterator[Frame]:
    """Later frames move up into the places of the dropped ones; the clip ends early."""
    video, length = plan.video, plan.params.length_frames
    dropped = {at + k for at in _schedule(plan, _frames_in(plan)) for k in range(length)}
    places: deque[Frame] = deque()
    index, first = 0, True
    jumped: Frame | None = None
    for frame in frames:
        places.append(replace(frame, planes=(), native=None))
        inside = within(plan.span, time_of(frame, video))
        # The very first frame stays: t = 0 must not move.
        gone = inside and index in dropped and not first
        index += inside
        first = False
        if gone:
            # Copied once: the decoder's buffers must not be kept.
            jumped = jumped or with_planes(frame, planes_of(frame))
            continue
        place = places.popleft()
        if jumped is not None:
            if _shows(jumped, frame):
                events.append((float(time_of(place, video)), float(end_of(place, video))))
            jumped = None
        yield replace(place, planes=frame.planes, corrupt=frame.corrupt)


def _shows(shown: Frame, due: Frame) -> bool:
    """Tells whether anybody could see that one frame stands for another."""
    one, other = shown.planes[0].pixels, due.planes[0].pixels
    return visible_share(one, other, due.bit_depth) > _VISIBLE_SHARE


def _cadence(
    frames: Iterable[Frame], plan: Plan[Params], events: list[tuple[float, float]]
) -> Iterator[Frame]:
    """Each frame stands for its number of frames; breaks make runs of one too many or few."""
    video = plan.video
    runs = _PATTERNS[plan.params.kind]
    rng = plan.rng(2)
    shown: Frame | None = None
    left, turn, index, next_break = 0, 0, 0, 0
    last: tuple[float, float] | None = None
    for frame in frames:
        inside = within(plan.span, time_of(frame, video))
        index += inside
        if left == 0 or shown is None:
            shown = with_planes(frame, planes_of(frame))
            left = runs[turn % len(runs)]
            turn += 1
            if last is not None:
                # A broken run ends where the next frame appears.
                events.append((last[0], float(time_of(frame, video))))
                last = None
            if inside and index >= next_break:
                longer = int(rng.integers(2)) == 1
                left = left + plan.params.length_frames if longer else max(1, left - 1)
                next_break = index + plan.params.every_frames
                last = (float(time_of(frame, video)), 0.0)
        left -= 1
        yield replace(frame, planes=shown.planes, native=None)


SIMULATORS: tuple[Simulator[Params], ...] = (Stutter(),)
