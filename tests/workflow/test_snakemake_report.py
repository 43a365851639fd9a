"""The report's rule, and Snakemake's own report of a run with it: both are made without a network."""

import pytest

from tests.support.evaluated_run import write_run

RULE = ["--allowed-rules", "write_report", "--", "results/tiny/report.html"]
NO_NETWORK = {"http_proxy": "http://127.0.0.1:9", "https_proxy": "http://127.0.0.1:9"}


@pytest.fixture
def reported(project, run):
    """Return a copy of the project where the rule has written the report of a run."""
    write_run(project / "results" / "tiny", 12)
    for manifest in ("model.sha256", "dpo/adapter.sha256"):
        (project / "results" / "tiny" / manifest).write_text("", encoding="utf-8")
    done = run("snakemake", "--cores", "1", *RULE, cwd=project, **NO_NETWORK)
    assert done.returncode == 0, done.stdout + done.stderr
    return project


def test_snakemake_has_a_report_of_its_own_with_the_page_and_the_curves(reported, run):
    done = run("snakemake", "--report", "all.html", *RULE, cwd=reported, **NO_NETWORK)
    assert done.returncode == 0, done.stdout + done.stderr
    text = (reported / "all.html").read_text(encoding="utf-8")
    assert "A curve of the training of tiny. Dashed: held-out pairs." in text
    assert "results/tiny/plots/reward_margin.svg" in text
