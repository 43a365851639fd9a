"""write_provenance.py: the RO-Crate of jobs that really ran. tests/runs/provenance validates such crates."""

import base64
import hashlib
import json
import shutil
from pathlib import Path

import pytest
import yaml
from rocrate.rocrate import ROCrate

from pipeline.provenance.run_records import trace_back
from tests.support.small_run import CONFIG, ENVIRONMENT, FILES, TARGETS, run_small, write_crate

MACHINE = {
    "commit": "abc123", "uncommitted_changes": True, "untracked_files": ["mine.yaml"],
    "command": None, "started": "2026-01-01T10:00:00Z",
    "ended": "2026-01-01T10:01:00Z", "seconds": 60, "system": "Linux 6.1 x86_64", "python": "3.11.2",
    "processor": "A processor", "cores": 2, "memory_gib": 8, "gpus": [],
}  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """Return a folder in which the small workflow ran, and its crate was written."""
    folder = tmp_path_factory.mktemp("small")
    run_small(folder)
    record = folder / "results/small/logs/train_dpo.machine.json"
    record.write_text(json.dumps(MACHINE), encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        write_crate(*TARGETS, data={"languages": None})
    return folder


@pytest.fixture
def text(folder) -> str:
    return (folder / "results/small/ro-crate-metadata.json").read_text(encoding="utf-8")


@pytest.fixture
def entities(text) -> dict[str, dict]:
    return {entity["@id"]: entity for entity in json.loads(text)["@graph"]}


def actions(entities: dict[str, dict]) -> dict[str, dict]:
    """Return the actions by name, except the run as a whole."""
    found = [entity for entity in entities.values() if entity["@type"] == "CreateAction"]
    return {action["name"]: action for action in found if action["@id"] != "#run"}


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_every_job_behind_the_results_is_an_action_and_no_other_is(entities):
    assert set(actions(entities)) == {"count_rows-0", "count_rows-1", "add_counts"}


def test_an_action_has_the_command_that_ran(entities):
    shown = actions(entities)["count_rows-0"]["description"]
    assert shown.startswith("sh scripts/count.sh data/pairs.jsonl >results/small/counts/")


def test_actions_started_before_they_ended_and_the_run_spans_them(entities):
    times = [(action["startTime"], action["endTime"]) for action in actions(entities).values()]
    assert all(start <= end for start, end in times)
    run = entities["#run"]
    assert (run["startTime"], run["endTime"]) == (min(start for start, _ in times), max(end for _, end in times))


def test_what_a_job_read_and_made_is_linked(entities):
    action = actions(entities)["add_counts"]
    assert [part["@id"] for part in action["object"]] == ["counts/0.txt", "counts/1.txt"]
    assert [part["@id"] for part in action["result"]] == ["merged/", "merged.sha256", "gates.json"]


def test_every_file_in_the_crate_has_its_size_and_hash(folder, entities):
    files = [
        entity for entity in entities.values() if "File" in entity["@type"] and not entity["@id"].startswith("ni:")
    ]
    assert {"merged/sum.txt", "counts/0.txt", "workflow/config.yaml"} <= {entity["@id"] for entity in files}
    paths = {entity["@id"]: folder / "results/small" / entity["@id"] for entity in files}
    assert all(entity["sha256"] == sha256(paths[entity["@id"]]) for entity in files)
    assert all(int(entity["contentSize"]) == paths[entity["@id"]].stat().st_size for entity in files)


def test_what_lies_outside_the_crate_is_named_by_its_hash(folder, entities):
    outside = {entity["name"]: entity for key, entity in entities.items() if key.startswith("ni:///sha-256;")}
    assert {name: entity["sha256"] for name, entity in outside.items()} == {
        name: sha256(folder / name) for name in ("data/pairs.jsonl", "scripts/count.sh")
    }


def test_raw_data_and_settings_are_the_inputs_of_the_workflow(entities):
    inputs = [entities[part["@id"]] for part in entities["workflow/Snakefile"]["input"]]
    examples = {parameter["name"]: entities[parameter["workExample"]["@id"]]["name"] for parameter in inputs}
    assert examples == {"data": "data/pairs.jsonl", "settings": "workflow/config.yaml"}


def test_the_workflow_is_copied_with_its_settings_and_the_versions_that_ran(folder):
    copy = folder / "results/small/workflow"
    assert (copy / "rules/count.smk").read_text(encoding="utf-8") == FILES["rules/count.smk"]
    settings = yaml.safe_load((copy / "config.yaml").read_text(encoding="utf-8"))
    assert (settings["run"], settings["data"]["languages"]) == ("small", None)
    assert set(CONFIG) - set(settings) == {"dvc", "sweep"}
    assert [path.read_text(encoding="utf-8") for path in (copy / "envs").iterdir()] == [ENVIRONMENT]


def test_each_rule_names_the_versions_that_it_ran_with(entities):
    needs = entities["#rule-add_counts"]["softwareRequirements"]["@id"]
    assert needs.startswith("workflow/envs/workflow-") and needs in entities


def test_the_version_of_snakemake_is_that_of_the_environment(entities):
    assert entities["https://snakemake.github.io/"]["softwareVersion"] == "9.27.1"


def test_the_commit_and_the_machine_of_the_training_are_named_where_they_were_recorded(entities):
    assert entities["workflow/Snakefile"]["version"] == "abc123 with uncommitted changes (untracked: mine.yaml)"
    assert "Linux 6.1 x86_64, Python 3.11.2, A processor, 2 cores, 8 GiB" in entities["#run"]["description"]


@pytest.mark.parametrize(
    ("raw", "licence"),
    [
        ("data/preferences.jsonl", {"@id": "https://spdx.org/licenses/MIT"}),
        ("mine.jsonl", "not stated: that of the model and of the data that the run was given"),
    ],
)
def test_a_licence_is_stated_for_the_embedded_pairs_alone(folder, tmp_path, monkeypatch, raw, licence):
    copy = tmp_path / "copy"
    shutil.copytree(folder, copy)
    monkeypatch.chdir(copy)
    write_crate(*TARGETS, data={"raw": raw})
    graph = json.loads((copy / "results/small/ro-crate-metadata.json").read_text(encoding="utf-8"))["@graph"]
    assert next(entity for entity in graph if entity["@id"] == "./")["license"] == licence


def test_the_crate_names_no_folder_of_this_machine(folder, text):
    assert str(folder) not in text


def test_the_library_of_ro_crate_reads_it(folder):
    crate = ROCrate(folder / "results/small")
    assert crate.mainEntity["name"] == "DPO fine-tuning of gpt-oss"
    assert crate.dereference("merged/sum.txt")["contentSize"] == "4"


def test_an_input_keeps_the_hash_that_it_had_when_the_job_ran(folder, monkeypatch):
    monkeypatch.chdir(folder)
    job = next(job for job in trace_back(TARGETS) if job.rule == "count_rows")
    assert job.checksums["data/pairs.jsonl"] == hashlib.sha256(FILES["data/pairs.jsonl"].encode()).hexdigest()


def test_a_record_that_another_job_is_writing_is_passed_over(folder, monkeypatch):
    monkeypatch.chdir(folder)
    half = folder / ".snakemake/metadata" / base64.b64encode(b"results/small/half.txt").decode()
    half.write_text('{"rule": "do_some', encoding="utf-8")
    assert [job.rule for job in trace_back(TARGETS)] == ["count_rows", "count_rows", "add_counts"]


def test_a_result_without_a_record_is_named_and_nothing_is_written(folder, monkeypatch, tmp_path):
    monkeypatch.chdir(folder)
    before = (folder / "results/small/ro-crate-metadata.json").read_bytes()
    with pytest.raises(SystemExit) as stopped:
        write_crate("results/small/unknown.txt")
    assert str(stopped.value).startswith("results/small/unknown.txt: Snakemake has no record of it; ")
    assert (folder / "results/small/ro-crate-metadata.json").read_bytes() == before
