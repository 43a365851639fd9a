"""explain_failure.py: a line for each job that failed."""

from pipeline.graph.explain_failure import explain_failure


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
