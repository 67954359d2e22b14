"""What a finding in sound looks and reads like: waveform, spectrogram, captions around it."""

from __future__ import annotations

import base64
import contextlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from defectscope.errors import MediaError
from defectscope.findings import Finding
from defectscope.media import open_media
from defectscope.media.cues import Captions, Cue
from defectscope.media.frames import Samples
from defectscope.media.reader import Reader
from defectscope.media.sidecar import read_captions
from defectscope.media.source import MediaLike
from defectscope.media.stills import encode_jpeg

# A page is drawn without loading a detector, so they are named; others show it by `channels`.
_SOUND_DETECTORS = frozenset({"audio_artifacts", "audio_dropout", "loudness", "stereo_image"})
# Sound shown before and after a finding.
HANDLE_S = 1.0
# Longer findings are about the whole programme: their curve shows them better.
_LONGEST_S = 60.0
_MOST_SOUNDS = 24
_MOST_CHANNELS = 8
_COLUMNS = 320
_ROWS = 112
# Source: ISO 226 covers hearing from 20 Hz; a 2,048-point transform at 48 kHz resolves 23 Hz.
_LOWEST_HZ = 40.0
_FFT = 2048
_FLOOR_DBFS, _CEILING_DBFS = -100.0, -10.0
# Dark to bright, evenly rising in lightness, so that it reads without colour too.
_RAMP = np.array(
    [[6, 6, 20], [58, 14, 96], [140, 35, 96], [214, 72, 58], [251, 159, 38], [252, 250, 190]],
    np.float64,
)
_MOST_GAIN = 1000.0
_CAPTION_MARGIN_S = 3.0
_MOST_CUES = 7


def sound_views(
    media: MediaLike, findings: Sequence[Finding], order: Iterable[int]
) -> dict[int, dict[str, Any]]:
    """Returns waveform and spectrogram of findings in sound, by index.

    Args:
        media: The asset.
        findings: All findings.
        order: Indices, the most wanted first; the first 24 that are about sound get one.

    Raises:
        MediaError: The media cannot be opened.
    """
    wanted = [k for k in order if _of_sound(findings[k])]
    wanted = [k for k in wanted if findings[k].interval.duration_s <= _LONGEST_S][:_MOST_SOUNDS]
    if not wanted:
        return {}
    views: dict[int, dict[str, Any]] = {}
    with open_media(media) as reader:
        if not reader.info.sounds:
            return {}
        for index in sorted(wanted, key=lambda k: findings[k].start_s):
            with contextlib.suppress(MediaError):
                view = _view(reader, findings[index])
                if view is not None:
                    views[index] = view
    return views


def _of_sound(finding: Finding) -> bool:
    return finding.detector in _SOUND_DETECTORS or "channels" in finding.evidence


def _view(reader: Reader, finding: Finding) -> dict[str, Any] | None:
    sound, audio = 0, reader.info.sounds[0].audio
    for number, one in enumerate(reader.info.sounds):
        if finding.track is not None and finding.track in one.tracks:
            sound, audio = number, one.audio
            break
    start_s = max(0.0, finding.start_s - HANDLE_S)
    end_s = finding.end_s + HANDLE_S
    first, count = round(start_s * audio.rate_hz), round((end_s - start_s) * audio.rate_hz)
    samples = np.zeros((count, len(audio.channels)), np.float32)
    reached = 0
    for item in reader.read(start_s, end_s, video=False):
        if not isinstance(item, Samples) or item.sound != sound:
            continue
        begin = item.start - first
        low, high = max(0, begin), min(count, begin + len(item.data))
        if high > low and item.data.shape[1] == samples.shape[1]:
            samples[low:high] = item.data[low - begin : high - begin]
            reached = max(reached, high)
    if reached < _FFT:
        return None
    samples = np.clip(np.nan_to_num(samples[:reached]), -1.0, 1.0)
    # Quiet sound is drawn larger, and the page says by how much.
    gain = min(_MOST_GAIN, 1.0 / max(float(np.abs(samples).max()), 1e-9))
    image = encode_jpeg(spectrogram(samples, audio.rate_hz), quantiser=6)
    return {
        "start_s": round(start_s, 4),
        "end_s": round(start_s + reached / audio.rate_hz, 4),
        "channels": list(audio.channels[:_MOST_CHANNELS]),
        "gain_db": round(20 * float(np.log10(gain)), 1),
        "waves": [
            _packed(samples[:, c] * np.float32(gain))
            for c in range(min(_MOST_CHANNELS, samples.shape[1]))
        ],
        "spectrogram": base64.b64encode(image).decode("ascii"),
        "lowest_hz": _LOWEST_HZ,
        "highest_hz": audio.rate_hz / 2,
    }


def _packed(samples: NDArray[np.float32]) -> str:
    """Minimum and maximum per column as signed bytes, in base64."""
    edges = np.linspace(0, len(samples), _COLUMNS + 1).astype(int)
    starts = np.minimum(edges[:-1], len(samples) - 1)
    low, high = np.minimum.reduceat(samples, starts), np.maximum.reduceat(samples, starts)
    values = np.rint(np.concatenate([low, high]) * 127).astype(np.int8)
    return base64.b64encode(values.tobytes()).decode("ascii")


def spectrogram(samples: NDArray[np.float32], rate_hz: int) -> NDArray[np.uint8]:
    """Returns an image of power over time and log frequency, the highest frequency on top.

    Channels are added by power, so that what cancels in a mix is seen all the same.

    Args:
        samples: (n, channels), n at least 2,048.
        rate_hz: Samples a second.

    Returns:
        (112, 320, 3) uint8, from -100 dBFS to -10 dBFS in each band.
    """
    window = np.hanning(_FFT)
    starts = np.linspace(0, len(samples) - _FFT, _COLUMNS).astype(int)
    power = np.zeros((_COLUMNS, _FFT // 2 + 1))
    for channel in samples.T:
        frames = np.stack([channel[k : k + _FFT] for k in starts]) * window
        power += np.abs(np.fft.rfft(frames, axis=1)) ** 2
    # A full-scale sine has the power of the window's sum over two.
    power /= (window.sum() / 2) ** 2
    edges = np.geomspace(_LOWEST_HZ, rate_hz / 2, _ROWS + 1) / (rate_hz / _FFT)
    low = np.clip(edges[:-1].astype(int), 0, _FFT // 2)
    high = np.maximum(low + 1, np.clip(edges[1:].astype(int), 1, _FFT // 2 + 1))
    bands = np.stack([power[:, a:b].max(axis=1) for a, b in zip(low, high, strict=True)])
    level = 10 * np.log10(np.maximum(bands, 1e-12))
    share = np.clip((level - _FLOOR_DBFS) / (_CEILING_DBFS - _FLOOR_DBFS), 0, 1)[::-1]
    places = share * (len(_RAMP) - 1)
    grid = np.arange(len(_RAMP))
    image = np.stack([np.interp(places, grid, _RAMP[:, c]) for c in range(3)], axis=-1)
    return np.rint(image).astype(np.uint8)


def caption_texts(
    media: MediaLike,
    findings: Sequence[Finding],
    order: Iterable[int],
    captions: MediaLike | None,
) -> dict[int, list[dict[str, Any]]]:
    """Returns the captions around each finding in captions, by index.

    Args:
        media: The asset.
        findings: All findings.
        order: Indices, the most wanted first.
        captions: Side-car captions; None takes those in the media.

    Raises:
        MediaError: The media or the captions cannot be read.
    """
    wanted = [k for k in order if findings[k].detector == "caption_quality"]
    if not wanted:
        return {}
    cues = _cues(media, None if captions is None else read_captions(captions))
    found: dict[int, list[dict[str, Any]]] = {}
    for index in wanted:
        finding = findings[index]
        near = [cue for cue in cues if _near(cue, finding)]
        found[index] = [
            {"start_s": cue.start_s, "end_s": _finite(cue), "text": "\n".join(cue.lines)}
            for cue in near[:_MOST_CUES]
        ]
    return found


def _near(cue: Cue, finding: Finding) -> bool:
    margin = _CAPTION_MARGIN_S
    return cue.start_s < finding.end_s + margin and cue.end_s > finding.start_s - margin


def _finite(cue: Cue) -> float:
    return cue.end_s if np.isfinite(cue.end_s) else cue.start_s


def _cues(media: MediaLike, side: Captions | None) -> list[Cue]:
    with open_media(media, captions=side) as reader:
        if reader.captions is not None:
            return sorted(reader.captions.cues, key=lambda cue: cue.start_s)
        # Embedded cues come by the way; without sound or video there is nothing to read along.
        read = reader.read(video=not reader.info.sounds)
        return [item for item in read if isinstance(item, Cue) and item.lines]


def kept_within(
    views: Mapping[int, dict[str, Any]], order: Iterable[int], budget: int
) -> tuple[dict[int, dict[str, Any]], int]:
    """Returns the views that a budget covers, the most wanted first, and what is left of it."""
    kept: dict[int, dict[str, Any]] = {}
    for index in order:
        if index not in views:
            continue
        size = len(views[index]["spectrogram"]) + sum(map(len, views[index]["waves"]))
        if size <= budget:
            kept[index] = views[index]
            budget -= size
    return kept, budget
