"""The workflow as a module of another one, whose rules take what it makes."""

import re

from tests.support.project import ROOT

OUTER = re.search(r"^    workdir:.*?(?=^\S)", (ROOT / "docs/pipeline.md").read_text(encoding="utf-8"), re.M | re.S)


def test_a_rule_of_another_workflow_takes_the_merged_model(tmp_path, run):
    assert OUTER
    text = re.sub("^    ", "", OUTER[0], flags=re.MULTILINE).replace("/path/to/clone", str(ROOT))
    (tmp_path / "Snakefile").write_text(text, encoding="utf-8")
    planned = run("snakemake", "--dry-run", "--forceall", cwd=tmp_path)
    jobs = dict(re.findall(r"^(\w+) +(\d+)$", planned.stdout, re.MULTILINE))
    assert planned.returncode == 0, planned.stderr
    assert {"convert_preferences", "train_dpo", "merge_adapter", "weigh_model"} <= jobs.keys()
