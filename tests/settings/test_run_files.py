"""run_files.py: what a script finds in the folders of a run is what its rule declares."""

from pathlib import Path

import pytest

from pipeline.graph.list_jobs import Job, list_jobs
from pipeline.settings.check import load_config
from pipeline.settings.run_files import RunFiles
from pipeline.settings.runs import list_runs
from tests.support.project import ROOT, embedded_pairs

SWEEP = ROOT / "experiments" / "tiny-sweep.yaml"
CHANGES = {"sft": {"enabled": True}}
POINT = "learning_rate=0.003-rpo_alpha=1.0"


@pytest.fixture(scope="module")
def jobs() -> list[Job]:
    """Return the jobs of a sweep with SFT."""
    embedded_pairs()
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(ROOT)
        return list_jobs([SWEEP], CHANGES)


@pytest.fixture(scope="module")
def files() -> RunFiles:
    """Return the files of a point of the sweep."""
    run = list_runs(load_config([SWEEP]))[f"tiny-sweep-{POINT}"]
    return RunFiles(Path(run.folder), Path(run.training), Path(run.shared))


def inputs(jobs: list[Job], rule: str) -> set[Path]:
    """Return the inputs of a rule's job for the point."""
    (found,) = (job.inputs for job in jobs if job.rule == rule and job.point in (POINT, ""))
    return set(map(Path, found))


def test_the_report_reads_what_its_rule_declares(jobs, files):
    read = {files.metrics, files.answers, files.curves, files.sft_curves, files.in_force, files.coverage}
    assert inputs(jobs, "write_report") == read | {files.tokens, files.pairs, files.model, files.adapter}


def test_the_card_reads_what_its_rule_declares(jobs, files):
    read = {files.metrics, files.in_force, files.training_metrics, files.merged, files.merged_manifest}
    assert inputs(jobs, "write_model_card") == read | {files.train, files.val}


@pytest.mark.parametrize(
    ("rule", "names"),
    [("tabulate_sweep", ["training_metrics"]), ("write_sweep_report", ["training_metrics", "metrics"])],
)
def test_the_pages_of_a_sweep_read_what_their_rules_declare(jobs, files, rule, names):
    declared = inputs(jobs, rule)
    assert {getattr(files, name) for name in names} <= declared
    assert len(declared) == 4 * len(names)


def test_a_run_has_the_gates_of_all_its_stages():
    places = dict(RunFiles(Path("results/warm"), Path("results/soft"), Path("results/s")).gates)
    assert {stage: path.parts[1] for stage, path in places.items()} == {
        "data": "s", "sft": "s", "sft/merge": "s", "dpo": "soft", "merge": "soft", "infer": "warm", "evaluate": "warm",
        "evaluate/neutral": "warm",
    }  # fmt: skip
    assert all(path.parts[2:] == (*stage.split("/"), "gates.json") for stage, path in places.items())


def test_a_run_alone_has_all_its_files():
    files = RunFiles(Path("results/tiny"))
    assert files.trained_here
    assert (files.merged, files.quality) == (Path("results/tiny/merged"), Path("results/tiny/data/quality.json"))
