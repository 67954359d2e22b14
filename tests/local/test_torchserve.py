from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from defectscope.container import process_guard
from defectscope.container.frontend_config import ServerConfig
from defectscope.container.torchserve import TorchServe
from defectscope.errors import ServingError


def config(**changes) -> ServerConfig:
    addresses = {
        name: f"unix:/run/{name}"
        for name in ("inference_address", "management_address", "metrics_address")
    }
    ports = {"grpc_inference_port": 1, "grpc_management_port": 2}
    return ServerConfig(model_store=Path("/srv/store"), **{**addresses, **ports, **changes})


def test_one_setting_limits_requests_and_responses():
    lines = config(max_body_bytes=7).properties().splitlines()
    assert "max_request_size=7" in lines
    assert "max_response_size=7" in lines
    assert "disable_token_authorization=true" in lines
    assert "decode_input_request=false" in lines


def test_a_setting_with_a_line_break_is_refused():
    with pytest.raises(ServingError, match="line break"):
        config(inference_address="http://0.0.0.0:8080\nload_models=ALL").properties()


@pytest.mark.parametrize("name", ["model.zip", "a b.mar", ".mar", "-x.mar"])
def test_odd_archive_names_are_refused(tmp_path, name):
    (tmp_path / name).touch()
    with pytest.raises(ServingError):
        TorchServe(tmp_path / name)


def family(pid: int) -> list[psutil.Process]:
    return [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)]


def all_gone(processes: list[psutil.Process], within_s: float = 5.0) -> bool:
    _, alive = psutil.wait_procs(processes, timeout=within_s)
    return all(process.status() == psutil.STATUS_ZOMBIE for process in alive)


@pytest.mark.parametrize("how", ["end of input", "SIGTERM", "parent killed"])
def test_the_guard_ends_the_whole_group_and_its_folder(tmp_path, how):
    folder = tmp_path / "private"
    folder.mkdir()
    # The command ignores SIGTERM and has a child of its own.
    stubborn = "import signal,subprocess,sys,time; signal.signal(15, signal.SIG_IGN); "
    stubborn += "subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)']); "
    stubborn += "print('up', flush=True); time.sleep(60)"
    command = [sys.executable, "-I", "-S", process_guard.__file__, "--remove", str(folder)]
    command += ["--grace", "0.3", "--", sys.executable, "-c", stubborn]
    parent = None
    if how == "parent killed":
        script = "import subprocess,sys,time; p = subprocess.Popen(sys.argv[1:], stdin=-1); "
        script += "print(p.pid, flush=True); time.sleep(60)"
        parent = subprocess.Popen(
            [sys.executable, "-c", script, *command], stdout=subprocess.PIPE, start_new_session=True
        )
        guard_pid = int(parent.stdout.readline())
        guard = parent
    else:
        guard = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        guard_pid = guard.pid
    assert guard.stdout.readline() == b"up\n"
    deadline = time.monotonic() + 5
    while len(processes := family(guard_pid)) < 3 and time.monotonic() < deadline:
        time.sleep(0.02)
    assert len(processes) == 3
    if how == "end of input":
        guard.stdin.close()
    elif how == "SIGTERM":
        guard.send_signal(signal.SIGTERM)
    else:
        parent.kill()
    guard.wait(10)
    assert all_gone(processes)
    assert not folder.exists()
    guard.stdout.close()
    if guard.stdin:
        guard.stdin.close()


def test_the_guard_reports_how_the_command_ended():
    command = [sys.executable, "-I", "-S", process_guard.__file__, "--"]
    for code, status in (("raise SystemExit(3)", 3), ("import os; os.kill(os.getpid(), 9)", 137)):
        with subprocess.Popen(
            [*command, sys.executable, "-c", code], stdin=subprocess.PIPE
        ) as guard:
            assert guard.wait(10) == status


def post(server: TorchServe, body: bytes) -> bytes:
    with contextlib.closing(server.connect(30.0)) as connection:
        connection.request("POST", "/invocations", body, {"Content-Type": "text/plain"})
        return connection.getresponse().read()


@pytest.mark.slow
def test_a_server_predicts_when_it_is_ready_and_leaves_nothing(echo_mar, monkeypatch):
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "the caller's own")
    with TorchServe(echo_mar, environment={"ECHO_GREETING": "hello"}) as server:
        server.wait_ready(120)
        assert post(server, b"some text") == b"SOME TEXT"
        assert post(server, b"env ECHO_GREETING") == b"hello"
        # The caller's credentials are not the model's.
        assert post(server, b"env AWS_SECRET_ACCESS_KEY") == b""
        assert json.loads(post(server, b"headers"))["content-type"] == "text/plain"
        assert len(server.workers()) == 2
        server.scale(3)
        server.wait_ready(60, workers=3)
        assert [worker["status"] for worker in server.workers()] == ["READY"] * 3
        processes = family(server.pid)
        home = server._home
        assert home.is_dir()
    assert not server.running
    assert all_gone(processes)
    assert not home.exists()


@pytest.mark.slow
def test_what_java_could_not_hold_is_refused_and_not_tried(echo_mar):
    with TorchServe(echo_mar, heap_mb=64, max_body_bytes=1 << 30) as server:
        server.wait_ready(120)
        largest = server.max_body_bytes
        assert largest == 64 * 1024 * 1024 // 5
        for size, status in ((largest, 200), (largest + 1, 413)):
            body = b"large 10".ljust(size)
            with contextlib.closing(server.connect(120.0)) as connection:
                headers = {"Content-Type": "application/octet-stream"}
                with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                    connection.request("POST", "/invocations", body, headers)
                assert connection.getresponse().status == status


@pytest.mark.slow
def test_a_broken_archive_is_told_by_its_log(tmp_path):
    (tmp_path / "broken.mar").write_bytes(b"no zip")
    with TorchServe(tmp_path / "broken.mar") as server, pytest.raises(ServingError) as caught:
        server.wait_ready(60)
    assert str(caught.value)
    assert not Path(f"/proc/{server.pid}").exists() or os.name != "posix"
