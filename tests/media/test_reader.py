"""The reader: one clock, native planes, exact segment starts, and nothing else is fetched."""

from __future__ import annotations

import http.server
import io
import threading
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import soundfile

from defectscope.errors import (
    MediaNotFoundError,
    MediaRefusedError,
    MediaTooLargeError,
    UnreadableMediaError,
)
from defectscope.media import Limits, open_media
from defectscope.media.encoding import AudioEncoding, VideoEncoding
from defectscope.media.frames import Frame, Plane, Samples
from defectscope.media.source import resolve
from defectscope.media.writer import write_clip
from defectscope.simulate.synthetic.material import Footage
from defectscope.simulate.synthetic.soundscape import music_like, runs_of

RATE = Fraction(25)


def frames_of(path: Path | bytes, *span: float | None) -> list[Frame]:
    with open_media(path) as reader:
        return [i for i in reader.read(*span, audio=False) if isinstance(i, Frame)]


def sound_of(path: Path, *span: float | None) -> tuple[int, np.ndarray]:
    with open_media(path) as reader:
        runs = [i for i in reader.read(*span, video=False) if isinstance(i, Samples)]
    return runs[0].start, np.concatenate([r.data for r in runs])


def frame_like(frame: Frame, pixel_format: str) -> Frame:
    """A 4:2:0 frame with its chroma repeated or dropped, as another format wants it."""
    luma, *chroma = frame.planes
    if pixel_format == "gray":
        return Frame(frame.pts, frame.duration, (luma,), frame.bit_depth)
    across = 2 if "444" in pixel_format else 1
    down = 1 if "420" in pixel_format else 2
    planes = [luma]
    for plane in chroma:
        data = np.repeat(np.repeat(plane.pixels, down, axis=0), across, axis=1)
        planes.append(Plane(data, data.shape[1], data.shape[0]))
    return Frame(frame.pts, frame.duration, tuple(planes), frame.bit_depth)


@pytest.mark.parametrize(
    ("pixel_format", "bit_depth", "chroma"),
    [
        ("yuv420p", 8, (80, 45)),
        ("yuv422p", 8, (80, 90)),
        ("yuv420p10le", 10, (80, 45)),
        ("yuv422p10le", 10, (80, 90)),
        ("yuv444p", 8, (80, 45)),  # converted
        ("gray", 8, (0, 0)),
    ],
)
def test_prows_are_native_and_read_only(
    tmp_path: Path, pixel_format: str, bit_depth: int, chroma: tuple[int, int]
) -> None:
    path = tmp_path / "clip.mkv"
    source = [
        frame_like(frame, pixel_format)
        for frame in Footage(seed=1, width=160, height=90, frames=5, bit_depth=bit_depth)
    ]
    video = VideoEncoding(160, 90, RATE, codec="ffv1", crf=None, pixel_format=pixel_format)
    write_clip(path, frames=source, video=video)
    with open_media(path) as reader:
        info = reader.info.video
        assert info is not None
        assert (info.bit_depth, info.chroma_width, info.chroma_height) == (bit_depth, *chroma)
        assert info.pixel_format == pixel_format
        frame = next(i for i in reader.read() if isinstance(i, Frame))
    luma = frame.planes[0]
    assert luma.pixels.shape == (90, 160)
    assert not luma.data.flags.writeable
    assert int(luma.pixels.max()) > 100 << (bit_depth - 8)
    if len(frame.planes) == 3:
        assert frame.planes[1].pixels.shape == chroma[::-1]


@pytest.mark.parametrize("size", [(33, 17), (1, 1), (250, 2)])
def test_odd_sizes_have_their_padding_cut(tmp_path: Path, size: tuple[int, int]) -> None:
    width, height = size
    path = tmp_path / "odd.mkv"
    even = Footage(seed=2, width=256, height=128, frames=3)
    video = VideoEncoding(width, height, RATE, codec="ffv1", crf=None, pixel_format="yuv420p")

    def cropped():
        for frame in even:
            planes = []
            for plane, (w, h) in zip(
                frame.planes,
                [(width, height)] + 2 * [(-(-width // 2), -(-height // 2))],
                strict=True,
            ):
                data = np.ascontiguousarray(plane.pixels[:h, :w])
                planes.append(type(plane)(data, w, h))
            yield Frame(frame.pts, frame.duration, tuple(planes), 8)

    write_clip(path, frames=cropped(), video=video)
    found = frames_of(path)
    assert len(found) == 3
    for frame, wanted in zip(found, cropped(), strict=True):
        for plane, other in zip(frame.planes, wanted.planes, strict=True):
            assert np.array_equal(plane.pixels, other.pixels)


def test_every_segment_start_is_frame_and_sample_exact(impaired_clip: Path) -> None:
    whole = {f.pts: int(f.planes[0].pixels.sum()) for f in frames_of(impaired_clip)}
    base, sound = sound_of(impaired_clip)
    assert base == 0
    for start_s, end_s in ((0.5, 1.0), (1.18, 1.22), (4.999, 6.0), (11.9, None)):
        segment = frames_of(impaired_clip, start_s, end_s)
        wanted = [
            pts
            for pts in sorted(whole)
            if pts / 12800 >= start_s - 1e-9 and (end_s is None or pts / 12800 < end_s)
        ]
        # One frame more: what was on screen when the segment began.
        assert [f.pts for f in segment][1:] == wanted or [f.pts for f in segment] == wanted
        assert all(int(f.planes[0].pixels.sum()) == whole[f.pts] for f in segment)
        first, run = sound_of(impaired_clip, start_s, end_s)
        assert first == int(np.ceil(start_s * 48000 - 1e-6))
        assert np.array_equal(run, sound[first : first + len(run)])


def test_variable_frame_rate_keeps_its_time_stamps(tmp_path: Path) -> None:
    path = tmp_path / "vfr.mkv"
    stamps = [0, 40, 80, 300, 340, 900]
    source = [
        Frame(pts, 0, f.planes, 8)
        for pts, f in zip(stamps, Footage(seed=3, width=64, height=48, frames=6), strict=True)
    ]
    video = VideoEncoding(64, 48, RATE, time_base=Fraction(1, 1000), codec="ffv1", crf=None)
    write_clip(path, frames=source, video=video)
    assert [f.pts for f in frames_of(path)] == stamps
    # The frame on screen at 500 ms came at 340 ms.
    assert [f.pts for f in frames_of(path, 0.5, None)] == [340, 900]


@pytest.mark.parametrize(
    ("layout", "names"),
    [("mono", ("FC",)), ("stereo", ("FL", "FR")), ("5.1", ("FL", "FR", "FC", "LFE"))],
)
def test_sound_keeps_its_rate_and_channel_names(
    tmp_path: Path, layout: str, names: tuple[str, ...]
) -> None:
    path = tmp_path / "sound.mkv"
    count = {"mono": 1, "stereo": 2, "5.1": 6}[layout]
    sound = np.repeat(music_like(1, 1.0, 44100)[:, :1], count, axis=1)
    sound *= np.arange(1, count + 1, dtype=np.float32) / count
    audio = AudioEncoding(rate_hz=44100, layout=layout, codec="pcm_s16le")
    write_clip(path, runs=runs_of(sound), audio=audio)
    with open_media(path) as reader:
        assert reader.info.audio is not None
        assert reader.info.audio.rate_hz == 44100
        assert reader.info.audio.channels[: len(names)] == names
    start, read = sound_of(path)
    assert start == 0
    assert read.dtype == np.float32
    assert read.shape == sound.shape
    assert np.max(np.abs(read - sound)) < 1 / 32000


def test_wav_files_read_as_libsndfile_reads_them(tmp_path: Path) -> None:
    path = tmp_path / "tone.wav"
    tone = music_like(5, 0.5, 32000)
    soundfile.write(path, tone, 32000, subtype="PCM_24")
    _, read = sound_of(path)
    reference, _ = soundfile.read(path, dtype="float32", always_2d=True)
    assert np.array_equal(read, reference)


def test_rotation_is_reported(tmp_path: Path) -> None:
    path = tmp_path / "turned.mp4"
    video = VideoEncoding(64, 48, RATE, rotation_deg=90)
    write_clip(path, frames=Footage(seed=4, width=64, height=48, frames=3), video=video)
    with open_media(path) as reader:
        assert reader.info.video is not None
        assert reader.info.video.rotation_deg == 90


def test_bytes_and_file_objects_read_alike(impaired_clip: Path) -> None:
    data = impaired_clip.read_bytes()
    from_bytes = [f.pts for f in frames_of(data, 0.0, 0.4)]
    with open_media(io.BytesIO(data)) as reader:
        assert [i.pts for i in reader.read(0.0, 0.4) if isinstance(i, Frame)] == from_bytes


@pytest.mark.parametrize(
    ("content", "error"),
    [(b"", UnreadableMediaError), (b"not media at all" * 99, UnreadableMediaError)],
)
def test_what_is_not_media_is_refused(
    tmp_path: Path, content: bytes, error: type[Exception]
) -> None:
    path = tmp_path / "clip.mp4"
    path.write_bytes(content)
    with pytest.raises(error, match=r"clip\.mp4"):
        open_media(path)
    with pytest.raises(error):
        open_media(content)


def test_missing_files_and_other_protocols_are_refused(tmp_path: Path) -> None:
    with pytest.raises(MediaNotFoundError):
        open_media(tmp_path / "none.mp4")
    for address in ("http://127.0.0.1/x.mp4", "file:///etc/passwd", "concat://a|b"):
        with pytest.raises(MediaRefusedError):
            resolve(address)


def test_large_frames_and_many_bytes_are_refused(impaired_clip: Path) -> None:
    with pytest.raises(MediaTooLargeError, match="320x176"):
        open_media(impaired_clip, limits=Limits(max_pixels=1000))
    with pytest.raises(MediaTooLargeError, match="limit is 10"):
        open_media(b"0" * 11, limits=Limits(max_bytes=10))
    with pytest.raises(MediaTooLargeError, match="limit of 5 s"):
        open_media(impaired_clip, limits=Limits(max_duration_s=5.0))


def test_playlists_fetch_nothing(tmp_path: Path, impaired_clip: Path) -> None:
    asked: list[str] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_error(404)

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        url = f"http://127.0.0.1:{server.server_port}/segment.ts"
        playlists = {
            "web.m3u8": f"#EXTM3U\n#EXT-X-TARGETDURATION:5\n#EXTINF:5,\n{url}\n#EXT-X-ENDLIST\n",
            "disk.m3u8": f"#EXTM3U\n#EXTINF:5,\n{impaired_clip}\n#EXT-X-ENDLIST\n",
            "passwd.m3u8": "#EXTM3U\n#EXTINF:5,\nfile:///etc/passwd\n#EXT-X-ENDLIST\n",
            "list.ffconcat": f"ffconcat version 1.0\nfile {impaired_clip}\n",
        }
        for name, text in playlists.items():
            for disguise in (name, f"{name}.mp4"):
                path = tmp_path / disguise
                path.write_text(text)
                with pytest.raises(UnreadableMediaError):
                    open_media(path)
                with pytest.raises(UnreadableMediaError):
                    open_media(text.encode())
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
    assert asked == []
