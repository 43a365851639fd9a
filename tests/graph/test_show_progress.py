"""show_progress.py, progress_screen.py, read_progress.py: what a terminal shows while a real snakemake runs."""

import os
import re
from pathlib import Path

import pytest

from pipeline.graph.read_progress import Progress, read_progress
from tests.support.project import ROOT, run_command
from tests.support.terminal import run_in_terminal

TOOLS = f"{ROOT / '.venv' / 'bin'}{os.pathsep}{os.environ['PATH']}"
SNAKEMAKE = str(ROOT / ".venv" / "bin" / "snakemake")
SPLIT = (SNAKEMAKE, "--cores", "1", "results/tiny/data/train.jsonl")
SHOW_CURSOR = "\x1b[?25h"
LAST_LINES = ("Complete log(s)", "Elapsed time", "WorkflowError", "At least one job")  # Snakemake's own, as ever


@pytest.fixture
def log(tmp_path) -> Path:
    """Return the path for the log of a training that has logged figures."""
    checkpoints = tmp_path / "checkpoints" / "dpo" / "digest"
    checkpoints.mkdir(parents=True)
    rows = '{"eval_loss": 0.7}\n{"loss": 0.65432}\n{"loss": 0.'
    (checkpoints / "logging.jsonl").write_text(rows, encoding="utf-8")
    (tmp_path / "logs").mkdir()
    return tmp_path / "logs" / "train_dpo.log"


def test_of_a_training_step_loss_and_time_left_are_read(log):
    log.write_text("x\nTrain:   0%|   | 0/11 [00:00<?, ?it/s]\rTrain:  45%|##  | 5/11 [00:08<00:10,  1.7s/it]")
    assert read_progress(log, 0) == Progress(5, 11, "step 5/11, loss 0.6543, 00:10 left")


def test_of_inference_answers_are_counted_and_of_other_bars_rows(log):
    log = log.with_name("infer_shard.0.log")
    log.write_text("Map (num_proc=2):  50%|#  | 7/14 [00:00<00:01, 85 examples/s]\n")
    assert read_progress(log, 0) == Progress(7, 14, "row 7/14, 00:01 left")
    log.write_text("Map: 100%|##| 14/14 [00:00<00:00, 85 examples/s]\n  7%|   | 1/14 [00:00<?, ?it/s]")
    assert read_progress(log, 0) == Progress(1, 14, "answer 1/14")


def test_of_the_tiny_model_steps_and_loss_are_read(log):
    log.write_text("2,344 parameters\nstep 1/120  loss 7.8\nstep 20/120  loss 4.488\n")
    assert read_progress(log, 0) == Progress(20, 120, "step 20/120, loss 4.488")


def test_nothing_is_said_of_a_stage_that_says_nothing_or_of_its_log_of_another_day(log):
    assert read_progress(log, 0) is None
    log.write_text("step 20/120  loss 4.488\n")
    assert read_progress(log, log.stat().st_mtime + 1) is None


@pytest.mark.parametrize("columns", [100, 30])
def test_a_terminal_shows_what_runs_and_a_line_for_each_stage_that_has_ended(project, columns):
    status, written = run_in_terminal(SPLIT, project, columns, TOOLS)
    assert status == 0, written
    for name in ("convert_preferences", "split_preferences"):
        assert f"  {name}  " in next(line for line in written.splitlines() if "done" in line and name in line)
    assert "0 of 2 stages done" in written
    assert "jobid" not in written
    assert SHOW_CURSOR in written


def test_without_a_terminal_snakemake_prints_its_own_lines(project):
    done = run_command(*SPLIT, cwd=project)
    assert "rule split_preferences:" in done.stderr
    assert "\x1b" not in done.stderr


def test_the_reason_of_a_failure_is_said_last_and_commands_of_jobs_are_not(project):
    (project / "broken.jsonl").write_text('{"broken": 1}\n', encoding="utf-8")
    (project / "broken.yaml").write_text("data: {raw: broken.jsonl}\n", encoding="utf-8")
    status, written = run_in_terminal([*SPLIT, "--configfile", "broken.yaml"], project, 100, TOOLS)
    assert status == 1
    *_, last = (line for line in written.splitlines() if not any(own in line for own in LAST_LINES))
    assert "convert_preferences failed: broken.jsonl:1: its keys: broken" in last
    assert "--settings" not in written


def test_ctrl_c_ends_the_run_and_gives_the_terminal_back(project, tmp_path):
    (tmp_path / "python").write_text("#!/bin/sh\nexec sleep 600\n", encoding="utf-8")
    (tmp_path / "python").chmod(0o755)
    status, written = run_in_terminal(SPLIT, project, 100, f"{tmp_path}{os.pathsep}{TOOLS}", b"0 of 2 stages done")
    assert status == 1
    assert SHOW_CURSOR in written
    assert re.search(r"stopped\S*  \S*convert_preferences", written)
    assert "convert_preferences stopped by you; the same command goes on  [" in written.rpartition(SHOW_CURSOR)[2]
    assert "failed" not in written


def test_a_stage_that_a_signal_ends_is_said_to_be_ended_by_it(project, tmp_path):
    (tmp_path / "python").write_text("#!/bin/sh\necho 'step 40/120  loss 4.5'\nkill -KILL $$\n", encoding="utf-8")
    (tmp_path / "python").chmod(0o755)
    status, written = run_in_terminal(SPLIT, project, 100, f"{tmp_path}{os.pathsep}{TOOLS}")
    assert status == 1
    assert re.search(r"ended  \S*  \S*convert_preferences", written)
    assert (
        "convert_preferences ended by SIGKILL (the system does so where memory runs out); its last line: step 40/"
        in written.rpartition(SHOW_CURSOR)[2]
    )
    assert "failed" not in written.replace("Look above", "")
