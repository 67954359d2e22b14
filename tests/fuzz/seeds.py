"""Small well-formed inputs made here: what fuzzing starts from."""

from __future__ import annotations

import io
from collections.abc import Mapping
from fractions import Fraction
from functools import cache
from typing import Any

import av
import av.error
import numpy as np

_FRAMES = 14
_WIDTH, _HEIGHT = 64, 48
_RATE_HZ = 48_000

# Container -> video codec, sound codec, caption codec, muxer's options.
_RECIPES: Mapping[str, tuple[str, str, str, str, Mapping[str, str]]] = {
    "mp4": ("mp4", "h264", "aac", "mov_text", {}),
    "fragmented": ("mp4", "h264", "aac", "", {"movflags": "frag_keyframe+empty_moov"}),
    "mov": ("mov", "mpeg4", "pcm_s16le", "", {}),
    "prores": ("mov", "prores_ks", "pcm_s24le", "", {}),
    "mkv": ("matroska", "mpeg4", "flac", "srt", {}),
    "mkv_ffv1": ("matroska", "ffv1", "pcm_f32le", "ass", {}),
    "webm": ("webm", "libvpx-vp9", "libopus", "", {}),
    "ts": ("mpegts", "mpeg2video", "mp2", "", {}),
    "ts_h264": ("mpegts", "h264", "ac3", "", {}),
    "ts_hevc": ("mpegts", "libx265", "eac3", "", {}),
    "mpeg": ("mpeg", "mpeg1video", "mp2", "", {}),
    "avi": ("avi", "mpeg4", "libmp3lame", "", {}),
    "avi_raw": ("avi", "rawvideo", "pcm_u8", "", {}),
    "flv": ("flv", "flv1", "libmp3lame", "", {}),
    "mxf": ("mxf", "mpeg2video", "pcm_s16le", "", {}),
    "asf": ("asf", "wmv2", "wmav2", "", {}),
    "ogg": ("ogg", "libvpx", "libvorbis", "", {}),
    "nut": ("nut", "snow", "pcm_s16be", "", {}),
    "h264": ("h264", "h264", "", "", {}),
    "hevc": ("hevc", "libx265", "", "", {}),
    "m2v": ("mpeg2video", "mpeg2video", "", "", {}),
    "ivf": ("ivf", "libvpx", "", "", {}),
    "obu": ("obu", "libsvtav1", "", "", {}),
    "y4m": ("yuv4mpegpipe", "wrapped_avframe", "", "", {}),
    "wav": ("wav", "", "pcm_s16le", "", {}),
    "w64": ("w64", "", "pcm_s24le", "", {}),
    "flac": ("flac", "", "flac", "", {}),
    "mp3": ("mp3", "", "libmp3lame", "", {}),
    "adts": ("adts", "", "aac", "", {}),
    "ac3": ("ac3", "", "ac3", "", {}),
    "aiff": ("aiff", "", "pcm_s16be", "", {}),
    "caf": ("caf", "", "pcm_s16be", "", {}),
    "au": ("au", "", "pcm_s16be", "", {}),
}


def _film(recipe: str) -> bytes:
    """Returns half a second of moving shapes and a tone."""
    container, image, sound, captions, options = _RECIPES[recipe]
    out = io.BytesIO()
    with av.open(out, "w", format=container, options=dict(options)) as film:
        tracks: list[Any] = []
        if image:
            video: Any = film.add_stream(image, rate=25)
            video.width, video.height = _WIDTH, _HEIGHT
            formats = video.codec.video_formats or ()
            names = [f.name for f in formats]
            video.pix_fmt = "yuv420p" if not names or "yuv420p" in names else names[0]
            video.codec_context.thread_count = 1
            if image == "h264":
                video.options = {"x264-params": "log-level=none", "preset": "ultrafast"}
            elif image == "libx265":
                video.options = {"x265-params": "log-level=none", "preset": "ultrafast"}
            tracks.append(video)
        if sound:
            audio: Any = film.add_stream(sound, rate=_RATE_HZ, layout="stereo")
            if not sound.startswith("pcm") and sound != "flac":
                audio.bit_rate = 128_000
            tracks.append(audio)
        text: Any = film.add_mux_stream(captions) if captions else None
        for track in tracks:
            frames = _images(track) if track.type == "video" else _tones(track)
            for frame in frames:
                film.mux(track.encode(frame))
            film.mux(track.encode(None))
        if text is not None:
            for k in range(2):
                line = f"caption {k}".encode()
                if captions == "ass":
                    line = f"{k},0,Default,,0,0,0,,caption".encode()
                raw = len(line).to_bytes(2, "big") + line if captions == "mov_text" else line
                packet = av.Packet(raw)
                packet.time_base, packet.stream = Fraction(1, 1000), text
                packet.pts = packet.dts = 40 + 200 * k
                packet.duration = 150
                film.mux(packet)
    return out.getvalue()


def _images(track: Any) -> Any:
    rows, columns = np.mgrid[:_HEIGHT, :_WIDTH]
    for k in range(_FRAMES):
        rgb = np.stack([(rows * 4 + k * 9) % 256, (columns * 3 + k * 5) % 256, rows * 0 + 90], -1)
        frame = av.VideoFrame.from_ndarray(rgb.astype(np.uint8), "rgb24")
        frame = frame.reformat(format=track.pix_fmt)
        frame.pts, frame.time_base = k, Fraction(1, 25)
        yield frame


def _tones(track: Any) -> Any:
    size = track.codec_context.frame_size or 1024
    count = _RATE_HZ * _FRAMES // 25
    tone = 0.2 * np.sin(2 * np.pi * 440 * np.arange(count) / _RATE_HZ)
    resampler = av.AudioResampler(format=track.format.name, layout="stereo", rate=_RATE_HZ)
    for at in range(0, count - size + 1, size):
        data = np.repeat(tone[None, at : at + size], 2, axis=0).astype(np.float32)
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(data), "fltp", "stereo")
        frame.sample_rate, frame.pts, frame.time_base = _RATE_HZ, at, Fraction(1, _RATE_HZ)
        yield from resampler.resample(frame)


@cache
def media_seeds() -> dict[str, bytes]:
    """Returns a film or sound for every container and codec that the installed FFmpeg writes."""
    out: dict[str, bytes] = {}
    for recipe in _RECIPES:
        try:
            out[recipe] = _film(recipe)
        except (av.error.FFmpegError, ValueError):
            # This build of FFmpeg lacks the encoder.
            continue
    return out


def lures(port: int) -> dict[str, bytes]:
    """Returns files that name others: on a port where someone listens, and on this machine."""
    web = f"http://127.0.0.1:{port}/lure.ts"
    return {
        "hls": f"#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:2,\n{web}\n#EXT-X-ENDLIST\n".encode(),
        "hls_file": b"#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:2,\nfile:///etc/hostname\n",
        "concat": f"ffconcat version 1.0\nfile '{web}'\n".encode(),
        "dash": f'<MPD xmlns="urn:mpeg:dash:schema:mpd:2011"><BaseURL>{web}'
        "</BaseURL></MPD>".encode(),
        "sdp": f"v=0\no=- 0 0 IN IP4 127.0.0.1\nm=video {port} RTP/AVP 96\n".encode(),
        "entity": f'<?xml version="1.0"?><!DOCTYPE tt SYSTEM "{web}"><tt><body/></tt>'.encode(),
    }


def caption_seeds() -> dict[str, bytes]:
    """Returns a side-car file of every format."""
    webvtt = (
        "WEBVTT\nX-TIMESTAMP-MAP=LOCAL:00:00:00.000,MPEGTS:900000\n\nSTYLE\n::cue{}\n\n"
        "REGION\nid:top\n\none\n00:00.040 --> 00:00.200 line:0 region:top\n<v Ann>Tom &amp; "
        "<ruby>a<rt>b</rt></ruby>\n\nNOTE x\n\n00:00.240 --> 00:00.480\n{\\an8}two\nlines\n"
    )
    subrip = (
        "1\n00:00:00,040 --> 00:00:00,200\n<i>one</i>\n\n2\n00:00:00,240 --> 00:00:00,480\ntwo\n"
    )
    ttml = (
        '<?xml version="1.0" encoding="UTF-8"?>\n<tt xmlns="http://www.w3.org/ns/ttml" '
        'xmlns:ttp="http://www.w3.org/ns/ttml#parameter" '
        'xmlns:tts="http://www.w3.org/ns/ttml#styling" ttp:frameRate="25" ttp:tickRate="90000" '
        'ttp:timeBase="smpte" ttp:dropMode="nonDrop"><head><styling><style xml:id="s" '
        'style="s t" tts:ruby="text"/></styling><layout><region xml:id="r" '
        'tts:origin="10% 80%"><set begin="1s" tts:display="none"/></region></layout></head>'
        '<body region="r" timeContainer="seq"><div begin="1f" dur="12f"><p begin="00:00:00:01" '
        'end="9000t">one<br/><span style="s">x</span></p><p dur="0.1s"><set begin="0s" '
        'tts:visibility="hidden"/>two</p></div></body></tt>'
    )
    scenarist = (
        "Scenarist_SCC V1.0\n\n00:00:00:00\t9420 9420 94ae 94ae 9470 9470 c8e5 ecec ef80 942f "
        "942f\n\n00:00:00;12\t942c 942c 9425 9425 94ad 94ad c1c2 1c2f\n"
    )
    head = bytearray(b" " * 1024)
    for at, text in ((0, b"850STL25.01100"), (255, b"110000000"), (238, b"000010000100114023")):
        head[at : at + len(text)] = text
    block = bytes((0, 0, 0, 255, 0, 10, 0, 0, 1, 10, 0, 0, 9, 20, 2, 0)) + b"text\x8amore".ljust(
        112, b"\x8f"
    )
    return {
        "webvtt": webvtt.encode(),
        "subrip": subrip.encode(),
        "ttml": ttml.encode(),
        "scc": scenarist.encode(),
        "stl": bytes(head) + block * 2,
    }
