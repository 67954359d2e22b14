"""Detectors of other packages: found by entry points, refused by name, never in others' way."""

from __future__ import annotations

import importlib
import json
import sys
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from defectscope.analysis import analyze
from defectscope.cli.main import main
from defectscope.deploy.archive_contents import stage, version_of
from defectscope.deploy.archive_plugins import plugin_names
from defectscope.deploy.archives import build_archives, handler_names
from defectscope.detectors import (
    detector_class,
    load,
    load_all,
    names,
    rediscover,
    unfit_plugins,
)
from defectscope.engine.artifacts import tuned
from defectscope.errors import DeployError, InvalidParameterError, PluginError
from defectscope.serving.sample import sample_avi

TEMPLATE = Path(__file__).resolve().parents[2] / "scripts" / "detector_template"
ARTIFACT = {
    "name": "overlit",
    "version": "3.1",
    "thresholds": {"bright_luma_code": 50.0},
    "severity": {"overlit": {"measure": "duration_s", "major": 1.0, "critical": 5.0}},
}

Package = Callable[..., Path]


def detector_code(name: str) -> str:
    """The scaffold's detector is a third party's as well, word for word."""
    folder = TEMPLATE / "src" / "defectscope" / "detectors" / "NAME"
    text = (folder / "detector.py.txt").read_text("utf-8")
    # A package may have it all in one file.
    own = (folder / "params.py.txt").read_text("utf-8").split("annotations\n", 1)[1]
    text = text.replace("from defectscope.detectors.{{name}}.params import Params\n", own)
    for token, value in {"name": name, "class": "Overlit", "title": "Overlit"}.items():
        text = text.replace("{{" + token + "}}", value)
    return text


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Package]:
    """Installs packages into a folder on sys.path, as pip would lay them out."""
    site = tmp_path / "site"
    site.mkdir()
    monkeypatch.syspath_prepend(site)
    made: list[str] = []

    def install(
        name: str = "overlit",
        *,
        dist: str = "acme-overlit",
        module: str = "",
        code: str | None = None,
        artifact: dict[str, object] | None = None,
        requires: tuple[str, ...] = (),
    ) -> Path:
        module = module or dist.replace("-", "_")
        folder = site / module
        folder.mkdir()
        (folder / "__init__.py").write_text(
            detector_code(name) + "\n\nDETECTOR = Overlit\n" if code is None else code
        )
        given = {**ARTIFACT, "name": name} if artifact is None else artifact
        (folder / "detector.json").write_text(json.dumps(given))
        info = site / f"{module}-2.0.dist-info"
        info.mkdir()
        lines = ["Metadata-Version: 2.1", f"Name: {dist}", "Version: 2.0"]
        lines += [f"Requires-Dist: {line}" for line in requires]
        (info / "METADATA").write_text("\n".join(lines) + "\n")
        (info / "entry_points.txt").write_text(
            f"[defectscope.detectors]\n{name} = {module}:DETECTOR\n"
        )
        made.append(module)
        importlib.invalidate_caches()
        rediscover()
        return folder

    yield install
    monkeypatch.undo()
    for module in made:
        sys.modules.pop(module, None)
    rediscover()


@pytest.fixture
def sample(tmp_path: Path) -> Path:
    path = tmp_path / "sample.avi"
    path.write_bytes(sample_avi())
    return path


def test_a_detector_of_another_package_is_one_of_all(
    package: Package, sample: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = names()
    package()
    assert set(names()) == {*before, "overlit"}
    assert not unfit_plugins()
    assert tuned("overlit").version == "3.1"
    assert "overlit" in {d.name for d in load_all(["freeze", "overlit"])}
    report = analyze(sample, detectors=["overlit"])
    assert [f.defect for f in report.findings] == ["overlit", "overlit"]
    assert report.detectors["overlit"]["version"] == "3.1"
    options = ["--detectors", "overlit", "--set", "overlit.min_duration_s=3.5", "--json", "-"]
    assert main(["analyze", str(sample), *options]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["findings"] == []
    assert answer["detectors"]["overlit"]["parameters"] == {"min_duration_s": 3.5}
    with pytest.raises(InvalidParameterError, match="unknown parameter 'lux'"):
        load("overlit", {"lux": 1})
    assert main(["detectors"]) == 0
    assert "overlit comes from the package acme-overlit 2.0" in capsys.readouterr().out
    assert main(["detectors", "overlit"]) == 0
    assert "min_duration_s" in capsys.readouterr().out


BREACHES = {
    "import": ("import nothing_of_that_name\n", "cannot be imported: ModuleNotFoundError"),
    "raises": ("raise RuntimeError('on import')\n", "cannot be imported: RuntimeError: on import"),
    "no class": ("", "cannot be imported: AttributeError"),
    "not a class": ("DETECTOR = 3\n", "DETECTOR is not a class"),
    "empty": ("class D:\n    name = 'overlit'\nDETECTOR = D\n", "`defects`"),
}


@pytest.mark.parametrize("kind", BREACHES)
def test_a_broken_package_is_named_and_breaks_no_other(
    kind: str, package: Package, sample: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = names()
    code, message = BREACHES[kind]
    package(code=code)
    package(
        "fine",
        dist="fine-one",
        code=detector_code("fine") + "\n\nDETECTOR = Overlit\n",
        artifact={**ARTIFACT, "name": "fine", "severity": {"fine": {"always": "minor"}}},
    )
    assert set(names()) == {*before, "fine"}
    (error,) = unfit_plugins()
    assert "acme-overlit" in error.message
    assert message in error.message
    with pytest.raises(PluginError, match="acme-overlit"):
        load("overlit")
    assert main(["analyze", str(sample), "--detectors", "overlit"]) == 2
    assert (
        "error[bad_plugin]: sample.avi: overlit of the package acme-overlit"
        in capsys.readouterr().err
    )
    assert main(["analyze", str(sample), "--detectors", "fine,freeze"]) == 0
    assert main(["detectors"]) == 0
    assert "left out: overlit of the package acme-overlit" in capsys.readouterr().out


REPLACED = {
    "name": ('"overlit"\n    defects', '"other"\n    defects', "named 'other'"),
    "needs": ("self.needs = Needs(", "self.wants = Needs(", "`needs` is not a Needs"),
    "features": ('"luma_sum"})', '"lux"})', "features that are not there: lux"),
    "frozen": (
        "@parameters\nclass Params",
        "@__import__('dataclasses').dataclass\nclass Params",
        "`Params` is not frozen",
    ),
    "decide": ("def decide(", "def rule(", "no method `decide`"),
    "made": ("self.tuned = tuned", "raise KeyError('weights')", "cannot be made: KeyError"),
}


@pytest.mark.parametrize("kind", REPLACED)
def test_a_class_that_breaks_the_contract_is_refused(kind: str, package: Package) -> None:
    old, new, message = REPLACED[kind]
    code = detector_code("overlit")
    assert old in code
    package(code=code.replace(old, new) + "\n\nDETECTOR = Overlit\n")
    with pytest.raises(PluginError, match=message):
        detector_class("overlit")


@pytest.mark.parametrize(
    ("artifact", "message"),
    [
        ({}, "not a detector's artifact"),
        ({**ARTIFACT, "name": "other"}, "that of 'other'"),
        ({**ARTIFACT, "severity": {}}, "no severity rule for overlit"),
        ({**ARTIFACT, "severity": {"overlit": {"always": "grave"}}}, "a severity"),
    ],
)
def test_an_artifact_that_is_none_is_refused(
    artifact: dict[str, object], message: str, package: Package
) -> None:
    package(artifact=artifact)
    with pytest.raises(PluginError, match=message):
        load("overlit")


def test_a_package_without_an_artifact_is_refused(package: Package) -> None:
    (package() / "detector.json").unlink()
    rediscover()
    with pytest.raises(PluginError, match=r"acme-overlit.*no package folder with a detector\.json"):
        load("overlit")


@pytest.mark.parametrize("name", ["freeze", "registry"])
def test_a_name_of_defectscope_stays_its_own(name: str, package: Package) -> None:
    before = names()
    package(name)
    assert names() == before
    (error,) = unfit_plugins()
    assert f"{name} of the package acme-overlit" in error.message
    if name in before:
        assert load(name).__class__.__module__.startswith("defectscope.")
        assert tuned(name).version != "3.1"


def test_two_packages_of_one_name_are_both_left_out(package: Package) -> None:
    package()
    package(dist="other-overlit")
    assert "overlit" not in names()
    assert "acme-overlit and other-overlit" in unfit_plugins()[0].message


def test_a_name_that_cannot_be_asked_for_is_refused(package: Package) -> None:
    package("Over-Lit")
    assert "snake_case" in unfit_plugins()[0].message


@pytest.mark.slow
def test_an_archive_brings_the_package_and_predicts(package: Package, tmp_path: Path) -> None:
    package(requires=("numpy>=2", "defectscope"))
    assert plugin_names() == ("overlit",)
    assert "overlit" in handler_names()
    assert version_of("overlit") == "3.1"
    (built,) = build_archives(tmp_path / "archives", ["overlit"])
    with zipfile.ZipFile(tmp_path / "archives" / built.mar) as mar:
        held = set(mar.namelist())
    assert {"acme_overlit/__init__.py", "acme_overlit/detector.json", "handler.py"} <= held
    assert not any(entry.startswith("defectscope/detectors/freeze/") for entry in held)


def test_an_archive_of_all_has_the_plugins_that_can_travel(
    package: Package, tmp_path: Path
) -> None:
    package()
    package("fine", dist="needs-more", requires=("pandas>=2",))
    stage("all_detectors", tmp_path / "staged")
    assert (tmp_path / "staged" / "acme_overlit" / "detector.json").is_file()
    assert not (tmp_path / "staged" / "needs_more").exists()


@pytest.mark.parametrize("why", ["pandas", "compiled"])
def test_what_an_archive_cannot_bring_is_refused_by_name(
    why: str, package: Package, tmp_path: Path
) -> None:
    folder = package(requires=("pandas>=2",) if why == "pandas" else ())
    if why == "compiled":
        (folder / "fast.so").write_bytes(b"\x7fELF")
    with pytest.raises(DeployError, match=f"overlit of the package acme-overlit .*{why}"):
        stage("overlit", tmp_path / "staged")
