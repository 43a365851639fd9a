"""folder_manifest.py: a manifest that changes when its folder does, and only then."""

import pytest

from tools.write_manifest import main


@pytest.fixture
def folder(tmp_path):
    model = tmp_path / "model"
    (model / "deep").mkdir(parents=True)
    (model / "config.json").write_text("{}", encoding="utf-8")
    (model / "deep" / "weights").write_bytes(b"weights")
    return model


def manifest_of(folder) -> str:
    main([str(folder)])
    return folder.with_name("model.sha256").read_text(encoding="utf-8")


def test_sha256sum_accepts_it(folder, run):
    manifest_of(folder)
    checked = run("sha256sum", "--check", "model.sha256", cwd=folder.parent)
    assert checked.stdout.splitlines() == ["model/config.json: OK", "model/deep/weights: OK"]


def test_it_changes_with_the_contents_of_a_file(folder):
    before = manifest_of(folder)
    (folder / "deep" / "weights").write_bytes(b"Weights")
    assert manifest_of(folder) != before


def test_hidden_files_do_not_count(folder):
    before = manifest_of(folder)
    (folder / ".snakemake_timestamp").touch()
    (folder / ".cache").mkdir()
    (folder / ".cache" / "lock").touch()
    assert manifest_of(folder) == before
