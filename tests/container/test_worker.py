"""Workers that load PyTorch when something uses it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from defectscope.container import worker

# A package that stands for PyTorch says when it is loaded, and how often.
TORCH = "import sys\nsys.stderr.write('loaded\\n')\nclass Tensor: pass\n"
USES = "import torch\ndef is_tensor(value): return isinstance(value, torch.Tensor)\n"


@pytest.fixture
def packages(tmp_path: Path) -> Path:
    (tmp_path / "torch.py").write_text(TORCH)
    (tmp_path / "uses.py").write_text(USES)
    return tmp_path


def run(packages: Path, code: str) -> subprocess.CompletedProcess[str]:
    inner = f"from defectscope.container import worker\nimport sys\n{code}"
    paths = os.pathsep.join([str(packages), *sys.path])
    return subprocess.run(
        [sys.executable, "-c", inner],
        env={**os.environ, "PYTHONPATH": paths},
        capture_output=True,
        text=True,
    )


def test_nothing_is_loaded_until_an_attribute_is_read(packages: Path) -> None:
    code = "worker.import_with_torch_on_use('uses')\nassert 'torch' not in sys.modules\n"
    assert run(packages, code).stderr == ""
    used = run(packages, f"{code}import uses\nassert not uses.is_tensor(1)\n")
    assert (used.returncode, used.stderr) == (0, "loaded\n")


def test_who_imports_it_later_gets_the_one_that_tensors_are_known_by(packages: Path) -> None:
    code = "worker.import_with_torch_on_use('uses')\nimport torch, uses\n"
    code += "assert uses.is_tensor(torch.Tensor())\nassert type(torch).__name__ == 'module'\n"
    done = run(packages, code)
    assert (done.returncode, done.stderr) == (0, "loaded\n")


def test_what_is_loaded_already_is_left_alone(packages: Path) -> None:
    code = "import torch\nworker.import_with_torch_on_use('uses')\nimport uses\n"
    done = run(packages, f"{code}assert uses.torch is torch\n")
    assert (done.returncode, done.stderr) == (0, "loaded\n")


def test_a_module_that_needs_it_at_once_says_so(packages: Path) -> None:
    (packages / "eager.py").write_text("from torch import Tensor\n")
    done = run(packages, "worker.import_with_torch_on_use('eager')")
    assert done.returncode == 1
    assert "ImportError" in done.stderr


def test_the_script_runs_as_python_would_run_it(packages: Path) -> None:
    folder = packages / "scripts"
    folder.mkdir()
    (folder / "beside.py").write_text("")
    script = folder / "main.py"
    script.write_text("import sys, beside\nprint(__name__, sys.argv[1:], sys.path[0])\n")
    launcher = worker.write_launcher(packages / "python")
    done = subprocess.run([launcher, script, "--port", "1 2"], capture_output=True, text=True)
    assert done.stdout == f"__main__ ['--port', '1 2'] {folder}\n", done.stderr


def test_a_file_system_that_runs_no_programs_gets_python_itself(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(worker.os, "access", lambda *_: False)
    assert worker.write_launcher(tmp_path / "python") == Path(sys.executable)


def test_threads_that_use_it_first_load_it_once(packages: Path) -> None:
    (packages / "torch.py").write_text(f"import time\ntime.sleep(0.3)\n{TORCH}")
    code = "worker.import_with_torch_on_use('uses')\nimport threading, uses\nseen = []\n"
    code += "def look(): seen.append(uses.is_tensor(1))\n"
    code += "threads = [threading.Thread(target=look) for _ in range(4)]\n"
    code += "[t.start() for t in threads]\n[t.join() for t in threads]\n"
    done = run(packages, f"{code}assert seen == [False] * 4\n")
    assert (done.returncode, done.stderr) == (0, "loaded\n")
