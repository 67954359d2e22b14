"""The command line: exit statuses, one-line errors with codes, and where reports go."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from defectscope.cli.main import main
from defectscope.findings import Report

SPINE = "black_frames,freeze,audio_dropout"


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    status = main(arguments)
    captured = capsys.readouterr()
    return status, captured.out, captured.err


def test_findings_are_shown_and_written(
    impaired_clip: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    target, page = tmp_path / "new" / "report.json", tmp_path / "report.html"
    status, out, _ = run(
        capsys,
        *("analyze", str(impaired_clip), "--detectors", SPINE),
        *("--json", str(target), "--html", str(page)),
    )
    assert status == 0
    assert "black_frames" in out
    assert "00:00:02:00" in out
    report = Report.from_dict(json.loads(target.read_text()))
    assert {f.defect for f in report.findings} == set(SPINE.split(","))
    assert page.read_text().startswith("<!doctype html>")


def test_json_to_standard_output_is_nothing_but_json(
    impaired_clip: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _, out, err = run(capsys, "analyze", str(impaired_clip), "--detectors", "freeze", "--json", "-")
    assert json.loads(out)["schema"] == "defectscope/report/1"
    assert "freeze" in err


@pytest.mark.parametrize(("bound", "status"), [("major", 1), ("critical", 0)])
def test_fail_on(
    impaired_clip: Path, capsys: pytest.CaptureFixture[str], bound: str, status: int
) -> None:
    found, _, _ = run(
        capsys, "analyze", str(impaired_clip), "--detectors", "black_frames", "--fail-on", bound
    )
    assert found == status


def test_one_bad_medium_does_not_stop_the_others(
    impaired_clip: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bad = tmp_path / "bad.mp4"
    bad.write_text("this is text")
    folder = tmp_path / "reports"
    status, _, err = run(
        capsys,
        *("analyze", str(bad), str(impaired_clip), "--detectors", "freeze"),
        *("--json", str(folder)),
    )
    assert status == 3
    assert {p.name for p in folder.iterdir()} == {"impaired.mp4.json", "index.html"}
    assert err.count("error[") == 1
    assert err.startswith("defectscope: error[unreadable_media]: ")


@pytest.mark.parametrize(
    ("arguments", "status", "code"),
    [
        (["analyze", "{clip}", "--detectors", "freze"], 2, "unknown_detector"),
        (["analyze", "{clip}", "--set", "loudness.target=1"], 2, "invalid_parameter"),
        (["analyze", "{clip}", "--set", "nonsense"], 2, "invalid_parameter"),
        (["analyze", "{clip}", "--start", "5", "--end", "4"], 2, "invalid_parameter"),
        (["analyze", "{clip}", "--workers", "0"], 2, "invalid_parameter"),
        (["analyze", "/no/such/file.mp4"], 3, "media_not_found"),
        (["analyze", "http://127.0.0.1/film.mp4"], 3, "media_refused"),
        (["report", "/no/such/report.json"], 2, "invalid_parameter"),
    ],
)
def test_mistakes_get_one_line_and_a_code(
    impaired_clip: Path,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    status: int,
    code: str,
) -> None:
    found, _, err = run(capsys, *(a.format(clip=impaired_clip) for a in arguments))
    assert found == status
    assert err.startswith(f"defectscope: error[{code}]: ")
    assert err.count("\n") == 1
    assert "Traceback" not in err


def test_settings_reach_the_detector(
    impaired_clip: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _, out, _ = run(
        capsys,
        *("analyze", str(impaired_clip), "--detectors", "freeze", "--json", "-"),
        *("--set", "freeze.min_duration_s=3.0"),
    )
    report = json.loads(out)
    assert report["detectors"]["freeze"]["parameters"]["min_duration_s"] == 3.0
    assert report["findings"] == []


def test_sound_alone_is_not_applicable_to_a_video_detector(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    import numpy as np
    import soundfile

    path = tmp_path / "tone.wav"
    soundfile.write(path, np.zeros(4800, np.float32), 48000)
    status, out, _ = run(capsys, "analyze", str(path), "--detectors", "freeze", "--json", "-")
    assert status == 0
    assert json.loads(out)["verdicts"]["freeze"]["verdict"] == "not_applicable"


def test_every_detector_is_listed(capsys: pytest.CaptureFixture[str]) -> None:
    from defectscope.detectors import names

    status, out, _ = run(capsys, "detectors")
    assert status == 0
    for name in names():
        assert name in out


def test_help_teaches(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--help"])
    assert ended.value.code == 0
    out = capsys.readouterr().out
    assert "exit status" in out
    assert "defectscope analyze film.mp4" in out


def test_files_of_one_name_keep_their_folders_and_are_resumed(
    impaired_clip: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("one/a.mp4", "two/a.mp4"):
        (tmp_path / "in" / name).parent.mkdir(parents=True)
        (tmp_path / "in" / name).write_bytes(impaired_clip.read_bytes())
    out = tmp_path / "out"
    line = ("analyze", str(tmp_path / "in"), "--recursive", "--detectors", "freeze")
    line += ("--json", str(out), "--csv", str(tmp_path / "all.csv"), "--resume")
    status, said, _ = run(capsys, *line)
    assert status == 0
    assert "2 files: 2 FAIL; 2 findings" in said
    assert sorted(p.relative_to(out).as_posix() for p in out.rglob("*.*")) == [
        *("index.html", "one/a.mp4.json", "two/a.mp4.json")
    ]
    assert (tmp_path / "all.csv").read_text().count("freeze,freeze") == 2
    before = (out / "one" / "a.mp4.json").stat().st_mtime_ns
    status, said, err = run(capsys, *line)
    assert "2 files: 2 FAIL; 2 findings" in said
    assert "wrote " + str(out / "one") not in err
    assert (out / "one" / "a.mp4.json").stat().st_mtime_ns == before


def test_outputs_are_tried_before_anything_is_analyzed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("x")
    status, _, err = run(
        capsys, "analyze", str(tmp_path / "file"), "--csv", str(tmp_path / "file" / "a.csv")
    )
    assert status == 2
    assert "unreadable_media" not in err
    status, _, err = run(capsys, "analyze", "a.mov", "--markers", "a.docx")
    assert status == 2
    assert ".ale" in err


def test_what_an_endpoint_cannot_do_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    for option in (("--workers", "2"), ("--waivers", "w.toml")):
        status, _, err = run(capsys, "analyze", "a.mov", "--endpoint", "e", *option)
        assert (status, option[0] in err) == (2, True)


@pytest.mark.parametrize(
    ("words", "meant"),
    [
        ("analyse x.mp4", "analyze"),
        ("analyze x.mp4 --fail-on majr", "major"),
        ("analyze x.mp4 --htmll y", "--html"),
        ("analyze {clip} --detectors fleeze", "freeze"),
        ("analyze {clip} --detectors blokiness", "compression_blockiness"),
        ("analyze {clip} --profile ebu_r128", "ebu-r128"),
        ("analyze {clip} --detectors freeze --set freze.min_frames=3", "freeze"),
        ("analyze {clip} --detectors freeze --set freeze.min_frame=3", "min_frames"),
        ("simulate black_frame {clip} b.mp4", "black_frames"),
    ],
)
def test_it_says_what_was_meant(
    impaired_clip: Path, words: str, meant: str, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = [word.format(clip=impaired_clip) for word in words.split()]
    try:
        status = main(arguments)
    except SystemExit as ended:
        status = ended.code
    assert status == 2
    assert f"did you mean {meant!r}?" in capsys.readouterr().err


SLEEPY = """
import ctypes, sys, threading, time
from defectscope.cli import analyze, main
def run(arguments):
    threading.Thread(target=time.sleep, args=(30,)).start()
    print("ready", flush=True)
    # Native code that does not come back for a signal.
    ctypes.CDLL(None).usleep(20_000_000)
analyze.run = run
sys.exit(main.main(["analyze", "x.mp4"]))
"""


def test_ctrl_c_ends_at_once_whatever_it_waits_for() -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", SLEEPY], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    time.sleep(0.2)
    began_s = time.monotonic()
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=19)
    # Half the time that the native code would take: a busy machine is not a failure.
    assert time.monotonic() - began_s < 10
    assert process.returncode == 130
    assert err == "defectscope: interrupted\n"


def test_the_package_runs_as_a_module() -> None:
    """Where the scripts of an environment are not on the path, `python -m` is what one tries."""
    done = subprocess.run(
        [sys.executable, "-m", "defectscope", "detectors", "freze"],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 2
    assert "freeze" in done.stderr
