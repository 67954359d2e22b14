"""The second opener, for live sources: opened once, never rewound, read for weeks.

Uploads keep their own (`source.py`), whose white list has neither protocols nor playlists. A live
source is opened from a configuration that its operator wrote; FFmpeg gets the protocols that such
an address needs, and no others.

    bytes of a transport stream | address -> Live -> LiveReader -> frames, samples, complaints

A reader ends where the frame's raster changes or where it is asked to; the next one goes on with
the following frame, with facts and a programme clock of its own. No frame is lost in between.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Protocol

import av
import av.error

from defectscope.errors import TooManyStreamsError, UnreadableMediaError
from defectscope.media.decoding import Undecodable, VideoDecoder
from defectscope.media.first_frames import video_stream
from defectscope.media.limits import Limits
from defectscope.media.live_facts import Facts, facts_of
from defectscope.media.live_reader import LiveReader

# What is read to learn of the tracks: a group of pictures of 2 s at 4 Mbit/s.
_PROBE_BYTES = 1_000_000
_PROBE_S = 3.0
# A stream of this many packets without a frame is not going to give one.
_MAX_PACKETS = 20_000


class ByteSource(Protocol):
    """Where the bytes of a container come from; no bytes mean that it has ended."""

    def read(self, size: int) -> bytes:
        """Returns at most `size` bytes, waiting for the first."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveOptions:
    """How a live source is opened.

    Attributes:
        container_format: FFmpeg's name of the demuxer; None lets it find out.
        options: Options of demuxer and protocol.
        open_s: Longest wait for a connection, seconds; None waits for ever.
        read_s: Longest wait for data, seconds; after it the source is taken to have ended.
        limits: Bounds on raster and number of streams.
    """

    container_format: str | None = "mpegts"
    options: Mapping[str, str] = field(default_factory=dict[str, str])
    open_s: float | None = None
    read_s: float | None = None
    limits: Limits = field(default_factory=Limits)


def open_live(source: ByteSource | str, name: str, options: LiveOptions | None = None) -> Live:
    """Opens a live source; waits until enough of it has come to know its tracks.

    Args:
        source: Where bytes come from, or an address that FFmpeg connects to.
        name: What reports and errors call it: addresses hold keys and passwords.
        options: How it is opened.

    Raises:
        UnreadableMediaError: It cannot be opened, or is no media.
        TooManyStreamsError: More streams than the limit.
    """
    options = options or LiveOptions()
    asked = {
        "probesize": str(_PROBE_BYTES),
        "analyzeduration": str(int(_PROBE_S * 1_000_000)),
        **options.options,
    }
    waits = None if options.open_s is None else (options.open_s, options.read_s)
    target: Any = source
    try:
        container: Any = av.open(
            target,
            mode="r",
            format=options.container_format,
            options=asked,
            metadata_errors="replace",
            timeout=waits,
        )
    except (av.error.FFmpegError, ValueError, OSError) as error:
        reason = str(getattr(error, "strerror", None) or "not media").split(":")[0].lower()
        raise UnreadableMediaError(f"{name}: cannot be opened ({reason})") from None
    count = len(container.streams)
    if count > options.limits.max_streams:
        container.close()
        limit = options.limits.max_streams
        raise TooManyStreamsError(f"{name}: {count} streams, the limit is {limit}")
    return Live(container, name, options.limits)


class Live:
    """An opened live source.

    Attributes:
        ended: Nothing more comes of it.
        name: What it is called.
    """

    def __init__(self, container: Any, name: str, limits: Limits) -> None:
        self.ended = False
        self.name = name
        self._container, self._limits = container, limits
        self._main = video_stream(container)
        self._decoder = None
        self._keys_alone = False
        if self._main is not None:
            context = self._main.codec_context
            self._decoder = VideoDecoder(1, lambda: context)
        self._held: list[tuple[Any, list[Any]]] = []
        self._wanted = [
            s
            for s in container.streams
            if s is self._main or (s.type in ("audio", "subtitle") and s.codec_context is not None)
        ]
        self._demuxed: Iterator[Any] = container.demux(*self._wanted)

    def __enter__(self) -> Live:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Frees the decoders and the connection."""
        self.ended = True
        self._held.clear()
        self._container.close()

    def skip_frames(self, which: str) -> None:
        """Leaves frames undecoded: `NONE`, `NONREF` (that no other refers to) or `NONKEY`."""
        if self._main is not None:
            self._main.codec_context.skip_frame = "DEFAULT" if which == "NONE" else which
            self._keys_alone = which == "NONKEY"

    def next_reader(self) -> LiveReader | None:
        """Reads on to the first frame, or run of sound, and returns what reads from there.

        Returns:
            None where the source has ended before.

        Raises:
            UnreadableMediaError: Nothing of it can be decoded.
        """
        held: list[tuple[Any, list[Any]]] = []
        for count, (packet, natives) in enumerate(self.packets()):
            first = next((n for n in natives if not isinstance(n, Undecodable)), None)
            if packet.stream is not self._main:
                held.append((packet, natives))
            if first is not None and (self._main is None or packet.stream is self._main):
                if packet.stream is self._main:
                    held.append((packet, natives))
                self._held = held + self._held
                return LiveReader(self, self._facts(first))
            if count > _MAX_PACKETS:
                raise UnreadableMediaError(f"{self.name}: nothing of it can be decoded")
        return None

    def _facts(self, first: Any) -> Facts:
        return facts_of(self._container, self._main, first, self.name, self._limits)

    def packets(self) -> Iterator[tuple[Any, list[Any]]]:
        """Yields packets with what they decode to, those that were put back first."""
        while not self.ended:
            if self._held:
                yield self._held.pop(0)
                continue
            try:
                packet = next(self._demuxed, None)
            except (av.error.FFmpegError, OSError, ValueError):
                packet = None
            if packet is None:
                self.ended = True
                return
            yield packet, self._decoded(packet)

    def put_back(self, packet: Any, natives: list[Any]) -> None:
        """Takes back what the next reader is to begin with."""
        self._held.insert(0, (packet, natives))

    def _decoded(self, packet: Any) -> list[Any]:
        if packet.stream is self._main:
            assert self._decoder is not None
            natives = list(self._decoder.decode(packet))
            if self._keys_alone and packet.is_keyframe:
                natives += self._let_go(packet.time_base)
            return natives
        if packet.stream.type != "audio":
            return []
        try:
            return list(packet.decode())
        except (av.error.FFmpegError, ValueError):
            return [Undecodable(packet)]

    def _let_go(self, time_base: Any) -> list[Any]:
        """Returns the frames that the decoder keeps back to put them in order.

        Key frames alone are in order as they come; two kept back would be seconds late.
        """
        assert self._main is not None
        context = self._main.codec_context
        try:
            natives = list(context.decode(None))
        except (av.error.FFmpegError, ValueError):
            natives = []
        context.flush_buffers()
        for native in natives:
            native.time_base = time_base  # which only a packet gives them
        return natives
