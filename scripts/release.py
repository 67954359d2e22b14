"""Makes a release: checks, builds, tries the wheel in a fresh environment, and tags.

    python scripts/release.py 0.2.0      or      make release VERSION=0.2.0

Pushes nothing. It is refused unless the tree is clean, the package says the same version, and the
changelog has a dated section for it.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import tempfile
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
TRIAL = """
import defectscope
from defectscope import Client, Report
from defectscope.findings import Interval
assert defectscope.__version__ == {version!r}, defectscope.__version__
assert Interval(1.0, 2.0).duration_s == 1.0
"""


class RefusedError(Exception):
    """Something stands against the release."""


def faults(version: str, package: str, changelog: str, status: str) -> list[str]:
    """Returns what stands against a release.

    Args:
        version: To be released.
        package: Text of src/defectscope/__init__.py.
        changelog: Text of CHANGELOG.md.
        status: Of `git status --porcelain`.
    """
    found: list[str] = []
    if not re.fullmatch(r"\d+\.\d+\.\d+", version):
        found.append(f"{version!r} is no version: name VERSION=x.y.z")
    if status.strip():
        found.append("the working tree is not clean: commit first")
    if f'__version__ = "{version}"' not in package:
        found.append(f"src/defectscope/__init__.py does not say {version}")
    if not re.search(
        rf"^## \[{re.escape(version)}\] - \d{{4}}-\d{{2}}-\d{{2}}$", changelog, re.MULTILINE
    ):
        found.append(f"CHANGELOG.md has no dated section: ## [{version}] - YYYY-MM-DD")
    return found


def run(*command: str) -> str:
    """Runs a command in the checkout and returns what it printed."""
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RefusedError(f"{' '.join(command)}: {done.stderr.strip()[-500:]}")
    return done.stdout


def build(folder: Path) -> Path:
    """Builds wheel and sdist into a folder and returns the wheel."""
    run(sys.executable, "-m", "build", "--outdir", str(folder), str(ROOT))
    (wheel,) = folder.glob("*.whl")
    return wheel


def try_wheel(wheel: Path, version: str) -> None:
    """Installs a wheel into a fresh environment, imports it and asks the command for help."""
    with tempfile.TemporaryDirectory(prefix="defectscope-release-") as scratch:
        venv.create(scratch, with_pip=True)
        python = Path(scratch) / ("Scripts" if sys.platform == "win32" else "bin") / "python"
        run(str(python), "-m", "pip", "install", "--quiet", str(wheel))
        run(str(python), "-c", TRIAL.format(version=version))
        run(str(python), "-m", "defectscope", "--help")


def main() -> int:
    """Releases, or says what stands against it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("version", help="for example 0.2.0")
    parser.add_argument("--no-tag", action="store_true", help="build and try only")
    options = parser.parse_args()
    package = (ROOT / "src/defectscope/__init__.py").read_text("utf-8")
    changelog = (ROOT / "CHANGELOG.md").read_text("utf-8")
    try:
        found = faults(options.version, package, changelog, run("git", "status", "--porcelain"))
        if found:
            raise RefusedError("; ".join(found))
        wheel = build(ROOT / "dist")
        try_wheel(wheel, options.version)
        if not options.no_tag:
            run("git", "tag", "-a", f"v{options.version}", "-m", f"defectscope {options.version}")
    except RefusedError as error:
        sys.stderr.write(f"release: {error}\n")
        return 1
    sys.stdout.write(f"built {wheel}; push the tag with: git push origin v{options.version}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
