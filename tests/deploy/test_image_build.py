"""The image, built and run for real without Docker: Debian's buildah, in a chroot.

    make test-image

The base is made by debootstrap and tagged as the Dockerfile's FROM. Wants root, buildah, crun and
debootstrap, and minutes. DEFECTSCOPE_IMAGE_MOUNTS names, separated by colons, what pip needs of
this machine during the build (its configuration, folders of wheels); DEFECTSCOPE_IMAGE_WORK keeps
base and storage between runs, some 15 GB; with DEFECTSCOPE_IMAGE_BUILT=1 the image that lies there
is run as it is.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import psutil
import pytest

from defectscope.deploy.archives import build_archives
from defectscope.serving.sample import sample_avi

ROOT = Path(__file__).parents[2]
TOOLS = ("buildah", "crun", "debootstrap")
MISSING = [tool for tool in TOOLS if shutil.which(tool) is None]
# What the image may take, with everything in it.
MOST_BYTES = 1.6e9
TAG = "localhost/defectscope:test"

pytestmark = [
    pytest.mark.image,
    pytest.mark.timeout(3600),
    pytest.mark.skipif(bool(MISSING), reason=f"not installed: {', '.join(MISSING)}"),
    pytest.mark.skipif(os.geteuid() != 0, reason="a chroot wants root"),
]


class Buildah:
    """Runs buildah with a storage of its own."""

    def __init__(self, work: Path) -> None:
        places = ["--root", str(work / "storage"), "--runroot", str(work / "run")]
        self._options = ["--storage-driver", "vfs", *places]

    def command(self, verb: str, *arguments: str) -> list[str]:
        return ["buildah", *self._options, verb, *arguments]

    def __call__(self, verb: str, *arguments: str) -> str:
        done = subprocess.run(self.command(verb, *arguments), capture_output=True, text=True)
        assert done.returncode == 0, (done.stdout + done.stderr)[-3000:]
        return done.stdout.strip()


@pytest.fixture(scope="session")
def buildah(tmp_path_factory: pytest.TempPathFactory) -> Buildah:
    given = os.environ.get("DEFECTSCOPE_IMAGE_WORK")
    work = Path(given) if given else tmp_path_factory.mktemp("image")
    work.mkdir(parents=True, exist_ok=True)
    tool = Buildah(work)
    text = (ROOT / "image" / "Dockerfile").read_text("utf-8")
    version = re.search(r"ARG PYTHON_VERSION=(\S+)", text)
    assert version
    base = f"docker.io/library/python:{version[1]}-slim-bookworm"
    if base not in tool("images", "--format", "{{.Name}}:{{.Tag}}"):
        rootfs = work / "base"
        packages = "ca-certificates,python3,python3-venv,python-is-python3"
        subprocess.run(
            ["debootstrap", "--variant=minbase", f"--include={packages}", "bookworm", str(rootfs)],
            check=True,
            capture_output=True,
        )
        shutil.rmtree(rootfs / "var" / "cache" / "apt", ignore_errors=True)
        shutil.rmtree(rootfs / "var" / "lib" / "apt" / "lists", ignore_errors=True)
        container = tool("from", "scratch")
        tool("add", container, str(rootfs), "/")
        tool("commit", "--rm", container, base)
    if os.environ.get("DEFECTSCOPE_IMAGE_BUILT") == "1":
        return tool
    mounts = [m for m in os.environ.get("DEFECTSCOPE_IMAGE_MOUNTS", "").split(":") if m]
    tool(
        "bud", "--isolation", "chroot", "--pull=never", "--format", "docker",
        "--build-arg", "TORCH_INDEX_URL=", *(f"--volume={m}:{m}:ro" for m in mounts),
        "-t", TAG, "-f", "image/Dockerfile", str(ROOT),
    )  # fmt: skip
    return tool


def test_the_image_is_small(buildah: Buildah) -> None:
    about = json.loads(buildah("images", "--json", TAG))[0]
    number, unit = re.fullmatch(r"([\d.]+) ?([KMG])B", about["size"].strip()).groups()
    size = float(number) * {"K": 1e3, "M": 1e6, "G": 1e9}[unit]
    assert size <= MOST_BYTES, about["size"]


def test_its_manifest_is_one_that_sagemaker_takes(buildah: Buildah) -> None:
    about = json.loads(buildah("inspect", "--type", "image", TAG))
    assert (
        json.loads(about["Manifest"])["mediaType"]
        == "application/vnd.docker.distribution.manifest.v2+json"
    )
    assert about["Docker"]["config"]["Entrypoint"] == ["python", "/opt/image/entrypoint.py"]


def test_java_takes_the_classes_that_were_laid_out(buildah: Buildah) -> None:
    # With -Xshare:on Java ends where they do not fit it or its jar.
    code = (
        "import os, subprocess\n"
        "from defectscope.container.java import COMPILER_OPTIONS, frontend_jar, java_executable\n"
        "classes = '-XX:SharedArchiveFile=' + os.environ['DEFECTSCOPE_JAVA_CLASSES']\n"
        "command = [java_executable(), '-Xshare:on', classes, *COMPILER_OPTIONS]\n"
        "subprocess.check_call([*command, '-cp', frontend_jar(), '-version'])\n"
        "print('they fit')\n"
    )
    container = buildah("from", "--pull=never", TAG)
    try:
        said = buildah("run", "--isolation", "chroot", container, "--", "python", "-c", code)
    finally:
        buildah("rm", container)
    assert "they fit" in said


@dataclass(frozen=True)
class Served:
    """A container that serves: its port, its process here, and how long it took to."""

    port: int
    pid: int
    start_s: float

    def processes(self) -> dict[str, list[psutil.Process]]:
        """The processes inside by what they are for."""
        found: dict[str, list[psutil.Process]] = {"workers": [], "Java": [], "front": []}
        for process in psutil.Process(self.pid).children(recursive=True):
            command = process.cmdline()
            words = " ".join(command)
            if "model_service_worker" in words:
                found["workers"].append(process)
            elif "org.pytorch.serve" in words and "process_guard" not in words:
                found["Java"].append(process)
            elif "/opt/image/entrypoint.py" in words and Path(command[0]).name.startswith("python"):
                found["front"].append(process)
        return found


@contextlib.contextmanager
def running(
    buildah: Buildah,
    model: Path,
    log: Path,
    *,
    user: str = "0",
    writable: bool = False,
    options: tuple[str, ...] = (),
) -> Iterator[Served]:
    """Runs the container as SageMaker does and gives its port once `/ping` says 200."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port = int(sock.getsockname()[1])
    container = buildah("from", "--pull=never", TAG)
    mode = "rw" if writable else "ro"
    command = buildah.command(
        "run", "--isolation", "chroot", "--user", user, f"--volume={model}:/opt/ml/model:{mode}",
        "--env", f"SAGEMAKER_BIND_TO_PORT={port}", *options, container, "--",
        "python", "/opt/image/entrypoint.py", "serve",
    )  # fmt: skip
    began_s = time.monotonic()
    with log.open("wb") as out:
        process = subprocess.Popen(command, stdout=out, stderr=out, start_new_session=True)
        try:
            deadline_s = time.monotonic() + 300
            while time.monotonic() < deadline_s:
                assert process.poll() is None, log.read_text()[-3000:]
                with contextlib.suppress(OSError):
                    if ask(port, "GET", "/ping")[0] == 200:
                        break
                time.sleep(0.1)
            else:
                pytest.fail(log.read_text()[-3000:])
            yield Served(port, process.pid, time.monotonic() - began_s)
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            buildah("rm", container)


def ask(port: int, verb: str, path: str, body: bytes = b"", kind: str = "") -> tuple[int, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
    try:
        connection.request(verb, path, body or None, {"Content-Type": kind} if kind else {})
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


@pytest.mark.parametrize(("user", "writable"), [("0", True), ("10001", False)])
def test_it_serves_as_root_and_as_another_user(buildah, tmp_path, user, writable) -> None:
    build_archives(tmp_path / "archives", ["freeze"])
    log = tmp_path / "log"
    with running(
        buildah, tmp_path / "archives" / "freeze", log, user=user, writable=writable
    ) as served:
        port = served.port
        status, answer = ask(port, "POST", "/invocations", sample_avi(), "video/avi")
        assert status == 200, answer
        assert json.loads(answer)["verdicts"]["freeze"]
        status, _ = ask(port, "POST", "/invocations", b"a=1", "application/x-www-form-urlencoded")
        assert status == 415
    assert "Traceback" not in log.read_text()


# The first words of a program that runs in name spaces of its own: a root file system that nobody
# can write to, no network but the loopback, and itself as process 1, as in a container.
ENCLOSED = """
set -e
ip link set lo up
mount --bind "$ROOT" "$ROOT"
mount --bind "$MODEL" "$ROOT/opt/ml/model"
mount -o remount,ro,bind "$ROOT/opt/ml/model"
mount -t proc proc "$ROOT/proc"
mount --rbind /dev "$ROOT/dev"
mount -t tmpfs tmpfs "$ROOT/dev/shm"
mount -o remount,ro,bind "$ROOT"
exec chroot --userspec=10001:10001 "$ROOT" /usr/bin/env -i "$@"
"""


@contextlib.contextmanager
def enclosed(buildah: Buildah, model: Path, log: IO[bytes]) -> Iterator[psutil.Process]:
    """Runs the container without a network on a read-only root; gives its process 1.

    Its output is a pipe that root has opened and `cat` empties, as a container engine does: the
    user in the container may write to it and may not open it again.
    """
    container = buildah("from", "--pull=never", TAG)
    root = Path(buildah("mount", container))
    (root / "opt" / "ml" / "model").mkdir(parents=True, exist_ok=True)
    about = json.loads(buildah("inspect", "--type", "image", TAG))["Docker"]["config"]
    command = [
        "unshare", "--mount", "--net", "--pid", "--fork", "sh", "-c", ENCLOSED, "sh",
        *about["Env"], *about["Entrypoint"], "serve",
    ]  # fmt: skip
    variables = {**os.environ, "ROOT": str(root), "MODEL": str(model)}
    reader = subprocess.Popen(["cat"], stdin=subprocess.PIPE, stdout=log)
    process = subprocess.Popen(command, env=variables, stdout=reader.stdin, stderr=reader.stdin)
    try:
        assert reader.stdin is not None
        reader.stdin.close()
        deadline_s = time.monotonic() + 60
        while not (found := psutil.Process(process.pid).children()):
            assert process.poll() is None
            assert time.monotonic() < deadline_s
            time.sleep(0.05)
        yield found[0]
    finally:
        for one in psutil.Process(process.pid).children(recursive=True):
            with contextlib.suppress(psutil.Error):
                one.kill()
        process.wait()
        reader.wait()
        buildah("umount", container)
        buildah("rm", container)


def ask_within(one: psutil.Process, verb: str, path: str, file: Path | None = None) -> bytes:
    """Makes a request from within the network of a process, which has no other; b"" for none."""
    code = (
        "import http.client, sys\n"
        "c = http.client.HTTPConnection('127.0.0.1', 8080, timeout=120)\n"
        "body = open(sys.argv[3], 'rb').read() if len(sys.argv) > 3 else None\n"
        "c.request(sys.argv[1], sys.argv[2], body, {'Content-Type': 'video/avi'} if body else {})\n"
        "r = c.getresponse()\n"
        "sys.stdout.buffer.write(b'%d ' % r.status + r.read())\n"
    )
    words = [sys.executable, "-I", "-c", code, verb, path, *([str(file)] if file else [])]
    done = subprocess.run(
        ["nsenter", f"--net=/proc/{one.pid}/ns/net", *words], capture_output=True, check=False
    )
    return done.stdout


def test_it_serves_without_a_network_on_a_read_only_root(buildah, tmp_path) -> None:
    build_archives(tmp_path / "archives", ["freeze"])
    model, log = tmp_path / "archives" / "freeze", tmp_path / "log"
    sample = tmp_path / "sample.avi"
    sample.write_bytes(sample_avi())
    with log.open("wb") as out, enclosed(buildah, model, out) as first:
        deadline_s = time.monotonic() + 300
        while not ask_within(first, "GET", "/ping").startswith(b"200"):
            assert first.is_running(), log.read_text()[-3000:]
            assert time.monotonic() < deadline_s, log.read_text()[-3000:]
            time.sleep(0.2)
        # What is claimed of its surroundings is so.
        assert first.uids().effective == 10001
        mounts = Path(f"/proc/{first.pid}/mounts").read_text().splitlines()
        assert all(" ro," in line for line in mounts if line.split()[1] in ("/", "/opt/ml/model"))
        nets = Path(f"/proc/{first.pid}/net/dev").read_text().splitlines()[2:]
        assert [line.split(":")[0].strip() for line in nets] == ["lo"]
        answer = ask_within(first, "POST", "/invocations", sample)
        assert answer.startswith(b"200 ")
        assert json.loads(answer[4:])["verdicts"]["freeze"]
        # Process 1 has no default answer to SIGTERM: this one ends in order.
        first.terminate()
        assert first.wait(60) in (0, None)
    text = log.read_text()
    # The one asset of a caller, and none of the health sample's, out of the pipe.
    assert text.count('"Assets": 1') == 1, text[-3000:]
    assert "Traceback" not in text


def test_all_detectors_start_without_converting_a_network(buildah, tmp_path) -> None:
    folder, cache = tmp_path / "archives", tmp_path / "cache"
    if (ROOT / "archives").is_dir():
        shutil.copytree(ROOT / "archives", folder)
    build_archives(folder, ["all_detectors"])
    cache.mkdir(mode=0o700)
    kept = (f"--volume={cache}:/opt/cache:rw", "--env", "DEFECTSCOPE_CACHE=/opt/cache")
    with running(buildah, folder / "all_detectors", tmp_path / "log", options=kept) as served:
        found = served.processes()
        worked_s = sum(sum(p.cpu_times()[:2]) for group in found.values() for p in group)
        for _ in range(8):
            assert ask(served.port, "POST", "/invocations", sample_avi(), "video/avi")[0] == 200
        for kind, group in found.items():
            sizes = ", ".join(f"{p.memory_info().rss / 1e6:.0f} MB" for p in group)
            sys.stdout.write(f"{kind}: {sizes}\n")
            assert group, kind
    sys.stdout.write(f"start {served.start_s:.1f} s, {worked_s:.1f} s of processor time\n")
    # All of them came with the image; for this processor they were compiled here.
    assert {path.suffix for path in cache.iterdir()} == {".compiled"}


def test_an_archive_that_cannot_predict_ends_it_with_the_reason_last(buildah, tmp_path) -> None:
    (tmp_path / "a.mar").write_text("no archive")
    container = buildah("from", "--pull=never", TAG)
    command = buildah.command(
        "run", "--isolation", "chroot", f"--volume={tmp_path}:/opt/ml/model:ro", container, "--",
        "python", "/opt/image/entrypoint.py", "serve",
    )  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    buildah("rm", container)
    assert done.returncode
    lines = [line for line in (done.stdout + done.stderr).splitlines() if "defectscope" in line]
    assert "cannot be read" in lines[-1]
