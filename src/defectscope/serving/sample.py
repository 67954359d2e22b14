"""A small programme with known defects, the same bytes everywhere: what smoke tests analyze.

A container judges itself by it, and an image's networks are converted for it (`prepare.py`).

Four seconds of 160x90 at 25 fps with 48 kHz stereo sound in an uncompressed AVI, written by hand so
that no encoder's version can change it. The frame is black during [1, 2) and stands still during
[2.4, 3.6); the sound drops out during [2, 2.6).
"""

from __future__ import annotations

import struct

import numpy as np
from numpy.typing import NDArray

WIDTH_PX, HEIGHT_PX, RATE_FPS, RATE_HZ, LENGTH_S = 160, 90, 25, 48_000, 4
BLACK_S = (1.0, 2.0)
FREEZE_S = (2.4, 3.6)
DROPOUT_S = (2.0, 2.6)
_SEED = 20
_AVIIF_KEYFRAME = 0x10
# Source: Microsoft, KSDATAFORMAT_SUBTYPE_PCM.
_PCM_GUID = bytes.fromhex("0100000000001000800000aa00389b71")
_AVIF_HASINDEX_INTERLEAVED = 0x10 | 0x100


def sample_avi() -> bytes:
    """Returns the sample as the bytes of an AVI file."""
    frames, sound = _frames(), _sound()
    per_frame = RATE_HZ // RATE_FPS
    movi, index = bytearray(b"movi"), bytearray()
    for number, frame in enumerate(frames):
        run = sound[number * per_frame : (number + 1) * per_frame].tobytes()
        for tag, data in ((b"00dc", frame), (b"01wb", run)):
            index += struct.pack("<4sIII", tag, _AVIIF_KEYFRAME, len(movi), len(data))
            movi += tag + struct.pack("<I", len(data)) + data
    frame_bytes = len(frames[0])
    headers = _list(
        b"hdrl",
        _chunk(
            b"avih",
            struct.pack(
                "<14I",
                1_000_000 // RATE_FPS,
                0,
                0,
                _AVIF_HASINDEX_INTERLEAVED,
                len(frames),
                0,
                2,
                frame_bytes,
                WIDTH_PX,
                HEIGHT_PX,
                0,
                0,
                0,
                0,
            ),
        )
        + _stream(b"vids", b"I420", 1, RATE_FPS, len(frames), frame_bytes, 0, _video_format())
        + _stream(
            b"auds", b"\0" * 4, 4, RATE_HZ * 4, len(sound), 4 * per_frame, 4, _sound_format()
        ),
    )
    body = b"AVI " + headers + _chunk(b"LIST", bytes(movi)) + _chunk(b"idx1", bytes(index))
    return _chunk(b"RIFF", body)


def _frames() -> list[bytes]:
    """Soft waves and a little grain that drift by, so that nothing but the defects stands out."""
    random = np.random.default_rng(_SEED)
    across = np.arange(WIDTH_PX + 3 * RATE_FPS * LENGTH_S)
    down = np.arange(HEIGHT_PX)[:, None]
    waves = 28 * np.sin(across / 17 + down / 29) + 22 * np.sin(across / 41 - down / 13)
    grain = random.normal(0.0, 1.5, waves.shape)
    texture = np.rint(110 + waves + 8 * np.sin(across / 5) * np.sin(down / 4) + grain)
    texture = texture.astype(np.uint8)
    chroma = np.full(WIDTH_PX // 2 * (HEIGHT_PX // 2) * 2, 128, np.uint8).tobytes()
    frames: list[bytes] = []
    for number in range(RATE_FPS * LENGTH_S):
        time_s = number / RATE_FPS
        shown = round(FREEZE_S[0] * RATE_FPS) if FREEZE_S[0] <= time_s < FREEZE_S[1] else number
        luma: NDArray[np.uint8] = texture[:, shown * 3 : shown * 3 + WIDTH_PX]
        if BLACK_S[0] <= time_s < BLACK_S[1]:
            luma = np.full((HEIGHT_PX, WIDTH_PX), 16, np.uint8)
        frames.append(np.ascontiguousarray(luma).tobytes() + chroma)
    return frames


def _sound() -> NDArray[np.int16]:
    """Two voices of a chord that swells three times a second, about -23 dBFS; (samples, 2)."""
    time_s = np.arange(RATE_HZ * LENGTH_S) / RATE_HZ
    swell = 0.6 + 0.4 * np.sin(2 * np.pi * 3 * time_s)
    voices = [
        sum(
            np.sin(2 * np.pi * pitch_hz * k * time_s + 0.3 * np.sin(2 * np.pi * 5 * time_s)) / k**2
            for pitch_hz in chord_hz
            for k in range(1, 7)
        )
        for chord_hz in ((220.0, 330.0), (220.0, 277.2))
    ]
    sound = np.stack(voices, axis=1) * (0.07 * swell)[:, None]
    # No click where the sound begins and ends.
    sound *= np.clip(np.minimum(time_s, LENGTH_S - time_s) / 0.02, 0.0, 1.0)[:, None]
    # A little room tone: digital silence would be a defect of its own.
    sound += np.random.default_rng(_SEED).normal(0.0, 3e-4, sound.shape)
    first, last = (round(t * RATE_HZ) for t in DROPOUT_S)
    sound[first:last] = 0.0
    return np.clip(np.rint(sound * 32767), -32768, 32767).astype("<i2")


def _chunk(tag: bytes, data: bytes) -> bytes:
    return tag + struct.pack("<I", len(data)) + data + b"\0" * (len(data) % 2)


def _list(kind: bytes, data: bytes) -> bytes:
    return _chunk(b"LIST", kind + data)


def _stream(
    kind: bytes,
    codec: bytes,
    scale: int,
    rate: int,
    length: int,
    largest: int,
    sample: int,
    layout: bytes,
) -> bytes:
    header = struct.pack(
        "<4s4sI2H8I4H",
        kind,
        codec,
        0,
        0,
        0,
        0,
        scale,
        rate,
        0,
        length,
        largest,
        0xFFFFFFFF,
        sample,
        0,
        0,
        WIDTH_PX,
        HEIGHT_PX,
    )
    return _list(b"strl", _chunk(b"strh", header) + _chunk(b"strf", layout))


def _video_format() -> bytes:
    size = WIDTH_PX * HEIGHT_PX * 3 // 2
    return struct.pack("<IiiHH4sIiiII", 40, WIDTH_PX, HEIGHT_PX, 1, 12, b"I420", size, 0, 0, 0, 0)


def _sound_format() -> bytes:
    """WAVEFORMATEXTENSIBLE, which alone can say that the two channels are left and right."""
    base = struct.pack("<HHIIHHH", 0xFFFE, 2, RATE_HZ, RATE_HZ * 4, 4, 16, 22)
    return base + struct.pack("<HI16s", 16, 0b11, _PCM_GUID)
