"""The graph: what it plans, what it refuses before it starts, and the rules' common form."""

import json
import os
import re
import shutil
from collections import Counter
from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml

from pipeline.graph.check_machine import check_machine, check_plan, refuse_future_times, require_writable
from pipeline.settings.check import check_config, load_config, merge
from pipeline.settings.flags import swift_flags
from tests.support.both_engines import in_folder
from tests.support.project import ROOT
from tests.support.small_disk import small_disk

EXPERIMENTS = sorted(path.relative_to(ROOT) for path in (ROOT / "experiments").rglob("*.yaml"))
RULES = "\n".join(path.read_text(encoding="utf-8") for path in sorted((ROOT / "rules").glob("*.smk")))
# Rules that take over another one's text, by name: the other one's name.
TAKEN_OVER = {name: other for other, name in re.findall(r"^\s*use rule (\w+) as (\w+) with:", RULES, re.MULTILINE)}
# Rules with a script of their own.
NAMES = re.findall(r"^\s*rule (\w+):", RULES, re.MULTILINE)
NAMES += [name for name in TAKEN_OVER if (ROOT / "scripts" / f"{name}.py").is_file()]
# The answers of the model before DPO; what is not in the graph unless a setting asks for it; what each point of a sweep
# has of its own.
BEFORE_DPO = ("infer_shard_before", "gather_predictions_before")
MODEL_RULES = {"build_tiny_model", "build_random_model", "check_model", "dequantise_model"}
ASKED_FOR = {"judge_answers", "score_comet", "check_prompts", "hold_out_pairs", "add_analyses", "export_gguf"}
EACH_POINT = (
    *("train_dpo", "tabulate_curves", "merge_adapter", "infer_shard", "gather_predictions"),
    *("evaluate_answers", "evaluate_pairs", "evaluate_neutral", "gather_metrics", "track_answers"),
    *("write_report", "write_model_card", "write_provenance"),
)
TUTORIAL_FLAGS = """--deepspeed zero3 --tuner_type lora --torch_dtype bfloat16 --num_train_epochs 1
    --per_device_train_batch_size 2 --per_device_eval_batch_size 1 --learning_rate 0.0004 --lora_rank 8 --lora_alpha 32
    --target_modules all-linear --gradient_accumulation_steps 4 --save_strategy epoch --save_total_limit 5
    --logging_steps 5 --max_length 8192 --warmup_ratio 0.05 --dataloader_num_workers 4 --use_liger_kernel true
    --load_from_cache_file false --loss_scale ignore_empty_think --model_author swift --model_name swift-robot"""
PROFILE = yaml.safe_load((ROOT / "profiles" / "default" / "config.yaml").read_text(encoding="utf-8"))
CEILINGS = {name: SimpleNamespace(value=value) for name, value in PROFILE["resources"].items()}


def body(name: str) -> str:
    """Return the text of a rule; of one that takes over another's, what it has in its place."""
    head = f" as {name} with:" if name in TAKEN_OVER else f"rule {name}:"
    return RULES.partition(head)[2].partition("\nrule ")[0]


@pytest.fixture
def snakemake(project, run):
    """Return a function that runs Snakemake in the copy of the project."""
    return lambda *arguments, **environment: run("snakemake", *arguments, cwd=project, **environment)


def overlay(folder: Path, **sections) -> str:
    """Write an overlay and return its name."""
    (folder / "overlay.yaml").write_text(yaml.safe_dump(sections), encoding="utf-8")
    return "overlay.yaml"


def list_commands(overlay: str, folder: Path = ROOT) -> list[dict]:
    """Return rule, inputs, outputs, resources and words of the command of every job of a run, under an overlay."""
    jobs: list[dict] = in_folder(folder, "tests.support.plans:list_commands", [overlay])
    return jobs


def count_jobs(folder: Path, **sections) -> Counter[str]:
    """Return how many jobs of each rule an overlay plans."""
    return Counter(in_folder(folder, "tests.support.plans:plan_snakemake", [overlay(folder, **sections)]))


def grid(beta: list[float]) -> dict:
    """Return a sweep over beta by two learning rates."""
    return {"grid": {"dpo.beta": beta, "dpo.learning_rate": [3.0e-4, 0.001]}}


def stand_in(folder: Path, jobs: list[dict]) -> None:
    """Write an empty file, or an empty folder, for everything that these jobs write."""
    for path in (folder / output for job in jobs for output in job["outputs"]):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch() if path.suffix else path.mkdir(exist_ok=True)


@pytest.mark.parametrize("name", NAMES)
def test_a_rule_has_a_script_a_log_a_benchmark_and_an_environment_of_its_own(name):
    named = body(name).partition("output:")[2].partition("log:")[0]
    shard = "".join(f".{{{part}}}" for part in ("model", "side", "prompts", "shard") if f"{{{part}}}" in named)
    assert (ROOT / "scripts" / f"{name}.py").is_file()
    assert f'"results/{{run}}/logs/{name}{shard}.log"' in body(name)
    assert f'"results/{{run}}/benchmarks/{name}{shard}.tsv"' in body(name)
    environment = re.search(r'conda:\s+"\.\./(envs/\w+\.yaml)"', body(TAKEN_OVER.get(name, name)))
    assert environment and (ROOT / environment[1]).is_file()


def test_there_are_experiments():
    assert EXPERIMENTS


@pytest.mark.parametrize("experiment", EXPERIMENTS, ids=str)
def test_an_experiment_plans_the_whole_graph(experiment):
    planned = {job["rule"] for job in list_commands(str(experiment))}
    settings = load_config([ROOT / experiment])
    model_rule = "build_random_model" if settings["model"]["random"] else "build_tiny_model"
    model_rule = "check_model" if settings["model"]["folder"] else model_rule
    expected = {*NAMES, *BEFORE_DPO} - (MODEL_RULES - {model_rule}) - ASKED_FOR
    expected |= {"dequantise_model"} if settings["model"]["weights"] == "bfloat16" else set()
    expected -= set() if settings["sweep"] else {"tabulate_sweep", "write_sweep_report"}
    if not settings["sft"]["enabled"]:
        expected -= {"prepare_sft", "train_sft"}
    elif settings["sft"]["join"] == "merged":
        expected |= {"merge_sft"}
    assert planned == expected


@pytest.mark.parametrize("experiment", EXPERIMENTS, ids=str)
def test_an_experiment_asks_for_no_more_than_the_default_profile_gives(experiment, monkeypatch):
    monkeypatch.chdir(ROOT)
    check_plan(load_config([ROOT / experiment]), CEILINGS)


@pytest.mark.parametrize(("analyses", "check"), [(None, "check_tokens"), ("base", "check_tokens_early")])
def test_no_gpu_works_before_every_pair_has_passed_the_checks(tmp_path, analyses, check):
    settings = yaml.safe_load((ROOT / "experiments" / "gpt-oss-20b-sft.yaml").read_text(encoding="utf-8"))
    settings["data"] = settings.get("data", {}) | {"analyses": analyses}
    jobs = list_commands(str(tmp_path / overlay(tmp_path, **settings)))
    later = {path for job in jobs if job["rule"] == check for path in job["outputs"]}
    while more := {path for job in jobs if later & set(job["inputs"]) for path in job["outputs"]} - later:
        later |= more
    on_gpu = [job for job in jobs if job["resources"].get("gpu")]
    assert len(on_gpu) > 5
    assert {job["rule"] for job in on_gpu if not later & set(job["outputs"])} == set()


def test_the_tutorial_is_trained_with_its_own_flags_on_four_h20():
    (training,) = [job for job in list_commands("experiments/tutorial.yaml") if job["rule"] == "train_dpo"]
    assert (training["resources"]["gpu"], training["resources"]["gpu_model"]) == (4, "h20")
    settings = json.loads(after("--settings", training["words"]))
    assert settings["train"]["gpus"] == 4
    words = swift_flags(settings["dpo"]).split()
    for flag, value in zip(TUTORIAL_FLAGS.split()[::2], TUTORIAL_FLAGS.split()[1::2], strict=True):
        assert after(flag, words) == value, flag


def after(flag: str, words: list[str]) -> str:
    """Return the word after a flag."""
    return words[words.index(flag) + 1]


def test_a_sweep_trains_each_point_and_computes_what_they_share_once(project):
    jobs = count_jobs(project, sweep=grid([0.05, 0.2]))
    shared = ("convert_preferences", "split_preferences", "build_tiny_model", "check_tokens")
    shared += ("check_neutral", "tabulate_sweep", "write_sweep_report")
    assert jobs.pop("score_pairs") == jobs.pop("score_neutral") == 5  # of each point, and of the model before
    assert jobs == dict.fromkeys([*shared, *BEFORE_DPO], 1) | dict.fromkeys(EACH_POINT, 4)


def test_a_sweep_of_answers_trains_once(project):
    jobs = count_jobs(project, sweep={"grid": {"infer.temperature": [0, 0.5, 1]}})
    assert (jobs["train_dpo"], jobs["merge_adapter"], jobs["infer_shard"]) == (1, 1, 3)


def test_an_export_is_made_of_each_trained_model_once_and_only_where_it_is_asked_for(project):
    answers = {"grid": {"infer.temperature": [0, 0.5, 1]}}
    assert count_jobs(project, sweep=answers)["export_gguf"] == 0
    assert count_jobs(project, sweep=answers, export={"gguf": True})["export_gguf"] == 1
    assert count_jobs(project, sweep=grid([0.05]), export={"gguf": True})["export_gguf"] == 2


def test_prompts_of_ones_own_are_checked_once_and_answered_by_the_tuned_model_of_each_point(project):
    (project / "own.txt").write_text("one\n", encoding="utf-8")
    prompts = {"own": "own.txt", "more": "own.txt"}
    jobs = count_jobs(project, infer={"prompts": prompts, "shards": 2}, sweep={"grid": {"dpo.beta": [0.05, 0.2]}})
    asked = {name: jobs[name] for name in ("check_prompts", "infer_shard_prompts", "gather_predictions_prompts")}
    assert asked == {"check_prompts": 2, "infer_shard_prompts": 8, "gather_predictions_prompts": 4}


def test_without_a_neutral_text_nothing_of_it_is_planned(project):
    assert [rule for rule in count_jobs(project, evaluate={"neutral": None}) if "neutral" in rule] == []


def test_pairs_of_ones_own_are_held_out_in_place_of_a_part_of_the_others(project):
    (project / "val.jsonl").write_text("{}\n", encoding="utf-8")
    jobs = count_jobs(project, data={"val": "val.jsonl"})
    assert jobs["split_preferences"] == 0
    assert (jobs["convert_preferences"], jobs["convert_val"], jobs["hold_out_pairs"]) == (1, 1, 1)


def test_the_files_of_all_sources_are_inputs_of_the_conversion(tmp_path, project):
    for name in ("a", "b"):
        (project / f"{name}.jsonl").write_text("{}\n", encoding="utf-8")
    jobs = list_commands(overlay(project, data={"raw": ["a.jsonl", {"file": "b.jsonl", "limit": 5}]}), project)
    (words,) = [job["words"] for job in jobs if job["rule"] == "convert_preferences"]
    assert words[3:5] == ["a.jsonl", "b.jsonl"]
    assert json.loads(after("--settings", words))["data"]["raw"] == ["a.jsonl", {"file": "b.jsonl", "limit": 5}]


def test_a_point_is_trained_with_its_own_values_on_the_shared_pairs_and_model(tmp_path):
    overlay(tmp_path, sweep=grid([0.05, 0.2]))
    out = "results/tiny-beta=0.05-learning_rate=0.0003/dpo"
    jobs = list_commands(str(tmp_path / "overlay.yaml"))
    (words,) = [job["words"] for job in jobs if f"{out}/adapter" in job["outputs"]]
    dpo = json.loads(after("--settings", words))["dpo"]
    assert (dpo["beta"], dpo["learning_rate"]) == (0.05, 0.0003)
    flags = {"--pairs": "results/tiny/dpo/train.jsonl", "--model": "results/tiny/model", "--out": out}
    assert {flag: after(flag, words) for flag in flags} == flags


def test_a_value_added_to_a_sweep_costs_its_own_points_alone(snakemake, project):
    before = overlay(project, sweep=grid([0.05]))
    stand_in(project, list_commands(before, project))
    assert snakemake("--touch", "--configfile", before).returncode == 0  # records settings and code, as a run does
    assert count_jobs(project, sweep=grid([0.05])) == {}
    jobs = count_jobs(project, sweep=grid([0.05, 0.2]))
    assert jobs.pop("score_pairs") == jobs.pop("score_neutral") == 2
    assert jobs == {"tabulate_sweep": 1, "write_sweep_report": 1} | dict.fromkeys(EACH_POINT, 2)


def test_the_default_profile_lets_one_training_use_four_gpus_at_a_time():
    assert CEILINGS["gpu"].value == 4


# One of each way out: found in the settings, before planning, and on this machine.
UNKNOWN = (
    {"dpo": {"lerning_rate": 1}},
    "overlay.yaml: dpo.lerning_rate: unknown setting; did you mean dpo.learning_rate?",
)
ABOVE = (
    {"train": {"gpus": 8}},
    "train.gpus is 8, above the ceiling of 4 that Snakemake was given; lower it, or add --resources gpu=8",
)
NO_GPU = (
    {"train": {"gpus": 4}},
    "train.gpus is 4, but this machine has no GPUs; run it where there are 4, or try a tiny model on the CPU: make run "
    "EXPERIMENT=embedded-pairs, or make new EXPERIMENT=try DATA=my_pairs.jsonl",
)


@pytest.mark.parametrize(("sections", "line"), [UNKNOWN, ABOVE])
def test_a_run_that_cannot_work_anywhere_ends_in_one_line_before_anything_is_planned(
    snakemake, project, sections, line
):
    refused = snakemake("--dry-run", "--configfile", overlay(project, **sections))
    assert refused.returncode == 1
    assert refused.stderr.splitlines()[-1] == line
    assert "Traceback" not in refused.stderr


@pytest.mark.parametrize(
    ("sections", "line"),
    [
        ({"train": {"gpus": "4"}}, "overlay.yaml: train.gpus: '4' is text, not a number; write 4"),
        (
            {"sweep": {"grid": {"dpo.max_length": [256, 512]}}},
            "overlay.yaml: sweep: dpo.max_length: decides which pairs are trained, and all points share those; "
            "write an overlay for each value",
        ),
        ({"data": {"raw": "pairs.json"}}, "pairs.json: no such file; put it there, or set data.raw"),
        (
            {"data": {"raw": "."}},
            ".: names files in results/tiny, where the run writes; set data.raw to the data alone",
        ),
        (
            {"data": {"raw": "data/**.jsonl"}},
            "data/**.jsonl: neither a path nor a glob (Invalid pattern: '**' can only be an entire path component); "
            "set data.raw to one",
        ),
        (
            {"data": {"val": "data/**.jsonl"}},
            "data/**.jsonl: neither a path nor a glob (Invalid pattern: '**' can only be an entire path component); "
            "set data.val to one",
        ),
        ({"data": {"raw": ["data/*.jsonl", "more"]}}, "more: no such file; put it there, or set data.raw"),
        (
            {"data": {"raw": ["data", {"file": "data/*.jsonl", "limit": 5}]}},
            "data/preferences.jsonl: named twice in data.raw, by data and data/*.jsonl; keep one of them",
        ),
        (
            {"data": {"val": "."}},
            ".: names files in results/tiny, where the run writes; set data.val to the data alone",
        ),
        ({"data": {"val": "no.jsonl"}}, "no.jsonl: no such file; put it there, or set data.val"),
        (
            {"data": {"val": "data/interface/p*.jsonl"}},
            f"{(ROOT / 'data' / 'interface' / 'pairs.jsonl').resolve()}: in data.val and in data.raw; "
            "move it out of what data.raw names",
        ),
        (
            {"infer": {"prompts": {"own": "no.txt"}}},
            "no.txt: no such file; put it there, or set infer.prompts.own",
        ),
        ({"sft": {"enabled": True, "data": "no.jsonl"}}, "no.jsonl: no such file; put it there, or set sft.data"),
        ({"evaluate": {"terms": "no.tsv"}}, "no.tsv: no such file; put it there, or set evaluate.terms"),
        ({"evaluate": {"neutral": "no.jsonl"}}, "no.jsonl: no such file; put it there, or set evaluate.neutral"),
        ({"evaluate": {"neutral": "data/no.jsonl"}}, "data/no.jsonl: no such file; run `dvc pull data.dvc`"),
        (
            {"evaluate": {"external": {"dpo": ["no.json"]}}},
            "no.json: no such file; put it there, or set evaluate.external",
        ),
        (
            {"evaluate": {"own": [{"name": "polite", "function": "no.py:is_polite", "better": None}]}},
            "no.py: no such file; put it there, or set evaluate.own",
        ),
        (
            {
                "evaluate": {
                    "judge": {
                        **{"url": "http://localhost/v1", "model": "m", "key_variable": "KEY"},
                        **{"limit": None, "prompt": "no.txt"},
                    }
                }
            },
            "no.txt: no such file; put it there, or set evaluate.judge.prompt",
        ),
    ],
)
def test_what_cannot_work_is_named_with_its_fix(tmp_path, monkeypatch, sections, line):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data").symlink_to(ROOT / "data")
    file = Path(overlay(tmp_path, **sections))
    with pytest.raises(SystemExit, match=f"^{re.escape(line)}$"):
        check_before_planning(file)


@pytest.mark.parametrize(
    ("name", "fault"),
    [
        ("{run}.jsonl", "has { in it, which Snakemake takes for a wildcard; give the file another name"),
        ("a\nb.jsonl", "has a line break in it; take it out"),
        ("\udcff.jsonl", "has U+DCFF in it, half of a character; write the whole one"),
    ],
)
def test_a_file_whose_name_snakemake_could_not_take_is_named_where_a_folder_is_data(tmp_path, monkeypatch, name, fault):
    monkeypatch.chdir(tmp_path)
    for file in ("mine/a.jsonl", f"mine/{name}"):
        (tmp_path / "mine").mkdir(exist_ok=True)
        (tmp_path / file).touch()
    with pytest.raises(SystemExit) as refused:
        check_before_planning(Path(overlay(tmp_path, data={"raw": "mine"})))
    assert refused.value.code == f"data.raw: mine/{ascii(name)[1:-1]}: {fault}"


@pytest.mark.parametrize("path", ["results", "results/tiny", "results/tiny/data"])
@pytest.mark.parametrize("is_link", [False, True], ids=["a file", "a link to nothing"])
def test_what_stands_where_the_run_needs_a_folder_is_named(tmp_path, monkeypatch, path, is_link):
    there = tmp_path / path
    there.parent.mkdir(parents=True, exist_ok=True)
    there.symlink_to("nothing") if is_link else there.touch()
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit, match=f"^{path}: not a folder, but the run writes into it; move it away$"):
        require_writable({Path("results"), Path("results/tiny/data")})


def test_a_file_in_place_of_the_results_is_named_before_anything_is_planned(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "results").touch()
    with pytest.raises(SystemExit, match=r"^results: not a folder, but the run writes into it; move it away$"):
        check_before_planning(Path(overlay(tmp_path)))


def test_a_file_of_tomorrow_is_named_with_the_command_that_sets_its_time(tmp_path):
    files = [tmp_path / "now.jsonl", tmp_path / "to'morrow.jsonl", tmp_path / "none.jsonl"]
    for file in files[:2]:
        file.touch()
    os.utime(files[1], (2e9, 4e9))
    with pytest.raises(
        SystemExit, match=r"to'morrow\.jsonl: its time, 2096-10-\d\d \d\d:\d\d, is in the future; .*touch '"
    ):
        refuse_future_times(files)
    refuse_future_times(files[:1])


def check_before_planning(file: Path) -> None:
    """Check an overlay as the Snakefile does."""
    config = load_config([file])
    check_config(config, [file])
    check_plan(config, CEILINGS)


def test_missing_embedded_data_is_named_with_the_command_that_fetches_it(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit, match=r"^data/interface/pairs.jsonl: no such file; run `dvc pull data.dvc`$"):
        check_plan(load_config([]), {})


@pytest.fixture
def no_gpus(monkeypatch) -> dict[str, str]:
    """Hide the programs of the system but those that are needed, and SwanLab's key; return the same for a command."""
    if shutil.which("nvidia-smi", path="/usr/bin:/bin"):
        pytest.skip("this machine has GPUs")
    hidden = {"PATH": f"{ROOT / '.venv' / 'bin'}:/usr/bin:/bin", "SWANLAB_API_KEY": ""}
    for name, value in hidden.items():
        monkeypatch.setenv(name, value)
    return hidden


def test_a_run_that_cannot_work_here_ends_in_one_line_before_any_job_starts(snakemake, project, no_gpus):
    sections, line = NO_GPU
    refused = snakemake("--configfile", overlay(project, **sections), **no_gpus)
    assert refused.returncode == 1
    assert refused.stderr.splitlines()[-1] == line
    assert "Traceback" not in refused.stderr
    assert not (project / "results" / "tiny").exists()


@pytest.mark.parametrize(
    ("sections", "line"),
    [
        (
            {"model": {"folder": "models/none"}},
            "models/none: no such folder; put gpt-oss there in Hugging Face's layout, or set model.folder",
        ),
        (
            {"tracking": {"mode": "cloud"}},
            "tracking.mode is cloud: set SWANLAB_API_KEY in the environment, or choose offline",
        ),
    ],
)
def test_what_this_machine_lacks_is_named_with_its_fix(no_gpus, sections, line):
    with pytest.raises(SystemExit, match=f"^{re.escape(line)}$"):
        check_machine(merge(load_config([]), sections), conda=False)


def test_an_export_stops_before_any_job_where_its_converter_is_not_installed(no_gpus, project, monkeypatch):
    monkeypatch.chdir(project)
    line = ".venv-serving: the serving environment is missing; run: envs/install.sh serving .venv-serving"
    with pytest.raises(SystemExit, match=f"^{re.escape(line)}$"):
        check_machine(load_config([]) | {"export": {"gguf": True}}, conda=False)


def test_results_that_cannot_be_written_are_named_before_any_job_starts(snakemake, project):
    with small_disk(project / "results", 1, "ro"):
        refused = snakemake()
    assert refused.returncode == 1
    assert (
        refused.stderr.splitlines()[-1]
        == "results: cannot be written to; make it writable, or link it to where there is room"
    )


def test_a_corrupt_data_file_ends_in_one_line_that_names_its_line(snakemake, project):
    with (project / "data" / "interface" / "pairs.jsonl").open("a", encoding="utf-8") as rows:
        rows.write('{"messages": [\n')
    failed = snakemake("results/tiny/data/train.jsonl")  # not the tiny model, which needs no pairs
    assert failed.returncode == 1
    assert (
        "convert_preferences failed: data/interface/pairs.jsonl:761: column 15: Expecting value; "
        "write one JSON object on each line, or one JSON array (not-json), or go on without such rows: "
        "data.on_problem: drop  [results/tiny/logs/convert_preferences.log]"
    ) in failed.stdout.splitlines()
    assert "Traceback" not in failed.stdout + failed.stderr
    left = {path.name for path in (project / "results" / "tiny" / "data").iterdir()}
    assert left == {"rejects.jsonl", "quality.json"}
