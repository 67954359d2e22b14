from __future__ import annotations

import pytest

from defectscope.errors import UnreadableMediaError
from defectscope.monitor.part_playlist import PartPlaylist, has_parts

URL = "https://h.example/live/x.m3u8?key=1"
HEAD = (
    "#EXTM3U\n#EXT-X-VERSION:9\n#EXT-X-TARGETDURATION:4\n#EXT-X-PART-INF:PART-TARGET=1.0\n"
    "#EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES,PART-HOLD-BACK=3.0\n#EXT-X-MEDIA-SEQUENCE:{}\n"
)


def part(name: str, more: str = "") -> str:
    return f'#EXT-X-PART:DURATION=1.0,URI="{name}"{more}\n'


def segment(name: str) -> str:
    return f"#EXTINF:4.0,\n{name}\n"


def addresses(playlist: PartPlaylist) -> list[str]:
    return [x for x in playlist.text().splitlines() if not x.startswith("#")]


def test_parts_are_told_as_segments_once_each() -> None:
    playlist = PartPlaylist()
    assert playlist.query() == ""
    first = HEAD.format(7) + segment("s7.ts") + part("s8.0.ts", ",INDEPENDENT=YES")
    assert has_parts(first)
    playlist.take(first + part("s8.1.ts"), URL)
    base = "https://h.example/live/"
    assert addresses(playlist) == [base + "s8.0.ts", base + "s8.1.ts"]
    assert playlist.query() == "_HLS_msn=8&_HLS_part=2"
    parts = part("s8.0.ts", ",INDEPENDENT=YES") + part("s8.1.ts") + part("s8.2.ts")
    later = HEAD.format(7) + segment("s7.ts") + parts + segment("s8.ts")
    playlist.take(later, URL)
    # The segment that the parts make up is none of its own.
    assert addresses(playlist) == [base + f"s8.{n}.ts" for n in range(3)]
    assert playlist.query() == "_HLS_msn=9&_HLS_part=0"
    hint = '#EXT-X-PRELOAD-HINT:TYPE=PART,URI="s9.1.ts"\n'
    playlist.take(HEAD.format(8) + parts + segment("s8.ts") + part("s9.0.ts") + hint, URL)
    assert addresses(playlist)[-1] == base + "s9.0.ts"
    assert playlist.text().count("#EXTINF:1.000000,") == 4
    assert "#EXT-X-MEDIA-SEQUENCE:0\n" in playlist.text()


def test_segments_without_parts_are_told_whole_and_what_was_told_is_not_repeated() -> None:
    playlist = PartPlaylist()
    playlist.take(HEAD.format(7) + part("s7.0.ts", ",INDEPENDENT=YES"), URL)
    # A reader that was away: the parts of segment 7 have gone from the list meanwhile.
    text = HEAD.format(7) + "".join(segment(f"s{n}.ts") for n in (7, 8, 9)) + part("s10.0.ts")
    playlist.take(text, URL)
    playlist.take(text, URL)
    names = [address.rsplit("/", 1)[1] for address in addresses(playlist)]
    assert names == ["s7.0.ts", "s8.ts", "s9.ts", "s10.0.ts"]


def test_only_the_newest_are_told_and_numbers_go_on() -> None:
    playlist = PartPlaylist()
    for count in range(1, 201):
        parts = "".join(part(f"s7.{n}.ts", ",INDEPENDENT=YES") for n in range(count))
        playlist.take(HEAD.format(7) + parts, URL)
    assert addresses(playlist)[-1].endswith("s7.199.ts")
    assert len(addresses(playlist)) == 60
    assert "#EXT-X-MEDIA-SEQUENCE:140\n" in playlist.text()


def test_sections_ranges_and_breaks_are_handed_on() -> None:
    playlist = PartPlaylist()
    text = HEAD.format(3) + '#EXT-X-MAP:URI="init.mp4",BYTERANGE="700@0"\n'
    text += part("s3.mp4", ',BYTERANGE="100@0",INDEPENDENT=YES') + part("s3.mp4", ',BYTERANGE="50"')
    text += part("s3.mp4", ',BYTERANGE="9@150",GAP=YES') + segment("s3.mp4")
    text += "#EXT-X-DISCONTINUITY\n" + part("s4.mp4", ',BYTERANGE="10@0"')
    playlist.take(text, URL)
    lines = playlist.text().splitlines()
    assert '#EXT-X-MAP:URI="https://h.example/live/init.mp4",BYTERANGE="700@0"' in lines
    spans = [x.partition(":")[2] for x in lines if x.startswith("#EXT-X-BYTERANGE")]
    assert spans == ["100@0", "50@100", "10@0"]
    at = lines.index("#EXT-X-DISCONTINUITY")
    assert lines[-1].endswith("s4.mp4")
    assert lines[at - 1].endswith("s3.mp4")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "not a playlist"),
        (HEAD.format("x"), "number"),
        (HEAD.format(1) + part("file:///etc/passwd"), "address of the web"),
        (HEAD.format(1) + segment("http://[x/a.ts"), "address of the web"),
        (HEAD.format(1) + '#EXT-X-PART:DURATION=nan,URI="a.ts"\n', "number"),
        (HEAD.format(1) + part("a.ts", ',BYTERANGE="-5@0"'), "number"),
        (HEAD.format(1) + '#EXT-X-KEY:METHOD=AES-128,URI="k"\n' + part("a.ts"), "encrypted"),
        (HEAD.format(1) + part("a.ts") * 20_001, "more than"),
    ],
)
def test_what_is_no_playlist_of_parts_is_refused(text: str, words: str) -> None:
    with pytest.raises(UnreadableMediaError, match=words):
        PartPlaylist().take(text, URL)


def test_a_server_that_counts_anew_ends_it() -> None:
    playlist = PartPlaylist()
    playlist.take(HEAD.format(70) + part("s70.0.ts"), URL)
    with pytest.raises(UnreadableMediaError, match="anew"):
        playlist.take(HEAD.format(1) + part("s1.0.ts"), URL)


def test_the_end_is_told() -> None:
    playlist = PartPlaylist()
    playlist.take(HEAD.format(70) + segment("s70.ts") + "#EXT-X-ENDLIST\n", URL)
    assert playlist.text().endswith("#EXT-X-ENDLIST\n")
    assert playlist.query() == ""
