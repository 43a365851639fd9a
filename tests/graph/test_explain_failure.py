"""explain_failure.py: a line for each job that failed."""

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
