from __future__ import annotations

import importlib.util
import json
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from pathlib import Path

import pytest

from defectscope.analysis import analyze
from defectscope.deploy import archive_contents
from defectscope.deploy.archives import build_archives, handler_names, read_manifest, smoke_test
from defectscope.detectors import detector_class
from defectscope.errors import DeployError
from defectscope.serving.base import DetectorHandler
from defectscope.serving.sample import sample_avi
from defectscope.serving.smoke import BareContext, load_handler

NAME = "freeze"


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    output = tmp_path_factory.mktemp("archives")
    build_archives(output, [NAME])
    return output


def unpack(output: Path, name: str, target: Path) -> Path:
    with zipfile.ZipFile(output / name / f"{name}.mar") as mar:
        mar.extractall(target)
    return target


def essence(report: dict) -> dict:
    """A report without what differs from run to run."""
    kept = {k: v for k, v in report.items() if k not in ("timing", "asset")}
    return json.loads(json.dumps(kept))


def test_an_archive_holds_its_detector_and_what_judging_needs(built):
    with zipfile.ZipFile(built / NAME / f"{NAME}.mar") as mar:
        held = {name for name in mar.namelist() if not name.endswith(".pyc")}
    assert {"MAR-INF/MANIFEST.json", "handler.py", "model-config.yaml"} <= held
    assert f"defectscope/_bundled/model_artifacts/{NAME}/detector.json" in held
    assert f"defectscope/detectors/{NAME}/__init__.py" in held
    tops = {entry.split("/")[1] for entry in held if entry.startswith("defectscope/")}
    assert not tops & {"client", "deploy", "local", "cli", "training", "simulate"}
    others = {
        e.split("/")[2] for e in held if e.startswith("defectscope/detectors/") and e.count("/") > 2
    }
    assert others == {NAME}


def test_a_worker_finds_byte_code_for_every_source(built, tmp_path):
    folder = unpack(built, NAME, tmp_path / "unpacked")
    sources = [path for path in folder.rglob("*.py") if path.name != "__init__.py"]
    assert sources
    package = [path for path in sources if path.is_relative_to(folder / "defectscope")]
    for source in package:
        compiled = Path(importlib.util.cache_from_source(str(source))).read_bytes()
        # It holds by the source's hash, whatever date TorchServe gives the files.
        assert compiled[:4] == importlib.util.MAGIC_NUMBER
        assert int.from_bytes(compiled[4:8], "little") == 0b11
        assert compiled[8:16] == importlib.util.source_hash(source.read_bytes())
        # No path of the machine that built it.
        assert str(Path(tempfile.gettempdir())).encode() not in compiled
    # A source that is not what was compiled is what runs.
    (folder / "defectscope" / "errors.py").write_text("raise RuntimeError('the source ran')\n")
    command = [sys.executable, "-c", "import defectscope.errors"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    assert "the source ran" in done.stderr


def test_model_data_has_the_one_archive_at_its_root(built):
    with tarfile.open(built / NAME / "model.tar.gz") as tar:
        assert tar.getnames() == [f"{NAME}.mar"]


def test_the_manifest_names_what_was_built(built):
    archive = read_manifest(built)[NAME]
    assert (
        archive.version
        == json.loads(
            (Path(__file__).parents[2] / "model_artifacts" / NAME / "detector.json").read_text()
        )["version"]
    )
    assert len(archive.sha256) == 64
    assert archive.size_bytes == (built / archive.model_data).stat().st_size
    assert (built / archive.mar).is_file()


def test_equal_inputs_give_equal_bytes(built, tmp_path):
    build_archives(tmp_path, [NAME])
    assert read_manifest(tmp_path) == read_manifest(built)
    for file in (f"{NAME}.mar", "model.tar.gz"):
        assert (tmp_path / NAME / file).read_bytes() == (built / NAME / file).read_bytes()


def test_what_is_up_to_date_is_not_built_again(built):
    states: list[str] = []
    build_archives(built, [NAME], progress=lambda _name, state: states.append(state))
    assert states == ["up to date"]


def test_a_missing_file_is_built_again(built, tmp_path):
    shutil.copytree(built, tmp_path / "copy")
    (tmp_path / "copy" / NAME / "model.tar.gz").unlink()
    states: list[str] = []
    build_archives(tmp_path / "copy", [NAME], progress=lambda _name, state: states.append(state))
    assert states[-1] == "built"


def test_an_archive_that_cannot_predict_does_not_count_as_built(built, tmp_path, monkeypatch):
    shutil.copytree(built, tmp_path / "copy")
    monkeypatch.setattr(archive_contents, "LEFT_OUT", {*archive_contents.LEFT_OUT, "features"})
    with pytest.raises(DeployError, match=r"does not predict: ModuleNotFoundError.*features"):
        build_archives(tmp_path / "copy", [NAME])
    # The archive that was there before is untouched.
    assert read_manifest(tmp_path / "copy") == read_manifest(built)
    old, kept = built / NAME / "model.tar.gz", tmp_path / "copy" / NAME / "model.tar.gz"
    assert kept.read_bytes() == old.read_bytes()


def test_an_unknown_handler_is_named(tmp_path):
    with pytest.raises(DeployError, match="no handler 'nonsense'"):
        build_archives(tmp_path, ["nonsense"])


def test_the_same_verdict_in_process_in_a_handler_and_in_an_unpacked_archive(
    built, tmp_path, monkeypatch
):
    media = tmp_path / "sample.avi"
    media.write_bytes(sample_avi())
    here = essence(analyze(media.read_bytes(), detectors=(NAME,)).to_dict())
    assert here["findings"], "a sample without a finding would prove nothing"
    unpacked = essence(smoke_test(built / NAME / "model.tar.gz", NAME, media))
    assert unpacked == here
    monkeypatch.syspath_prepend(str(unpack(built, NAME, tmp_path / "model")))
    monkeypatch.setenv("DEFECTSCOPE_METRICS", "off")
    monkeypatch.delitem(sys.modules, "handler", raising=False)
    import handler

    served: DetectorHandler = handler.FreezeHandler()
    context = BareContext(NAME, {"content-type": "video/x-msvideo"})
    served.initialize(context)
    (answer,) = served.handle([{"body": bytearray(media.read_bytes())}], context)
    monkeypatch.delitem(sys.modules, "handler")
    assert context.status == 200
    assert essence(json.loads(answer)) == here


def test_a_handler_from_a_folder_that_lacks_the_package_is_refused(tmp_path):
    with pytest.raises(Exception, match="outside the archive"):
        load_handler(tmp_path)


def test_every_detector_can_be_archived():
    assert handler_names()[-1] == "all_detectors"
    for name in set(handler_names()) - {"spatial_audio", "all_detectors"}:
        assert detector_class(name).name == name
