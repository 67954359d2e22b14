"""Opens media: finds out what is in it, and returns what decodes it."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from functools import cache, partial
from typing import Any

from defectscope.errors import UnreadableMediaError
from defectscope.media.captions.clock import on_programme_clock
from defectscope.media.continuity import is_sent, runs_through, seems_to_run_through
from defectscope.media.cues import Captions
from defectscope.media.lengths import lacks_index
from defectscope.media.limits import Limits
from defectscope.media.probe import Choice, Probed, probe
from defectscope.media.programmes import programmes
from defectscope.media.ranged import RangedFile
from defectscope.media.reader import Reader
from defectscope.media.source import MediaLike, display_name, head_of, open_container, peek
from defectscope.media.stream import StreamInfo


def open_media(
    media: MediaLike,
    *,
    limits: Limits | None = None,
    captions: Captions | None = None,
    uri: str | None = None,
    choice: Choice | None = None,
    continuous: bool = False,
) -> Reader:
    """Opens media and learns what is in it.

    Args:
        media: A local path, the bytes themselves, or a seekable binary file object.
        limits: Bounds on size; defaults apply where None.
        captions: Side-car captions, already parsed.
        uri: The name to report; the path or file name where None.
        choice: Which programme, and how sound tracks form a layout; guessed where None.
        continuous: Time stamps are known to go on; otherwise that is looked into before a part of
            a stream with a sender's clock is read.

    Raises:
        MediaNotFoundError: There is no such file.
        MediaTooLargeError: A limit is exceeded.
        UnreadableMediaError: There is no sound and no frame that can be decoded.
        InvalidParameterError: The choice makes no sense for this media.
    """
    limits = limits or Limits()
    name = uri or display_name(media)

    def opened() -> Any:
        return open_container(media, limits)

    try:
        first = opened()
    except UnreadableMediaError:
        head, size = peek(media)
        if not lacks_index(head, size):
            raise
        # The frames may all be there, but nothing says where each begins.
        cut = StreamInfo(name, "mov,mp4,m4a,3gp,3g2,mj2", 0.0, None, None, cut_short="moov")
        return Reader(opened, Probed(cut, Fraction(0)), limits, captions)
    try:
        head = head_of(media)
        probed = probe(
            first,
            opened,
            name,
            limits,
            has_captions=captions is not None,
            choice=choice or Choice(),
            programmes=programmes(head),
            head=head,
        )
        info = probed.info
        if info.video is None and info.audio is None:
            why = "; ".join(f"track {t.index}: {t.reason}" for t in info.tracks if t.reason)
            detail = f" ({why})" if why else ""
            raise UnreadableMediaError(f"{name}: no video and no sound that can be decoded{detail}")
    except BaseException:
        first.close()
        raise
    if captions is not None:
        captions = on_programme_clock(captions, info)
    # Opening decodes a little every time: the container that nothing was read from is read first.
    unread = [first]

    def opened_for_reading() -> Any:
        return unread.pop() if unread else opened()

    if continuous or not is_sent(info.container):
        return Reader(opened_for_reading, probed, limits, captions)
    runs_on: Callable[[], bool] = partial(runs_through, opened)
    if isinstance(media, RangedFile):
        runs_on = partial(seems_to_run_through, media)
    return Reader(opened_for_reading, probed, limits, captions, cache(runs_on))
