"""Decodes frames on several threads, and damaged ones on one, so that every run gives the same.

A decoder that works on several frames at once is faster, but what it makes of a damaged stream
depends on which thread came first: concealed areas differ from run to run, errors are told of a
later packet, and frames that wait when an error comes are lost. So it is asked to fail on the first
damage; then one thread decodes again from a random access point before it, until frames are whole.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import av.error

# libavcodec takes one thread more than there are cores, and no more than this, when it may choose.
_MAX_AUTO_THREADS = 16
# Two groups of pictures of 5 s at 40 Mbit/s. Streams with longer ones are decoded by one thread.
_MAX_KEPT_BYTES = 48_000_000
# Frames out of order that are waited for: 16 in H.264 and HEVC, and one for each thread.
_MAX_WAITING = 64
# Random access points without damage before several threads are tried again; doubled each time.
_FIRST_PATIENCE = 1
_MAX_PATIENCE = 64
_NEVER = -1


@dataclass(frozen=True, slots=True)
class Undecodable:
    """A packet that no frame could be decoded from.

    Attributes:
        packet: The packet.
    """

    packet: Any


class VideoDecoder:
    """Turns the packets of one video stream into frames, equally for any number of threads."""

    def __init__(self, threads: int, fresh_context: Callable[[], Any]) -> None:
        """Prepares decoding.

        Args:
            threads: Threads of the decoder; 0 lets it take one per core.
            fresh_context: Returns a codec context of the stream that was never opened.
        """
        self._threads = threads
        self._fresh = fresh_context
        self._context: Any = None
        self.reset()

    def reset(self) -> None:
        """Forgets everything: the next packet comes from elsewhere in the stream."""
        self._kept: deque[Any] = deque()
        self._kept_bytes = 0
        # Where random access points lie, counted from the first packet; and which that is in it.
        self._keys: deque[int] = deque()
        self._dropped = 0
        self._given: deque[int | None] = deque()
        self._order = _Order()
        self._alone = self._threads == 1
        self._patience = _FIRST_PATIENCE
        self._whole_keys = 0
        self._renew(self._threads)

    def decode(self, packet: Any) -> Iterator[Any]:
        """Returns what comes out after a packet; the empty packet that ends a stream drains.

        Yields:
            Frames in order of presentation, and an `Undecodable` for each packet that fails.
        """
        if packet.size and packet.pts is None:
            # Without time stamps nothing says which frames were given already.
            self._patience = _NEVER
        if self._threads == 1:
            yield from self._plainly(packet)
            return
        if self._alone:
            yield from self._singly(packet)
            return
        self._keep(packet)
        frames = self._swiftly(packet)
        untimed = self._patience == _NEVER
        if frames is None or untimed or self._kept_bytes > _MAX_KEPT_BYTES:
            yield from self._fall_back()
            return
        yield from self._give(frames, drained=not packet.size)

    def _give(self, frames: list[Any], *, drained: bool) -> Iterator[Any]:
        """Returns frames once the frames that they may refer to came out undamaged."""
        for frame in self._order.released(frames, drained=drained):
            self._given.append(frame.pts)
            yield frame

    def _renew(self, threads: int) -> None:
        self._context = self._fresh()
        self._context.thread_type = "AUTO"
        self._context.thread_count = threads
        if threads != 1:
            self._context.options = {"err_detect": "explode"}
        if not threads:
            threads = min((os.cpu_count() or 1) + 1, _MAX_AUTO_THREADS)
        self._held = threads + int(self._context.has_b_frames) + 2

    def _keep(self, packet: Any) -> None:
        """Keeps packets from the last random access point but one, and all that may be waiting."""
        if packet.is_keyframe:
            self._keys.append(self._dropped + len(self._kept))
        self._kept.append(packet)
        self._kept_bytes += packet.size
        end = self._dropped + len(self._kept)
        while len(self._keys) > 2 and end - self._keys[1] > self._held:
            self._keys.popleft()
            self._drop(self._keys[0])

    def _drop(self, first: int) -> None:
        """Lets packets before number `first` go, and what is known of their frames."""
        while self._dropped < first:
            self._kept_bytes -= self._kept.popleft().size
            self._dropped += 1
        while len(self._given) > len(self._kept) + 2 * self._held:
            self._given.popleft()

    def _swiftly(self, packet: Any) -> list[Any] | None:
        """Decodes with several threads; None where there is damage."""
        self._order.sent(packet)
        try:
            frames = self._context.decode(packet)
        except (av.error.FFmpegError, ValueError):
            return None
        if any(frame.is_corrupt for frame in frames):
            return None
        # An error among the frames that come out at the end costs those after it, silently.
        return frames if packet.size or self._order.is_complete(frames) else None

    def _plainly(self, packet: Any) -> Iterator[Any]:
        try:
            yield from self._context.decode(packet)
        except (av.error.FFmpegError, ValueError):
            yield Undecodable(packet)

    def _fall_back(self) -> Iterator[Any]:
        """Decodes what is kept again, with one thread, and gives what had not been given."""
        packets, given = list(self._kept), set(self._given)
        self._leave_threads()
        self._renew(1)
        for packet in packets:
            for item in self._plainly(packet):
                pts = item.packet.pts if isinstance(item, Undecodable) else item.pts
                if pts is None or pts not in given:
                    yield item

    def _leave_threads(self) -> None:
        self._alone, self._whole_keys = True, 0
        self._order = _Order()
        if self._patience != _NEVER:
            self._patience = min(2 * self._patience, _MAX_PATIENCE)
        self._forget()

    def _forget(self) -> None:
        self._drop(self._dropped + len(self._kept))
        self._keys.clear()
        self._given.clear()

    def _singly(self, packet: Any) -> Iterator[Any]:
        """Decodes with one thread, and hands over to several once frames are whole again."""
        if packet.is_keyframe and packet.pts is not None:
            self._whole_keys += 1
            if self._whole_keys == self._patience:
                self._forget()
        waiting = 0 < self._patience <= self._whole_keys
        if waiting:
            self._keep(packet)
        for item in self._plainly(packet):
            if isinstance(item, Undecodable) or item.is_corrupt:
                self._whole_keys, waiting = 0, False
                self._forget()
            elif waiting and item.pts is not None and item.pts >= self._kept[0].pts:
                yield from self._hand_over(self._kept[0].pts)
                return
            yield item

    def _hand_over(self, first_pts: int) -> Iterator[Any]:
        """Returns packets from a random access point on to several threads."""
        packets = list(self._kept)
        self._renew(self._threads)
        self._alone, self._order = False, _Order()
        # Those before it in time refer to what came before it, and were given already.
        self._given.extend(p.pts for p in packets if p.pts is not None and p.pts < first_pts)
        for packet in packets:
            frames = self._swiftly(packet)
            if frames is None:
                yield from self._fall_back()
                return
            for frame in self._order.released(frames, drained=not packet.size):
                if frame.pts is not None and frame.pts >= first_pts:
                    self._given.append(frame.pts)
                    yield frame


class _Order:
    """Holds frames back until every frame decoded before them and shown after them is out.

    A frame that turns out to be damaged comes out after those shown before it that refer to it.
    """

    def __init__(self) -> None:
        self._count = 0
        self._waiting: dict[int, int] = {}
        self._held: deque[tuple[Any, frozenset[int]]] = deque()

    def sent(self, packet: Any) -> None:
        """Notes a packet that goes to the decoder."""
        if packet.pts is not None:
            self._count += 1
            self._waiting[packet.pts] = self._count
            if len(self._waiting) > _MAX_WAITING:
                self._waiting.clear()

    def is_complete(self, frames: list[Any]) -> bool:
        """Tells whether no packet is left without a frame after these."""
        return len(self._waiting) <= len(frames)

    def released(self, frames: list[Any], *, drained: bool) -> Iterator[Any]:
        """Takes frames as they come out, and gives those that nothing is known against."""
        for frame in frames:
            number = self._waiting.pop(frame.pts, None)
            before: frozenset[int] = frozenset()
            if number is not None and frame.pts is not None:
                before = frozenset(
                    pts for pts, sent in self._waiting.items() if sent < number and pts > frame.pts
                )
                # Earlier ones without a frame of their own are the stream's way: hidden frames.
                for pts in [p for p, n in self._waiting.items() if n < number and p < frame.pts]:
                    del self._waiting[pts]
            self._held.append((frame, before))
        while self._held:
            frame, before = self._held[0]
            if not drained and before & self._waiting.keys():
                return
            self._held.popleft()
            yield frame
