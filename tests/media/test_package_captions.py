"""Captions that go with HLS and DASH packages: which, on whose clock, and each only once."""

from __future__ import annotations

from pathlib import Path

import pytest
from made_fragments import VTTE, fragment, initialisation, ttml_entry, vttc, webvtt_entry
from made_packages import HLS, made

from defectscope import analyze
from defectscope.errors import CaptionsError, MediaError
from defectscope.media import open_media
from defectscope.media.cues import Captions
from defectscope.media.package_captions import captions_with, read_package_captions
from defectscope.media.sidecar import read_captions
from defectscope.media.source import resolved


def shown(captions: Captions | None) -> list[tuple[float, float, str]]:
    assert captions is not None
    return [(round(c.start_s, 3), round(c.end_s, 3), " ".join(c.lines)) for c in captions.cues]


def on_clock(path: Path) -> list[tuple[float, float, str]]:
    side = read_captions(str(path))
    with resolved(str(path)) as source, open_media(source, captions=side) as reader:
        return shown(reader.captions)


@pytest.fixture(scope="module")
def streams(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An HLS package of transport streams, and one whose sound lies apart; no captions yet."""
    root = tmp_path_factory.mktemp("captioned")
    made(root / "v" / "v.m3u8", "hls", HLS)
    made(root / "silent" / "v.m3u8", "hls", HLS, audio=False)
    made(root / "sound" / "a.m3u8", "hls", HLS, video=False)
    return root


def first_s(path: Path) -> float:
    with resolved(str(path)) as source, open_media(source) as reader:
        return reader.info.video_start_s


def hls(root: Path, name: str, texts: list[str], variant: str = "v/v.m3u8", more: str = "") -> Path:
    """A master playlist with captions in segments."""
    folder = root / name
    folder.mkdir(exist_ok=True)
    lines = ["#EXTM3U"]
    for number, text in enumerate(texts):
        (folder / f"{number}.vtt").write_text(text)
        lines += ["#EXTINF:2,", f"{number}.vtt"]
    (folder / "subs.m3u8").write_text("\n".join(lines))
    sound = ',AUDIO="s"' if more else ""
    master = root / f"{name}.m3u8"
    master.write_text(
        "#EXTM3U\n"
        '#EXT-X-MEDIA:TYPE=SUBTITLES,GROUP-ID="t",NAME="signs",FORCED=YES,URI="gone.m3u8"\n'
        '#EXT-X-MEDIA:TYPE=SUBTITLES,GROUP-ID="other",NAME="x",DEFAULT=YES,URI="gone.m3u8"\n'
        f'#EXT-X-MEDIA:TYPE=SUBTITLES,GROUP-ID="t",NAME="en",URI="{name}/subs.m3u8"\n{more}'
        f'#EXT-X-STREAM-INF:BANDWIDTH=1,SUBTITLES="t"{sound}\n{variant}\n'
    )
    return master


def test_segments_of_webvtt_lie_on_the_streams_clock(streams: Path) -> None:
    begins = round(first_s(streams / "v" / "v.m3u8") * 90_000)
    head = f"WEBVTT\nX-TIMESTAMP-MAP=MPEGTS:{begins},LOCAL:00:00:00.000\n\n"
    # The cue in the middle is in both segments; the second maps its own times.
    later = f"WEBVTT\nX-TIMESTAMP-MAP=MPEGTS:{begins + 180_000},LOCAL:00:00:00.000\n\n"
    path = hls(
        streams,
        "mapped",
        [
            head + "00:00.500 --> 00:01.000\nOne\n\n00:01.500 --> 00:02.500\nTwo\n",
            "",
            head + "00:01.500 --> 00:02.500\nTwo\n",
            later + "00:01.000 --> 00:01.500\nThree\n",
        ],
    )
    wanted = [(0.5, 1.0, "One"), (1.5, 2.5, "Two"), (3.0, 3.5, "Three")]
    assert on_clock(path) == wanted


def test_the_clock_holds_where_the_sound_lies_apart(streams: Path) -> None:
    begins = round(first_s(streams / "silent" / "v.m3u8") * 90_000)
    text = f"WEBVTT\nX-TIMESTAMP-MAP=MPEGTS:{begins},LOCAL:00:00:00.000\n\n"
    sound = '#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="s",NAME="en",URI="sound/a.m3u8"\n'
    path = hls(
        streams,
        "apart",
        [text + "00:00.500 --> 00:01.000\nOne\n"],
        variant="silent/v.m3u8",
        more=sound,
    )
    (start_s, end_s, text_of), *others = on_clock(path)
    assert (start_s, end_s) == pytest.approx((0.5, 1.0), abs=0.002)
    assert (text_of, others) == ("One", [])


def test_an_analysis_of_a_package_reads_its_captions(streams: Path) -> None:
    cues = "WEBVTT\n\n00:00.500 --> 00:02.500\nOne\n\n00:01.000 --> 00:02.000\nAcross it\n"
    path = hls(streams, "analyzed", [cues])
    report = analyze(str(path), detectors="caption_quality")
    assert "caption_overlap" in {finding.defect for finding in report.findings}
    other = streams / "none.srt"
    other.write_text("1\n00:00:00,500 --> 00:00:02,500\nOne\n")
    report = analyze(str(path), detectors="caption_quality", captions=str(other))
    assert "caption_overlap" not in {finding.defect for finding in report.findings}


def test_a_package_without_captions_has_none(streams: Path) -> None:
    path = streams / "v" / "v.m3u8"
    assert captions_with(str(path)) is None
    assert captions_with(b"bytes") is None
    with pytest.raises(CaptionsError, match="no captions"):
        read_package_captions(path)
    report = analyze(str(path), detectors="caption_quality")
    assert report.verdicts["caption_quality"]["verdict"] == "not_applicable"


def test_what_is_missing_or_outside_is_said(streams: Path) -> None:
    path = hls(streams, "broken", ["WEBVTT\n"])
    (streams / "broken" / "0.vtt").unlink()
    with pytest.raises(MediaError, match=r"lacks 0\.vtt"):
        analyze(str(path), detectors="black_frames")
    (streams / "broken" / "subs.m3u8").write_text("#EXTM3U\n#EXTINF:1,\n/etc/passwd")
    with pytest.raises(MediaError, match="elsewhere"):
        captions_with(str(path))


TTML = (
    '<?xml version="1.0" encoding="UTF-8"?><tt xmlns="http://www.w3.org/ns/ttml" xml:lang="en">'
    '<body><div><p begin="{}s" end="{}s">{}</p></div></body></tt>'
)


def dash(root: Path, name: str, subtitles: str) -> Path:
    """A manifest of FFmpeg's with an adaptation set of captions after its own."""
    path = made(root / name / "manifest.mpd", "dash", {"seg_duration": "1"})
    text = path.read_text().replace("</Period>", subtitles + "</Period>")
    path.write_text(text)
    return path


def fragments(root: Path, entry: bytes, samples: list[list[tuple[int, bytes]]]) -> None:
    """Fragments of two seconds each, in one file after the initialisation section."""
    raw = b"".join(fragment(k + 1, 2000 * k, part) for k, part in enumerate(samples))
    (root / "captions.mp4").write_bytes(initialisation(entry) + raw)


def of_mp4(codec: str) -> str:
    return (
        f'<AdaptationSet mimeType="application/mp4" codecs="{codec}" lang="en">'
        '<Representation id="t" bandwidth="1"><BaseURL>captions.mp4</BaseURL></Representation>'
        "</AdaptationSet>"
    )


def test_fragments_of_ttml_show_each_caption_once(tmp_path: Path) -> None:
    path = dash(tmp_path, "ttml", of_mp4("stpp.ttml.im1t"))
    whole = TTML.format(1.5, 2.5, "Across the edge").encode()
    later = TTML.format(3.0, 3.5, "Later").encode()
    fragments(path.parent, ttml_entry(), [[(2000, whole)], [(1000, whole), (1000, later)]])
    assert on_clock(path) == [(1.5, 2.5, "Across the edge"), (3.0, 3.5, "Later")]
    assert analyze(str(path), detectors="caption_quality").verdicts["caption_quality"][
        "verdict"
    ] in ("pass", "warn", "fail", "inconclusive")


def test_fragments_of_webvtt_show_each_caption_once(tmp_path: Path) -> None:
    path = dash(tmp_path, "wvtt", of_mp4("wvtt"))
    both = vttc("Across the <i>edge</i>") + vttc("Below")
    fragments(
        path.parent,
        webvtt_entry(),
        [[(1500, VTTE), (500, vttc("Across the <i>edge</i>"))], [(500, both), (1500, VTTE)]],
    )
    assert on_clock(path) == [(1.5, 2.5, "Across the edge"), (2.0, 2.5, "Below")]


@pytest.mark.parametrize(
    ("kind", "name", "text"),
    [
        ("text/vtt", "c.vtt", "WEBVTT\n\n00:01.000 --> 00:02.000\nOne\n"),
        ("application/ttml+xml", "c.ttml", TTML.format(1, 2, "One")),
    ],
)
def test_a_file_of_captions_in_a_manifest(tmp_path: Path, kind: str, name: str, text: str) -> None:
    forced = '<Role schemeIdUri="urn:mpeg:dash:role:2011" value="forced-subtitle"/>'
    set_of = (
        '<AdaptationSet mimeType="{}">{}<Representation id="t" bandwidth="1"><BaseURL>{}</BaseURL>'
        "</Representation></AdaptationSet>"
    )
    both = set_of.format(kind, forced, "gone.vtt") + set_of.format(kind, "", name)
    path = dash(tmp_path, "file", both)
    (path.parent / name).write_text(text)
    assert on_clock(path) == [(1.0, 2.0, "One")]


def test_damaged_fragments_are_a_typed_error(tmp_path: Path) -> None:
    path = dash(tmp_path, "bad", of_mp4("wvtt"))
    (path.parent / "captions.mp4").write_bytes(b"\0\0\0\x08free" * 40)
    with pytest.raises((CaptionsError, MediaError)):
        read_package_captions(path)
    # A box that claims to have no length ends the sample.
    fragments(path.parent, webvtt_entry(), [[(2000, b"\0\0\0\0vttc" + vttc("never"))]])
    assert read_package_captions(path).cues == ()
