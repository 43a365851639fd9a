"""tabulate_stages.py: a table of what each job took, from what Snakemake and the training measured."""

import csv
from pathlib import Path

import pytest

from pipeline.graph.tabulate_stages import tabulate_stages
from pipeline.models.loading import Loading

NOTHING_LOADED = {"loading_seconds": "", "packed_gib": "", "loading_memory_gib": ""}
HEAD = "s\th:m:s\tmax_rss\tmax_vms\tmax_uss\tmax_pss\tio_in\tio_out\tmean_load\tcpu_time\n"


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def benchmark(job: str, seconds: float, memory: str, run: str = "mine") -> Path:
    """Write what Snakemake writes of a job."""
    path = Path("results", run, "benchmarks", f"{job}.tsv")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"{HEAD}{seconds}\t0:00:01\t{memory}\t1\t1\t1\t0\t0\t0\t0\n", encoding="utf-8")
    return path


def read_table(run: str = "mine") -> list[dict[str, str]]:
    with Path("results", run, "stages.csv").open(encoding="utf-8", newline="") as table:
        return list(csv.DictReader(table))


def test_the_table_has_a_row_for_each_job_and_the_longest_first():
    tabulate_stages([benchmark("check_tokens", 5.5, "512"), benchmark("infer_shard.0", 61.2, "2048")])
    assert read_table() == [
        {"job": "infer_shard.0", "seconds": "61.2", "memory_gib": "2.0", "gpu_memory_gib": ""} | NOTHING_LOADED,
        {"job": "check_tokens", "seconds": "5.5", "memory_gib": "0.5", "gpu_memory_gib": ""} | NOTHING_LOADED,
    ]


def test_a_training_has_the_most_that_it_held_on_a_gpu():
    path = benchmark("train_dpo", 100, "2048")
    speed = path.parents[1] / "logs" / "train_dpo.speed.jsonl"
    speed.parent.mkdir()
    speed.write_text('{"step": 1, "memory_gib": 60.5}\n{"step": 2, "memory_gib": 59}\n', encoding="utf-8")
    assert "1 min 40 s   2.0 GiB, 60.5 GiB of a GPU" in tabulate_stages([path])
    assert read_table()[0]["gpu_memory_gib"] == "60.5"


def test_a_job_that_loaded_a_model_has_what_that_took():
    path = benchmark("infer_shard.0", 100, "2048")
    log = path.parents[1] / "logs" / "infer_shard.0.log"
    log.parent.mkdir()
    log.write_text(f"before\n{Loading(31.5, 13.4, 4.25)}\nafter\n", encoding="utf-8")
    tabulate_stages([path])
    figures = {"loading_seconds": "31.5", "packed_gib": "13.4", "loading_memory_gib": "4.25"}
    assert figures.items() <= read_table()[0].items()


def test_a_job_that_ended_before_it_was_looked_at_has_no_memory():
    tabulate_stages([benchmark("write_model_card", 0.1, "NA")])
    assert read_table()[0]["memory_gib"] == ""


def test_a_job_that_was_not_run_here_is_left_out():
    assert tabulate_stages([Path("results/mine/benchmarks/train_dpo.tsv")]) == ""


def test_of_several_runs_it_says_where_their_tables_are():
    said = tabulate_stages([benchmark("train_dpo", 1, "1", run="one"), benchmark("train_dpo", 1, "1", run="two")])
    assert said == "What each job took: results/<run>/stages.csv, of 2 runs"
    assert read_table("one") and read_table("two")
