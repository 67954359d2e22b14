"""Sound in blocks in, driver signals in blocks out, aligned with what went in."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import soundfile

from defectscope.errors import InvalidParameterError, MediaError, UnreadableMediaError
from defectscope.media.frames import Samples
from defectscope.media.limits import Limits
from defectscope.media.opening import open_media
from defectscope.media.source import MediaLike
from defectscope.spatial.arrays import Reals, checked_rate, checked_samples
from defectscope.spatial.blocks import BlockFilter
from defectscope.spatial.chain import RenderSettings, build_chain
from defectscope.spatial.programme import programme_matrix
from defectscope.spatial.upmixing import Upmixer

Format = Literal["flac", "wav"]
_FLAC_CHANNELS = 8
_GAP_S = 1.0


class Renderer:
    """Renders a stream, whatever the length of its blocks.

    Args:
        rate_hz: Sampling rate, hertz.
        channels: FFmpeg's names of the channels that come in.
        settings: What the rendering shall be.

    Attributes:
        names: What the channels that come out are called.
        latency_samples: How many samples must follow one before its rendering comes out.

    Raises:
        InvalidParameterError: A setting or the rate is out of range.
    """

    def __init__(self, rate_hz: int, channels: Sequence[str], settings: RenderSettings) -> None:
        rate = checked_rate(rate_hz)
        self._matrix = programme_matrix(channels)
        chain = build_chain(settings, rate)
        self.names = chain.names
        self._upmixer = Upmixer(rate)
        self._filter = BlockFilter(chain.taps)
        self._centre = np.zeros((1, 0))
        self._delay = self._skip = chain.delay
        self._taken = self._given = 0
        self.latency_samples = self._upmixer.latency_samples + chain.delay

    def push(self, samples: Reals) -> Reals:
        """Returns what is ready, (outputs, samples).

        Args:
            samples: (channels, samples), full scale at ±1.

        Raises:
            InvalidParameterError: The shape is another one, or a sample is no finite number.
        """
        block = checked_samples(samples, self._matrix.shape[1])
        self._taken += block.shape[1]
        programme = self._matrix @ block
        self._centre = np.concatenate([self._centre, programme[2:]], axis=1)
        return self._filtered(self._upmixer.push(programme[:2]))

    def flush(self) -> Reals:
        """Returns the rest; as many samples have come out as went in, and none is shifted."""
        parts = [self._filtered(self._upmixer.flush())]
        parts.append(self._filtered(np.zeros((3, self._delay))))
        return np.concatenate(parts, axis=1)

    def _filtered(self, split: Reals) -> Reals:
        count = split.shape[1]
        own = min(count, self._centre.shape[1])
        split[1, :own] += self._centre[0, :own]
        self._centre = self._centre[:, own:]
        out = self._filter.push(split)
        skipped = min(self._skip, out.shape[1])
        self._skip -= skipped
        return out[:, skipped:]


@dataclass(frozen=True, slots=True)
class Rendering:
    """What was written.

    Attributes:
        files: Paths, one per output, or one with all.
        names: What the outputs are called.
        rate_hz: Sampling rate, hertz.
        duration_s: Length, seconds.
        latency_s: Latency of the streaming form, seconds.
        peak_dbfs: Loudest sample of any output; -200 for silence.
        clipped: Samples that FLAC had to clip.
    """

    files: tuple[str, ...]
    names: tuple[str, ...]
    rate_hz: int
    duration_s: float
    latency_s: float
    peak_dbfs: float
    clipped: int

    def as_dict(self) -> dict[str, Any]:
        """Returns the rendering as JSON's types."""
        return json.loads(json.dumps(asdict(self)))


def sound_blocks(
    media: MediaLike,
    *,
    start_s: float = 0.0,
    end_s: float | None = None,
    limits: Limits | None = None,
) -> tuple[int, tuple[str, ...], Iterator[Reals]]:
    """Returns the rate, channel names and blocks of a file's sound, (channels, samples).

    Gaps become silence, so that time stays what it was.

    Args:
        media: Path, bytes or binary file.
        start_s: First instant wanted, seconds.
        end_s: First instant not wanted; None reads to the end.
        limits: Bounds on size.

    Raises:
        MediaError: The file cannot be read, has no sound, or its sound holds no finite numbers.
    """
    reader = open_media(media, limits=limits)
    audio = reader.info.audio
    if audio is None or not audio.channels:
        reader.close()
        raise UnreadableMediaError(f"{reader.info.uri}: there is no sound to render")

    def blocks() -> Iterator[Reals]:
        position = round(start_s * audio.rate_hz)
        with reader:
            for item in reader.read(start_s, end_s, video=False):
                if not isinstance(item, Samples):
                    continue
                data = np.asarray(item.data.T, np.float64)
                if not np.isfinite(data).all():
                    raise UnreadableMediaError(
                        f"{reader.info.uri}: the sound holds values that are no finite numbers"
                    )
                missing = item.start - position
                while missing > 0:
                    length = min(missing, int(_GAP_S * audio.rate_hz))
                    yield np.zeros((data.shape[0], length))
                    missing -= length
                # What overlaps with sound already given is left out.
                data = data[:, max(0, -missing) :]
                if data.shape[1]:
                    yield data
                position = max(position, item.start + item.data.shape[0])

    return audio.rate_hz, audio.channels, blocks()


def render_file(
    media: MediaLike,
    folder: Path,
    settings: RenderSettings,
    *,
    stem: str = "rendering",
    container: Format = "flac",
    together: bool = False,
    start_s: float = 0.0,
    end_s: float | None = None,
    limits: Limits | None = None,
    progress: Callable[[float], None] = lambda _: None,
) -> Rendering:
    """Renders the sound of a file and writes it.

    Args:
        media: Path, bytes or binary file; WAV, FLAC or any container with sound.
        folder: Where to write `STEM.OUTPUT.flac`; made if missing.
        settings: What the rendering shall be.
        stem: Beginning of the files' names.
        container: `flac`, 24 bit, or `wav`, 32-bit floats, which cannot clip.
        together: One file with a channel per output, instead of a file per output; ears always
            come together.
        start_s: First instant to render, seconds.
        end_s: First instant not to render; None renders to the end.
        limits: Bounds on size.
        progress: Told how many seconds have been written; may raise to end the rendering.

    Raises:
        MediaError: The media cannot be rendered.
        UsageError: A setting is out of range.
    """
    rate_hz, channels, blocks = sound_blocks(media, start_s=start_s, end_s=end_s, limits=limits)
    renderer = Renderer(rate_hz, channels, settings)
    together = together or renderer.names == ("left_ear", "right_ear")
    if together and container == "flac" and len(renderer.names) > _FLAC_CHANNELS:
        raise MediaError(
            f"FLAC holds {_FLAC_CHANNELS} channels, not {len(renderer.names)}: use wav"
        )
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InvalidParameterError(f"{folder} cannot be written to: {error.strerror}") from error
    ends = [f".{container}"] if together else [f".{name}.{container}" for name in renderer.names]
    paths = [folder / (stem + end) for end in ends]
    subtype = "PCM_24" if container == "flac" else "FLOAT"
    peak, clipped, written = 0.0, 0, 0
    files = [
        soundfile.SoundFile(
            path,
            "w",
            rate_hz,
            len(renderer.names) if together else 1,
            subtype,
            format=container.upper(),
        )
        for path in paths
    ]
    try:
        for made in _rendered(renderer, blocks):
            peak = max(peak, float(np.abs(made).max(initial=0.0)))
            clipped += int(np.count_nonzero(np.abs(made) > 1.0)) if container == "flac" else 0
            written += made.shape[1]
            progress(written / rate_hz)
            for index, file in enumerate(files):
                part = made if together else made[index : index + 1]
                file.write(np.clip(part, -1, 1).T if container == "flac" else part.T)
    finally:
        for file in files:
            file.close()
    return Rendering(
        files=tuple(str(path) for path in paths),
        names=renderer.names,
        rate_hz=rate_hz,
        duration_s=round(written / rate_hz, 6),
        latency_s=round(renderer.latency_samples / rate_hz, 6),
        peak_dbfs=round(20 * float(np.log10(max(peak, 1e-10))), 2),
        clipped=clipped,
    )


def _rendered(renderer: Renderer, blocks: Iterator[Reals]) -> Iterator[Reals]:
    for block in blocks:
        yield renderer.push(block)
    yield renderer.flush()
