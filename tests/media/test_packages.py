"""HLS and DASH packages on disk: the best variant with its sound, nothing outside the folder."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest
from made_packages import FPS, FRAMES, HLS, RATE_HZ, made

from defectscope import analyze
from defectscope.desk.inputs import expand
from defectscope.errors import MediaError, MediaNotFoundError, MediaRefusedError
from defectscope.findings import Finding
from defectscope.media import open_media
from defectscope.media.dash import dash_pieces
from defectscope.media.frames import Frame
from defectscope.media.hls import hls_pieces
from defectscope.media.package import open_package
from defectscope.media.proxy import write_proxy
from defectscope.report.html import render
from defectscope.report.playing import proxy_of


@pytest.fixture(scope="module")
def packages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    root = tmp_path_factory.mktemp("packages")
    found = {
        "segments": made(root / "ts" / "index.m3u8", "hls", HLS),
        "fragments": made(root / "fmp4" / "index.m3u8", "hls", {**HLS, "hls_segment_type": "fmp4"}),
        "one file": made(root / "one" / "index.m3u8", "hls", {**HLS, "hls_flags": "single_file"}),
        "dash": made(root / "dash" / "manifest.mpd", "dash", {"seg_duration": "1"}),
        "dash by number": made(
            root / "number" / "manifest.mpd", "dash", {"seg_duration": "1", "use_timeline": "0"}
        ),
        "dash in one file": made(
            root / "single" / "manifest.mpd", "dash", {"seg_duration": "1", "single_file": "1"}
        ),
    }
    found["dash in AV1"] = made(
        root / "av1" / "manifest.mpd", "dash", {"seg_duration": "1"}, codec="libsvtav1"
    )
    apart = root / "apart"
    made(apart / "low" / "v.m3u8", "hls", HLS, size=(32, 24), audio=False)
    made(apart / "high" / "v.m3u8", "hls", HLS, audio=False)
    made(apart / "sound" / "a.m3u8", "hls", HLS, video=False)
    found["sound apart"] = apart / "master.m3u8"
    found["sound apart"].write_text(
        "#EXTM3U\n"
        '#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="g",NAME="en",DEFAULT=YES,URI="sound/a.m3u8"\n'
        '#EXT-X-STREAM-INF:BANDWIDTH=900000,RESOLUTION=32x24,AUDIO="g"\nlow/v.m3u8\n'
        '#EXT-X-STREAM-INF:BANDWIDTH=800000,RESOLUTION=64x48,AUDIO="g"\nhigh/v.m3u8\n'
    )
    return found


KINDS = [
    "segments", "fragments", "one file", "dash", "dash by number", "dash in one file",
    "dash in AV1", "sound apart",
]  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
def test_every_frame_of_the_best_variant_comes_with_its_sound(
    packages: dict[str, Path], kind: str
) -> None:
    samples = 0
    levels: list[float] = []
    with open_package(packages[kind]) as file, open_media(file) as reader:
        video, audio = reader.info.video, reader.info.audio
        assert video is not None
        assert audio is not None
        assert (video.width, video.height, video.frame_rate) == (64, 48, FPS)
        for item in reader.read():
            if isinstance(item, Frame):
                levels.append(float(item.planes[0].pixels.mean()))
            else:
                samples += len(getattr(item, "data", ()))
    assert [round((level - 40) / 2) for level in levels] == list(range(FRAMES))
    assert samples == pytest.approx(4 * RATE_HZ, abs=4096)


def test_a_package_is_analyzed_by_its_path(
    packages: dict[str, Path], caplog: pytest.LogCaptureFixture
) -> None:
    path = packages["sound apart"]
    report = analyze(str(path), detectors="black_frames", start_s="00:00:01:00", workers=2)
    assert report.asset["uri"] == str(path)
    assert report.asset["video"]["width"] == 64
    assert f"{path}: a package is read by one process" in caplog.text
    # The playlist's own hash would say nothing of what it names.
    assert "sha256" not in report.asset


def test_a_page_of_a_package_shows_its_frames_and_plays_a_small_copy(
    packages: dict[str, Path], tmp_path: Path
) -> None:
    media = packages["sound apart"]
    page = tmp_path / "page.html"
    shown = Finding("freeze", "freeze", 1.0, 2.0, 0.9, "major")
    report = replace(analyze(str(media), detectors="black_frames"), findings=(shown,))
    write_proxy(media, proxy_of(page))
    text = render(report, media, page=page)
    assert '"at_s":1.5' in text.replace(" ", "")
    assert "page.proxy.mp4" in text
    with open_media(proxy_of(page)) as reader:
        assert reader.info.duration_s == pytest.approx(4.0, abs=0.2)


def test_a_folder_of_packages_is_an_asset_each(packages: dict[str, Path]) -> None:
    root = packages["segments"].parent.parent
    names = [item.name for item in expand([str(root)], recursive=True)]
    assert names == sorted(str(path.relative_to(root)) for path in packages.values())
    # A segment that is named itself is what was asked for.
    assert expand([str(root / "ts" / "index0.ts")])[0].name == "index0.ts"


MEDIA = "#EXTM3U\n#EXTINF:1,\n"


@pytest.mark.parametrize(
    "name",
    [
        "/etc/passwd", "file:///etc/passwd", "http://127.0.0.1/a.ts", "https://evil.example/a.ts",
        "../secret.ts", "%2e%2e/secret.ts", "a/../../secret.ts", "..\\secret.ts", "link.ts",
        "concat:a.ts|b.ts", "data:video/mp2t;base64,AAAA", "\\\\host\\share\\a.ts",
        "//evil.example/a.ts", "%2Fetc%2Fpasswd", "a%00.ts",
    ],
)  # fmt: skip
def test_a_playlist_reaches_nothing_outside_its_folder(tmp_path: Path, name: str) -> None:
    (tmp_path / "secret.ts").write_bytes(b"G" * 188)
    folder = tmp_path / "package"
    (folder / "a").mkdir(parents=True)
    (folder / "link.ts").symlink_to(tmp_path / "secret.ts")
    path = folder / "index.m3u8"
    for text in (
        MEDIA + name,
        f'#EXTM3U\n#EXT-X-MAP:URI="{name}"\n',
        f"#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\n{name}\n",
    ):
        path.write_text(text)
        with pytest.raises(MediaRefusedError):
            hls_pieces(path)
    manifest = folder / "manifest.mpd"
    base = f"<BaseURL>{name}</BaseURL>"
    manifest.write_text(
        f'<MPD><Period><AdaptationSet mimeType="video/mp4"><Representation id="1">{base}'
        "</Representation></AdaptationSet></Period></MPD>"
    )
    with pytest.raises(MediaError):
        dash_pieces(manifest)


def test_what_is_no_regular_file_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.ts")
    path = tmp_path / "index.m3u8"
    path.write_text(MEDIA + "pipe.ts")
    with pytest.raises(MediaNotFoundError, match=r"lacks pipe\.ts"):
        hls_pieces(path)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "not a playlist"),
        ("#EXTM3U\n", "names nothing"),
        ("#EXTM3U\n#EXT-X-KEY:METHOD=AES-128,URI=k\n#EXTINF:1,\na.ts", "encrypted"),
        ("#EXTM3U\n#EXT-X-BYTERANGE:x@y\na.ts", "byte range"),
        ("#EXTM3U\n#EXT-X-BYTERANGE:9999@0\na.ts", "shorter"),
        ("#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\nindex.m3u8", "names no segments"),
        ('#EXTM3U\n#EXT-X-MAP:URI="a.ts"\na.ts\n#EXT-X-MAP:URI="b.ts"\nb.ts', "more than one"),
        (MEDIA + "gone.ts", "lacks gone.ts"),
    ],
)
def test_a_broken_playlist_is_a_typed_error(tmp_path: Path, text: str, why: str) -> None:
    for name in ("a.ts", "b.ts"):
        (tmp_path / name).write_bytes(b"G" * 188)
    path = tmp_path / "index.m3u8"
    path.write_text(text)
    with pytest.raises(MediaError, match=why):
        open_package(path)


BOMB = '<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;">]>'


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "not XML"),
        ("<MPD>", "not XML"),
        (BOMB + "<MPD><Period>&b;</Period></MPD>", "document type"),
        ("<MPD/>", "0 periods"),
        ("<MPD><Period/><Period/></MPD>", "2 periods"),
        ("<MPD><Period/></MPD>", "no video and no sound"),
        (
            '<MPD><Period><AdaptationSet contentType="video"><ContentProtection/>'
            "</AdaptationSet></Period></MPD>",
            "encrypted",
        ),
        ('<SegmentTemplate media="$Number$.ts" duration="1"/>', "without a timeline"),
        ('<SegmentTemplate duration="1"/>', "without media"),
        ('<SegmentTemplate media="$Time$.ts"><SegmentTimeline><S d="0"/></SegmentTimeline>'
         "</SegmentTemplate>", "without a duration"),
        ('<SegmentTemplate media="$Nope$.ts" startNumber="-1"/>', "a number that is none"),
        ('<SegmentTemplate media="a.ts"><SegmentTimeline><S d="1" r="999999999"/>'
         "</SegmentTimeline></SegmentTemplate>", "more than"),
    ],
)  # fmt: skip
def test_a_broken_manifest_is_a_typed_error(tmp_path: Path, text: str, why: str) -> None:
    (tmp_path / "a.ts").write_bytes(b"G" * 188)
    path = tmp_path / "manifest.mpd"
    if text.startswith("<Segment"):
        text = (
            '<MPD><Period><AdaptationSet mimeType="video/mp4"><Representation id="1">'
            f"{text}</Representation></AdaptationSet></Period></MPD>"
        )
    path.write_text(text)
    with pytest.raises(MediaError, match=why):
        open_package(path)
