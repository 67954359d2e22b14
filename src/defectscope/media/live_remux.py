"""Turns a live source of another protocol into a transport stream, packet by packet, undecoded.

So that every channel is read in one way: RTMP, RTSP, HLS and what else FFmpeg connects to.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import av
import av.error

from defectscope.errors import MediaUnavailableError
from defectscope.media.codecs import add_copied_stream, codec_name

# FFmpeg's protocols by scheme: no scheme may lead to a local file.
_PROTOCOLS = {
    "rtmp": "rtmp,tcp",
    "rtmps": "rtmps,tls,tcp",
    "rtsp": "rtsp,rtp,udp,tcp",
    "rtsps": "rtsp,rtp,udp,tcp,tls",
    "http": "http,tcp,tls,https,httpproxy,crypto",
    "https": "https,tls,tcp,http,httpproxy,crypto",
}
SCHEMES = tuple(_PROTOCOLS)
# Time stamps that are less far back are those of a packet that comes twice, seconds.
_BACK_S = 0.5
# Video that FFmpeg finds again in a transport stream; its muxer takes others, as unnamed data.
_CARRIED = ("h264", "hevc", "vvc", "mpeg1video", "mpeg2video", "mpeg4", "vc1", "cavs", "dirac")
_FORMATS = "hls,mpegts,flv,live_flv,rtsp,rtp,mov,mp4,m4a,matroska,webm,aac,webvtt"


class _Pipe:
    """What a muxer writes to."""

    def __init__(self, sink: Callable[[bytes], None]) -> None:
        self._sink = sink

    def write(self, data: bytes) -> int:
        """Hands on."""
        self._sink(bytes(data))
        return len(data)


def _opened(sink: Callable[[bytes], None], streams: list[Any]) -> tuple[Any, dict[int, Any]]:
    """Returns a muxer, and its streams by the number of those that they copy."""
    out: Any = av.open(_Pipe(sink), "w", format="mpegts")
    return out, {s.index: add_copied_stream(out, s) for s in streams}


def remux(
    url: str,
    name: str,
    sink: Callable[[bytes], None],
    going_on: Callable[[], bool],
    *,
    listen: bool = False,
    timeout_s: float = 10.0,
    more: Mapping[str, str] | None = None,
) -> None:
    """Copies a source into a transport stream until it ends; where time steps back, into another.

    Args:
        url: Its address.
        name: What errors call it: addresses hold keys and passwords.
        sink: Takes the transport stream; no bytes where another follows.
        going_on: Whether to go on; asked between packets.
        listen: Waits for an RTMP sender instead of connecting.
        timeout_s: Longest wait for a connection and for data, seconds.
        more: Further options of FFmpeg's demuxer.

    Raises:
        MediaUnavailableError: It cannot be reached, broke off, or a transport stream does not hold
            its video, as AV1 and VP9.
    """
    scheme = url.split("://", 1)[0].lower()
    options = {"protocol_whitelist": _PROTOCOLS[scheme], "format_whitelist": _FORMATS}
    options |= more or {}
    if scheme.startswith("rtsp"):
        options["rtsp_transport"] = "tcp"
    if listen:
        options["listen"] = "1"
    try:
        source: Any = av.open(url, options=options, timeout=(timeout_s, timeout_s))
    except (av.error.FFmpegError, ValueError, OSError) as error:
        reason = str(getattr(error, "strerror", None) or "not media").split(":")[0].lower()
        raise MediaUnavailableError(f"{name}: cannot be reached ({reason})") from None
    out: Any = None
    try:
        kinds = ("video", "audio", "subtitle")
        streams = [s for s in source.streams if s.type in kinds and s.codec_context is not None]
        for stream in streams:
            coding = codec_name(stream.codec_context)
            if stream.type == "video" and coding not in _CARRIED:
                raise MediaUnavailableError(
                    f"{name}: its video is {coding}, which a transport stream does not hold"
                )
        out, made = _opened(sink, streams)
        reached: dict[int, int] = {}
        for packet in source.demux(streams):
            if not going_on():
                return
            index = packet.stream.index
            if packet.dts is None:
                continue
            if packet.dts <= reached.get(index, packet.dts - 1):
                # A muxer takes time stamps that grow. Advertisements in a playlist begin anew.
                if (reached[index] - packet.dts) * packet.time_base < _BACK_S:
                    continue
                out.close()
                sink(b"")
                out, made = _opened(sink, streams)
                reached.clear()
            reached[index] = packet.dts
            packet.stream = made[index]
            out.mux(packet)
    except (av.error.FFmpegError, ValueError, OSError) as error:
        reason = str(getattr(error, "strerror", None) or "broke off").split(":")[0].lower()
        raise MediaUnavailableError(f"{name}: {reason}") from None
    finally:
        if out is not None:
            out.close()
        source.close()
