from __future__ import annotations

import contextlib
import io
import json
import os
import signal
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import psutil
import pytest
import torch

from defectscope.container import prepare_java, process_guard
from defectscope.container.frontend_config import ServerConfig
from defectscope.container.java import (
    COMPILER_OPTIONS,
    frontend_jar,
    java_command,
    java_executable,
)
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


def again(archive: Path, target: Path, **changed: str) -> Path:
    """An archive with other contents of some of its files, by their first words."""
    with zipfile.ZipFile(archive) as old, zipfile.ZipFile(target, "w") as new:
        for name in old.namelist():
            new.writestr(
                name, changed.pop(name.partition(".")[0].replace("-", "_"), old.read(name))
            )
        for name, text in changed.items():
            new.writestr(name.replace("__", "/") + ".py", text)
    return target


@pytest.mark.slow
def test_further_workers_come_when_the_first_one_answers(echo_mar, tmp_path):
    config = "minWorkers: 1\nmaxWorkers: 3\nbatchSize: 1\nmaxBatchDelay: 0\n"
    archive = again(echo_mar, tmp_path / "echo.mar", model_config=config)
    with TorchServe(archive) as server:
        server.wait_ready(120)
        assert len(server.workers()) == 1
        server.scale()
        # It answers meanwhile.
        assert post(server, b"some text") == b"SOME TEXT"
        server.wait_ready(60, workers=3)
        assert len(server.workers()) == 3


@pytest.mark.slow
@pytest.mark.parametrize("ours", [True, False])
def test_pytorch_is_loaded_when_it_is_used(echo_mar, tmp_path, ours):
    handler = (Path(__file__).parent / "echo" / "handler.py").read_text()
    tensor = 'if command == "tensor":\n            import torch\n            return torch.ones(2)\n'
    handler = handler.replace('if command == "sleep"', f'{tensor}        if command == "sleep"')
    handler = handler.replace("return answers", "return [answers[0]]")
    marker = {"defectscope__serving__handover": ""} if ours else {}
    archive = again(echo_mar, tmp_path / "echo.mar", handler=handler, **marker)
    with TorchServe(archive) as server:
        server.wait_ready(120)
        assert (server.body_folder is not None) is ours
        assert post(server, b"some text") == b"SOME TEXT"

        def loaded() -> list[bool]:
            pids = [worker["pid"] for worker in server.workers()]
            return [b"libtorch" in Path(f"/proc/{pid}/maps").read_bytes() for pid in pids]

        # What others wrote may count on it from the start.
        assert loaded() == [not ours] * 2
        if ours:
            # A tensor is answered as TorchServe does it, by PyTorch itself.
            answer = post(server, b"tensor")
            assert torch.load(io.BytesIO(answer)).tolist() == [1.0, 1.0]
            assert sorted(loaded()) == [False, True]


@pytest.mark.slow
def test_java_reads_its_classes_from_the_file_that_an_image_brings(echo_mar, tmp_path, monkeypatch):
    classes = tmp_path / "classes.jsa"
    assert prepare_java.main([str(classes)]) == 0
    command = [str(java_executable()), "-Xshare:on", f"-XX:SharedArchiveFile={classes}"]
    command += [*COMPILER_OPTIONS, "-cp", str(frontend_jar()), "-version"]
    # With -Xshare:on Java ends when the file does not fit.
    assert subprocess.run(command, capture_output=True).returncode == 0
    monkeypatch.setenv("DEFECTSCOPE_JAVA_CLASSES", str(classes))
    with TorchServe(echo_mar) as server:
        server.wait_ready(120)
        java = next(p for p in family(server.pid) if p.name() == "java")
        assert str(classes) in Path(f"/proc/{java.pid}/maps").read_text()
        assert post(server, b"some text") == b"SOME TEXT"


def test_a_file_of_classes_that_is_not_there_is_not_named(tmp_path, monkeypatch):
    monkeypatch.setenv("DEFECTSCOPE_JAVA_CLASSES", str(tmp_path / "none"))
    paths = {name: tmp_path for name in ("config_path", "log_config_path", "model_store")}
    command = java_command(**paths, model_name="m", temp_dir=tmp_path)
    assert not any("SharedArchiveFile" in word for word in command)


def test_preparing_java_wants_a_file(tmp_path, monkeypatch, capsys):
    assert prepare_java.main([]) == 2
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))
    assert prepare_java.main([str(tmp_path / "classes")]) == 1
    assert "no Java at" in capsys.readouterr().err


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
