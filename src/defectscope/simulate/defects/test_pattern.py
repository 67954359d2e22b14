"""Test patterns left in a programme: colour bars, a solid colour, a slate."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import numpy as np
from numpy.typing import NDArray

from defectscope.findings import Interval
from defectscope.media.frames import Frame
from defectscope.media.stream import StreamInfo, VideoInfo
from defectscope.parameters import choice, number, parameters
from defectscope.simulate.contract import Plan, Simulator
from defectscope.simulate.effects.frames import Arrays, FrameSimulator, to_codes, to_native
from defectscope.simulate.parameters import ladder
from defectscope.simulate.synthetic.lettering import write_text

_KINDS = ("smpte_bars", "ebu_bars", "solid", "slate")

# Luma coefficients of red and blue.
# Source: ITU-R BT.601-7, 2.5.1 and ITU-R BT.709-6, 3.2.
_MATRIX = {"bt601": (0.299, 0.114), "bt709": (0.2126, 0.0722)}
_WHITE, _YELLOW, _CYAN, _GREEN = (1, 1, 1), (1, 1, 0), (0, 1, 1), (0, 1, 0)
_MAGENTA, _RED, _BLUE, _BLACK = (1, 0, 1), (1, 0, 0), (0, 0, 1), (0, 0, 0)
_BARS = (_WHITE, _YELLOW, _CYAN, _GREEN, _MAGENTA, _RED, _BLUE)
# Source: SMPTE EG 1-1990: the castellations under the bars, and the lowest band with -I and +Q.
_CASTELLATIONS = (_BLUE, _BLACK, _MAGENTA, _BLACK, _CYAN, _BLACK, _WHITE)
_MINUS_I, _PLUS_Q = (16.0, 158.0, 95.0), (16.0, 174.0, 149.0)
# PLUGE: blacker than black, black, and just above it, in codes.
_PLUGE = (7.0, 16.0, 25.0)

Color = tuple[float, float, float]


@parameters
class Params:
    """Which pattern."""

    kind: Annotated[
        str,
        choice(_KINDS, "`smpte_bars` (SMPTE EG 1), `ebu_bars` (eight bars), `solid` or `slate`."),
    ] = "smpte_bars"
    amplitude: Annotated[float, number(0.5, 1, "Level of the coloured bars; 0.75 is usual.")] = 0.75
    solid_y_code: Annotated[float, number(16, 235, "Luma of the solid colour.", "code")] = 41.0
    solid_u_code: Annotated[float, number(16, 240, "Its U.", "code")] = 240.0
    solid_v_code: Annotated[float, number(16, 240, "Its V.", "code")] = 110.0
    noise_code: Annotated[
        float, number(0, 6, "Standard deviation of noise over the pattern.", "code")
    ] = 0.0
    cover: Annotated[
        float, number(0.5, 1, "How much of the programme is covered by the pattern.")
    ] = 1.0


class TestPattern(FrameSimulator[Params]):
    """Puts a pattern in the programme's place."""

    __test__ = False  # not a test case, whatever its name suggests

    name = "test_pattern"
    defects = ("test_pattern",)
    summary = "bars, a solid colour or a slate in the programme's place"
    params = Params

    def draw(
        self, rng: np.random.Generator, severity: float, span: Interval, stream: StreamInfo
    ) -> Params:
        """Draws a pattern; the milder, the more noise lies over it and programme shines through."""
        kind = _KINDS[int(rng.integers(4))]
        # A solid colour here is never black, white or grey: black has its own detector.
        angle = float(rng.uniform(0, 2 * np.pi))
        return Params(
            kind=kind,
            amplitude=float(rng.choice((0.75, 0.75, 1.0))),
            solid_y_code=float(rng.uniform(50, 180)),
            solid_u_code=128 + 80 * float(np.cos(angle)),
            solid_v_code=128 + 80 * float(np.sin(angle)),
            noise_code=ladder(severity, (2.5, 1.5, 0.8, 0.4, 0.0)),
            cover=ladder(severity, (0.85, 0.94, 1.0, 1.0, 1.0)),
        )

    def impair(self, planes: Arrays, frame: Frame, index: int, plan: Plan[Params]) -> Arrays:
        """Returns the pattern in the frame's size."""
        params, depth = plan.params, frame.bit_depth
        pattern = pattern_planes(params, plan.video, len(planes))
        rng = plan.rng(frame.pts)
        out: Arrays = []
        for plane, drawn in zip(planes, pattern, strict=True):
            codes = to_codes(plane, depth)
            codes = codes + (drawn - codes) * np.float32(params.cover)
            if params.noise_code > 0:
                noise = rng.standard_normal(codes.shape, dtype=np.float32)
                codes = codes + noise * np.float32(params.noise_code)
            out.append(to_native(codes, depth))
        return out


def pattern_planes(params: Params, video: VideoInfo, planes: int) -> list[NDArray[np.float32]]:
    """Returns a pattern as planes of codes, in the stream's size and sampling."""
    height, width = video.height, video.width
    full = np.empty((3, height, width), np.float32)
    if params.kind == "smpte_bars":
        _smpte(full, params.amplitude, height >= 720)
    elif params.kind == "ebu_bars":
        colors = [_code(c, params.amplitude, height >= 720) for c in (*_BARS, _BLACK)]
        colors[0] = _code(_WHITE, 1.0, height >= 720)
        _stripes(full, colors)
    elif params.kind == "solid":
        full[:] = np.array([params.solid_y_code, params.solid_u_code, params.solid_v_code])[
            :, None, None
        ]
    else:
        _slate(full)
    if planes == 1:
        return [full[0]]
    rows, columns = height // video.chroma_height, width // video.chroma_width
    chroma = full[1:, :: max(1, rows), :: max(1, columns)]
    return [full[0], *(c[: video.chroma_height, : video.chroma_width] for c in chroma)]


def _code(rgb: Color, amplitude: float, high_definition: bool) -> Color:
    """Codes of a colour at limited range."""
    red_share, blue_share = _MATRIX["bt709" if high_definition else "bt601"]
    red, green, blue = (amplitude * part for part in rgb)
    luma = red_share * red + (1 - red_share - blue_share) * green + blue_share * blue
    u = (blue - luma) / (2 * (1 - blue_share))
    v = (red - luma) / (2 * (1 - red_share))
    return 16 + 219 * luma, 128 + 224 * u, 128 + 224 * v


def _stripes(area: NDArray[np.float32], colors: Sequence[Color]) -> None:
    width = area.shape[2]
    for index, color in enumerate(colors):
        left, right = (round(width * k / len(colors)) for k in (index, index + 1))
        area[:, :, left:right] = np.array(color, np.float32)[:, None, None]


def _smpte(full: NDArray[np.float32], amplitude: float, high_definition: bool) -> None:
    height, width = full.shape[1:]
    bars, castellations = round(height * 2 / 3), round(height * 3 / 4)
    _stripes(full[:, :bars], [_code(c, amplitude, high_definition) for c in _BARS])
    _stripes(
        full[:, bars:castellations],
        [_code(c, amplitude, high_definition) for c in _CASTELLATIONS],
    )
    low = full[:, castellations:]
    black = (16.0, 128.0, 128.0)
    fifth = round(width * 5 / 7)
    _stripes(low[:, :, :fifth], (_MINUS_I, _code(_WHITE, 1.0, high_definition), _PLUS_Q, black))
    sixth = round(width * 6 / 7)
    _stripes(low[:, :, fifth:sixth], [(code, 128.0, 128.0) for code in _PLUGE])
    _stripes(low[:, :, sixth:], (black,))


def _slate(full: NDArray[np.float32]) -> None:
    """White letters on a dark ground in a frame, as production slates have them."""
    height, width = full.shape[1:]
    full[0], full[1:] = 30.0, 128.0
    edge = max(2, height // 60)
    inset = height // 12
    full[0, inset : height - inset, inset : width - inset] = 200.0
    inner = inset + edge
    full[0, inner : height - inner, inner : width - inner] = 30.0
    lines = ("PROGRAMME 01", "EPISODE 07", "VERSION 2", "TC 10:00:00:00", "STEREO 25P")
    longest = max(len(line) for line in lines)
    scale = max(
        1, min((height - 2 * inner) // (len(lines) * 10), (width - 2 * inner) // (longest * 7))
    )
    for index, line in enumerate(lines):
        top = inner + scale * (4 + 10 * index)
        write_text(full[0], line, top=top, left=inner + 4 * scale, scale=scale, code=225.0)


SIMULATORS: tuple[Simulator[Params], ...] = (TestPattern(),)
