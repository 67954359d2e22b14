from pathlib import Path

import pytest

from defectscope.errors import InvalidParameterError, MediaNotFoundError
from defectscope.training.corpora import Corpus, own_folder, read_corpora, recordings


def _folder(root: Path, names: list[str]) -> Path:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return root


def test_split_keeps_groups_whole_and_does_not_depend_on_the_place(tmp_path: Path) -> None:
    names = [
        f"{kind}/1-{source:03d}-{take}.wav"
        for kind in "ab"
        for source in range(20)
        for take in "xy"
    ]
    splits = []
    for place in ("one", "two"):
        folder = _folder(tmp_path / place, names)
        corpus = Corpus("c", folder, "CC0", group=r"/\d-(\d+)-", stratum=r"^([^/]+)/")
        splits.append({r.key: (r.group, r.split) for r in recordings([corpus], {".wav"})})
    assert splits[0] == splits[1]
    by_group: dict[tuple[str, str], set[str]] = {}
    for key, (group, split) in splits[0].items():
        by_group.setdefault((key[0], group), set()).add(split)
    assert all(len(found) == 1 for found in by_group.values())
    for stratum in "ab":
        found = [next(iter(v)) for (s, _), v in by_group.items() if s == stratum]
        assert (found.count("test"), found.count("validation")) == (4, 2)


def test_another_seed_splits_otherwise(tmp_path: Path) -> None:
    corpus = own_folder(_folder(tmp_path, [f"{i}.wav" for i in range(40)]))
    first, second = (
        {r.key for r in recordings([corpus], {".wav"}, seed=seed) if r.split == "test"}
        for seed in (1, 2)
    )
    assert len(first) == len(second) == 8
    assert first != second


def test_evaluation_only_is_never_trained_on(tmp_path: Path) -> None:
    folder = _folder(tmp_path, [f"{i}.wav" for i in range(30)] + ["real_crackle.wav", "skip.wav"])
    corpus = Corpus("c", folder, "CC0", exclude=("skip*",), evaluation_only=("real_*",))
    found = {r.key: r.split for r in recordings([corpus], {".wav"})}
    assert found["real_crackle.wav"] == "test"
    assert "skip.wav" not in found


def test_corpora_file_is_read_and_its_faults_are_named(tmp_path: Path) -> None:
    _folder(tmp_path / "root/sounds", ["a.wav"])
    file = tmp_path / "corpora.toml"
    file.write_text('[[corpus]]\nname="n"\nfolder="sounds"\nlicence="CC0"\ninclude=["*.wav"]\n')
    (corpus,) = read_corpora(file, [tmp_path / "nowhere", tmp_path / "root"])
    assert corpus.folder == tmp_path / "root/sounds"
    assert corpus.include == ("*.wav",)
    with pytest.raises(MediaNotFoundError, match="sounds"):
        read_corpora(file, [tmp_path / "nowhere"])
    file.write_text("corpus = 3")
    with pytest.raises(InvalidParameterError):
        read_corpora(file, [tmp_path])


def test_a_folder_without_usable_files_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(MediaNotFoundError):
        recordings([own_folder(_folder(tmp_path, ["a.txt"]))], {".wav"})
