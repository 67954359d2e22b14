from __future__ import annotations

import signal
import subprocess
import sys
import time
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest

from defectscope.errors import InvalidParameterError, LocalError
from defectscope.local import LocalSageMaker, LocalSettings, down, env, status, up
from defectscope.local.processes import default_home


@pytest.fixture
def home(tmp_path):
    folder = tmp_path / "state" / "local"
    yield folder
    down(home=folder)


def family(pid: int) -> list[psutil.Process]:
    return [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)]


def gone(processes: list[psutil.Process], within_s: float = 10.0) -> bool:
    _, alive = psutil.wait_procs(processes, timeout=within_s)
    return all(process.status() == psutil.STATUS_ZOMBIE for process in alive)


def test_up_env_status_and_down(home):
    assert status(home=home) is None
    state = up(home=home)
    with urllib.request.urlopen(state.endpoint_url + "/_defectscope/status") as answer:
        assert answer.status == 200
    assert home.stat().st_mode & 0o077 == 0
    assert up(home=home) == state
    variables = env(home=home)
    assert variables["AWS_ENDPOINT_URL"] == state.endpoint_url
    assert variables["AWS_REGION"] == variables["AWS_DEFAULT_REGION"] == "us-east-1"
    found = status(home=home)
    assert found is not None
    assert found.endpoints == {}
    assert found.processes >= 3
    processes = family(state.pid)
    assert down(home=home)
    assert gone(processes)
    assert not home.exists()
    assert not down(home=home)
    with pytest.raises(LocalError, match="not running"):
        env(home=home)


def test_down_cleans_up_after_a_kill(home):
    state = up(home=home)
    processes = family(state.pid)
    psutil.Process(state.pid).kill()
    assert gone(processes)
    assert status(home=home) is None
    assert home.exists()
    assert down(home=home)
    assert not home.exists()


def test_up_replaces_one_that_was_killed(home):
    first = up(home=home)
    psutil.Process(first.pid).kill()
    assert gone([psutil.Process(first.pid)] if psutil.pid_exists(first.pid) else [])
    second = up(home=home)
    assert second.pid != first.pid
    assert down(home=home)


def test_two_that_start_at_once_share_one(home):
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(up, home=home)
        time.sleep(0.3)
        second = pool.submit(up, home=home)
    assert first.result() == second.result()


def test_a_folder_with_other_things_is_neither_used_nor_removed(home):
    home.mkdir(parents=True)
    (home / "thesis.txt").write_text("years of work")
    with pytest.raises(LocalError, match="in use"):
        up(home=home)
    down(home=home)
    assert (home / "thesis.txt").exists()
    (home / "thesis.txt").unlink()


def test_a_port_in_use_is_told(home, local):
    port = int(local.endpoint_url.rsplit(":", 1)[1])
    with pytest.raises(LocalError) as refused:
        up(home=home, port=port)
    assert refused.value.message == (
        f"the local SageMaker did not start: port {port} cannot be had: Address already in use"
    )


def test_the_home_follows_the_environment(monkeypatch, tmp_path):
    monkeypatch.setenv("DEFECTSCOPE_LOCAL_HOME", str(tmp_path))
    assert default_home() == tmp_path
    monkeypatch.delenv("DEFECTSCOPE_LOCAL_HOME")
    monkeypatch.setenv("XDG_STATE_HOME", "/elsewhere")
    if sys.platform == "linux":
        assert default_home() == Path("/elsewhere/defectscope/local")


def test_unknown_settings_are_refused():
    assert (
        LocalSettings.from_json(LocalSettings(realtime_timeout_s=3.0).to_json()).realtime_timeout_s
        == 3.0
    )
    with pytest.raises(InvalidParameterError, match="no_such_setting"):
        LocalSettings.from_json('{"no_such_setting": 1}')


def test_it_cannot_be_used_before_its_block():
    with pytest.raises(LocalError, match="context manager"):
        _ = LocalSageMaker().endpoint_url


@pytest.mark.long
def test_nothing_outlives_a_killed_program_not_even_a_busy_model(echo_tar):
    """A program with an endpoint whose worker is busy dies by SIGKILL."""
    script = f"""
import sys, threading, time
from defectscope.local import LocalSageMaker
with LocalSageMaker() as local:
    s3, sagemaker = local.client("s3"), local.client("sagemaker")
    s3.create_bucket(Bucket="models")
    s3.upload_file({str(echo_tar)!r}, "models", "echo")
    sagemaker.create_model(
        ModelName="m", ExecutionRoleArn="arn:aws:iam::123456789012:role/r",
        PrimaryContainer={{"Image": "i", "ModelDataUrl": "s3://models/echo"}})
    sagemaker.create_endpoint_config(EndpointConfigName="c", ProductionVariants=[
        {{"VariantName": "v", "ModelName": "m", "InitialInstanceCount": 1,
          "InstanceType": "ml.m5.large"}}])
    sagemaker.create_endpoint(EndpointName="e", EndpointConfigName="c")
    while sagemaker.describe_endpoint(EndpointName="e")["EndpointStatus"] == "Creating":
        time.sleep(0.1)
    runtime = local.client("sagemaker-runtime")
    ask = lambda: runtime.invoke_endpoint(EndpointName="e", Body=b"sleep 50")
    threading.Thread(target=ask, daemon=True).start()
    time.sleep(0.5)
    print(local.state.pid, local.state.home, flush=True)
    time.sleep(60)
"""
    program = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE)
    pid_text, home_text = program.stdout.readline().decode().split()
    processes = family(int(pid_text))
    assert any("model_service_worker" in " ".join(process.cmdline()) for process in processes)
    program.send_signal(signal.SIGKILL)
    program.wait()
    program.stdout.close()
    assert gone(processes)
    deadline = time.monotonic() + 60
    while Path(home_text).exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not Path(home_text).exists()
