"""checkpoints.py: which checkpoint a training goes on from, and who may write there."""

import pytest

from pipeline.files.folder_manifest import write_manifest
from pipeline.files.json_lines import trim_log
from pipeline.training.checkpoints import MANIFEST, claim_folder, newest_checkpoint, set_aside_other_code


def write_checkpoint(folder, step: int):
    checkpoint = folder / f"checkpoint-{step}"
    checkpoint.mkdir()
    (checkpoint / "weights").write_text(f"weights of {step}", encoding="utf-8")
    write_manifest(checkpoint, checkpoint / MANIFEST)
    return checkpoint


def test_the_newest_whole_checkpoint_is_the_one_to_go_on_from(tmp_path):
    for step in (5, 10, 20):
        write_checkpoint(tmp_path, step)
    assert newest_checkpoint(tmp_path) == tmp_path / "checkpoint-20"
    assert newest_checkpoint(tmp_path / "nothing") is None


def test_one_that_was_not_finished_or_is_damaged_is_named_and_removed(tmp_path, capsys):
    whole, damaged, unfinished = (write_checkpoint(tmp_path, step) for step in (5, 10, 20))
    (damaged / "weights").write_text("weights of", encoding="utf-8")
    (unfinished / MANIFEST).unlink()
    assert newest_checkpoint(tmp_path) == whole
    assert not damaged.exists() and not unfinished.exists()
    assert [line.partition(":")[0] for line in capsys.readouterr().out.splitlines()] == [str(unfinished), str(damaged)]


def test_a_line_that_a_killed_process_left_half_written_is_cut_off(tmp_path):
    log = tmp_path / "logging.jsonl"
    log.write_text('{"loss": 1}\n{"los', encoding="utf-8")
    trim_log(log)
    assert log.read_text(encoding="utf-8") == '{"loss": 1}\n'


def test_a_folder_is_claimed_once(tmp_path, monkeypatch):
    monkeypatch.setattr("pipeline.training.checkpoints.PATIENCE_SECONDS", 0)
    claim_folder(tmp_path / "digest")
    with pytest.raises(SystemExit) as stopped:
        claim_folder(tmp_path / "digest")
    assert "a training is writing checkpoints here (begun by process " in str(stopped.value.code)


def test_checkpoints_of_other_code_are_set_aside_and_named(tmp_path, capsys):
    set_aside_other_code(tmp_path, ["plugins/a.py 1"])
    (tmp_path / "checkpoint-1").mkdir()
    set_aside_other_code(tmp_path, ["plugins/a.py 2"])
    assert [path.name for path in tmp_path.glob("before-*/checkpoint-*")] == ["checkpoint-1"]
    assert not list(tmp_path.glob("checkpoint-*"))
    assert "plugins/a.py changed since these checkpoints were written" in capsys.readouterr().out


def test_checkpoints_of_the_same_code_stay(tmp_path, capsys):
    for _ in range(2):
        set_aside_other_code(tmp_path, ["plugins/a.py 1"])
        (tmp_path / "checkpoint-1").mkdir(exist_ok=True)
    assert (tmp_path / "checkpoint-1").is_dir()
    assert capsys.readouterr().out == ""


def test_checkpoints_that_an_older_version_wrote_are_gone_on_from(tmp_path):
    (tmp_path / "checkpoint-1").mkdir()
    set_aside_other_code(tmp_path, ["plugins/a.py 1"])
    assert (tmp_path / "checkpoint-1").is_dir()
