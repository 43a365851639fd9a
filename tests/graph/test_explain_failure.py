"""explain_failure.py: a line for each job that failed."""

import pytest

from pipeline.graph.explain_failure import explain_failure
from tests.support.small_disk import small_disk


def test_points_of_a_sweep_that_failed_in_one_rule_are_named_each_once(tmp_path):
    logs = {name: tmp_path / f"{name}.log" for name in ("soft", "sharp")}
    for name, log in logs.items():
        log.write_text(f"starts\nout of memory in {name}\n\n", encoding="utf-8")
    said = "".join(
        f"Error in rule train_dpo:\n    log: {log} (check it)\n    shell:\n        x\n" for log in logs.values()
    )
    (tmp_path / "snakemake.log").write_text(f"{said}Exiting.\n{said}", encoding="utf-8")
    assert explain_failure(str(tmp_path / "snakemake.log")).splitlines() == [
        f"train_dpo failed: out of memory in {name}  [{log}]" for name, log in logs.items()
    ]


def test_a_stage_that_could_not_say_why_it_failed_because_its_disk_is_full_is_explained_by_that(tmp_path):
    with small_disk(tmp_path / "disk", 1) as disk:
        log = disk / "build_tiny_model.log"
        log.touch()
        (disk / "full").write_bytes(bytes(disk.stat().st_blksize * 255))
        text = f"Error in rule build_tiny_model:\n    log: {log} (check it)\n    shell:\n        x\n"
        (tmp_path / "snakemake.log").write_text(text, encoding="utf-8")
        assert explain_failure(str(tmp_path / "snakemake.log")) == (
            f"build_tiny_model failed: no room is left on the disk of {disk}; make room, or let results/ be a link to "
            f"a larger disk  [{log}]"
        )


COMMAND = "CalledProcessError in file \"/x/Snakefile\", line 7:\nCommand 'set -euo pipefail;  python x >log' "
CTRL_C = "Terminating processes on user request, this might take some time.\n"
PROGRESS = "Train:  33%|###   | 40/120 [00:08<00:10,  1.7s/it]"
ASKED = "stopped at step 20 of 30 with a checkpoint, as SIGTERM asks; run the same command again to go on"
SLURM = "SLURM-job '3' failed, SLURM status is: '{}'. For further error details see the log"
BY_YOU = "stopped by you; the same command goes on"
OF_MEMORY = "ended by SIGKILL (the system does so where memory runs out)"


@pytest.mark.parametrize(
    ("before", "message", "last", "end"),
    [
        (f"{COMMAND}returned non-zero exit status 1.", "None", "no rows", "failed: no rows"),
        (f"{CTRL_C}{COMMAND}died with <Signals.SIGINT: 2>.", "None", PROGRESS, BY_YOU),
        (f"{CTRL_C}{COMMAND}returned non-zero exit status 1.", "None", "KeyboardInterrupt", BY_YOU),
        (f"{COMMAND}returned non-zero exit status 130.", "None", "step 40/120  loss 4.5", BY_YOU),
        (
            f"{COMMAND}died with <Signals.SIGTERM: 15>.",
            "None",
            PROGRESS,
            f"ended by SIGTERM; its last line: {PROGRESS}",
        ),
        (f"{COMMAND}returned non-zero exit status 143.", "None", "x", "ended by SIGTERM; its last line: x"),
        (f"{COMMAND}returned non-zero exit status 137.", "None", "x", f"{OF_MEMORY}; its last line: x"),
        (f"{COMMAND}returned non-zero exit status 1.", "None", ASKED, ASKED),
        (
            f"{COMMAND}returned non-zero exit status 1.",
            "None",
            "swift rlhf stopped with status 1: rank 1 was ended by SIGKILL",
            "ended: swift rlhf stopped with status 1: rank 1 was ended by SIGKILL",
        ),
        (
            f"{COMMAND}returned non-zero exit status 1.",
            "None",
            PROGRESS,
            f"ended without a reason in its log; its last line: {PROGRESS}",
        ),
        ("", SLURM.format("TIMEOUT"), "x", "ended by Slurm (TIMEOUT); its last line: x"),
        ("", SLURM.format("FAILED"), "no rows", "failed: no rows"),
    ],
)
def test_a_job_that_a_signal_or_its_user_ended_is_not_said_to_have_failed(tmp_path, before, message, last, end):
    log = tmp_path / "train_dpo.log"
    log.write_text(f"starts\n{last}\n", encoding="utf-8")
    earlier = f"{COMMAND}died with <Signals.SIGKILL: 9>.\nError in rule other:\n    shell:\n        x\n"
    said = (
        f"{before}\nError in rule train_dpo:\n    message: {message}\n    log: {log} (check)\n    shell:\n        x\n"
    )
    (tmp_path / "snakemake.log").write_text(earlier + said, encoding="utf-8")
    assert explain_failure(str(tmp_path / "snakemake.log")) == f"train_dpo {end}  [{log}]"
