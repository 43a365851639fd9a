"""checkpoints.py: which checkpoint a training goes on from, and who may write there."""

import errno
import fcntl
import subprocess
import sys

import pytest

from pipeline.files.folder_manifest import write_manifest
from pipeline.files.json_lines import trim_log
from pipeline.training import checkpoints
from pipeline.training.checkpoints import (
    LOCK,
    MANIFEST,
    claim_folder,
    newest_checkpoint,
    require_room,
    set_aside_other_code,
)
from tests.support.processes import PATIENCE
from tests.support.project import ROOT

# A training that ends as soon as one of its processes shares its lock. The process lives until its input ends.
TRAINING = """
import subprocess, sys
from pathlib import Path
from pipeline.training.checkpoints import claim_folder

claim_folder(Path(sys.argv[1]))
process = subprocess.Popen([sys.executable, "-c", sys.argv[2], sys.argv[1]], stdout=subprocess.PIPE)
process.stdout.readline()
"""
PROCESS = """
import sys
from pathlib import Path
from pipeline.training.checkpoints import LOCK, share

lock = share(Path(sys.argv[1]) / LOCK)
print("ready", flush=True)
sys.stdin.read()
"""


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
    monkeypatch.setattr(checkpoints, "PATIENCE_SECONDS", 0)
    claim_folder(tmp_path / "digest")
    with pytest.raises(SystemExit) as stopped:
        claim_folder(tmp_path / "digest")
    assert "a training is writing checkpoints here (begun by process " in str(stopped.value.code)


def test_a_folder_stays_claimed_as_long_as_a_process_of_its_training_lives(tmp_path, monkeypatch):
    monkeypatch.setattr(checkpoints, "PATIENCE_SECONDS", 0)
    words = [sys.executable, "-c", TRAINING, str(tmp_path), PROCESS]
    with subprocess.Popen(words, cwd=ROOT, stdin=subprocess.PIPE) as training:
        assert training.wait(PATIENCE) == 0
        with pytest.raises(SystemExit, match=f"begun by process {training.pid} on "):
            claim_folder(tmp_path)


def test_the_processes_of_a_training_can_share_its_claim(tmp_path):
    claim_folder(tmp_path)
    with (tmp_path / LOCK).open() as lock:
        fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)  # BlockingIOError, if it were claimed for one process


def test_where_the_file_system_has_no_locks_it_is_said_and_nobody_is_kept_out(tmp_path, monkeypatch, capsys):
    def refuse(lock: int) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(checkpoints, "lock_soon", refuse)
    for _ in range(2):
        claim_folder(tmp_path)
    said = f"{tmp_path / LOCK}: No locks available; see yourself that no two trainings write there"
    assert capsys.readouterr().out.splitlines() == [said, said]


def test_a_full_disk_stops_a_training_with_one_line(tmp_path, monkeypatch):
    require_room(tmp_path)
    monkeypatch.setattr(checkpoints, "FULL_BYTES", 1 << 62)
    with pytest.raises(SystemExit) as stopped:
        require_room(tmp_path)
    assert stopped.value.code == (
        f"{tmp_path}: No space left on device; make room, and run the same command again to go on"
    )


def test_checkpoints_of_other_code_are_set_aside_and_named(tmp_path, capsys):
    set_aside_other_code(tmp_path, ["plugins/a.py 1"])
    (tmp_path / "checkpoint-1").mkdir()
    set_aside_other_code(tmp_path, ["plugins/a.py 2"])
    assert [path.name for path in tmp_path.glob("before-[0-9]*T*[0-9]/checkpoint-*")] == ["checkpoint-1"]
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
