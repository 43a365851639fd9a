"""plan_run.py: what a user sees, from a laptop without the weights to a training that does not fit."""

import contextlib
import json
import re
from pathlib import Path

import pytest
import yaml

from pipeline.models.model_weights import read_tensors
from pipeline.models.shape import OF_FOLDER, PUBLISHED, find_shape
from pipeline.planning import recipes
from pipeline.planning.pair_tokens import Gathered, gather_pairs
from pipeline.planning.show_plan import show_plan
from pipeline.settings.check import load_checked
from tests.support.model_folders import write_model_folder
from tests.support.planned import plan_dpo, same_pairs, settings
from tests.support.project import ROOT, copy_data, copy_project, run_command
from tools.plan_run import find_refusal, make_plan

SIZES = dict(zip(OF_FOLDER, (24, 2880, 2880, 32, 4, 64, 8, 64, 201_088), strict=True))


@pytest.fixture(scope="module")
def project(tmp_path_factory) -> Path:
    """Return a copy of the project with the embedded pairs, where plans are made one after another."""
    target = tmp_path_factory.mktemp("plans") / "project"
    copy_project(target)
    copy_data(target)
    return target


@pytest.fixture(scope="module")
def run_plan(project):
    """Return a function that plans an experiment with changes; it returns exit status, stdout, stderr and the JSON."""

    def run(base: str = "tutorial", **sections) -> tuple[int, str, str, dict]:
        written = project / "plan.json"
        written.unlink(missing_ok=True)
        done = run_command(
            "python", "-m", "tools.plan_run", *overlays_of(project, base, sections), "--json", "plan.json", cwd=project
        )
        numbers = json.loads(written.read_text(encoding="utf-8")) if written.exists() else {}
        return done.returncode, done.stdout, done.stderr, numbers

    return run


def overlays_of(project: Path, base: str, sections: dict) -> list[str]:
    """Write changes as an overlay; return the names of the overlays with that of an experiment."""
    (project / "overlay.yaml").write_text(yaml.safe_dump(sections), encoding="utf-8")
    return [*([f"experiments/{base}.yaml"] if base else []), *(["overlay.yaml"] if sections else [])]


@pytest.fixture(scope="module")
def tutorial(run_plan) -> tuple[int, str, str, dict]:
    """Return the plan of the tutorial."""
    return run_plan()


@pytest.fixture(scope="module")
def gathered(project) -> Gathered:
    """Return the tutorial's pairs, which changes of its training and of its model leave as they are."""
    with contextlib.chdir(project):
        overlays = [Path("experiments/tutorial.yaml")]
        return gather_pairs(load_checked(overlays), overlays)


@pytest.fixture
def plan(project, gathered, monkeypatch):
    """Return a function that plans with the gathered pairs; it returns the printed text and the numbers."""

    def make(base: str = "tutorial", **sections) -> tuple[str, dict]:
        monkeypatch.chdir(project)
        config = load_checked([Path(name) for name in overlays_of(project, base, sections)])
        numbers = make_plan(find_shape(config["model"]), config, gathered)
        return show_plan(numbers), numbers

    return make


def test_a_laptop_without_the_weights_gets_a_plan_that_names_what_it_assumes(tutorial):
    status, said, _, numbers = tutorial
    assert status == 0
    assert "gpt-oss-20b's published shape, assumed: models/gpt-oss-20b/config.json is not there" in said
    assert "estimated from the text, not counted" in said
    assert "models/gpt-oss-20b: no such folder" in said
    assert (numbers["pairs"]["train"], numbers["pairs"]["held_out"], numbers["pairs"]["counted"]) == (236, 52, False)
    assert numbers["trainings"][0]["steps"] == 8


def test_a_folder_of_120b_that_is_not_there_is_planned_as_120b(plan):
    said, numbers = plan(model={"folder": "models/gpt-oss-120b"})
    assert "gpt-oss-120b's published shape, assumed: models/gpt-oss-120b/config.json is not there" in said
    assert numbers["model"]["parameters"] == pytest.approx(116.8e9, rel=1e-3)
    assert numbers["disk"]["merged"] == numbers["model"]["bytes"] == 2 * numbers["model"]["parameters"]


def test_the_example_in_the_docs_is_what_the_command_prints(tutorial):
    page = (ROOT / "docs" / "planning.md").read_text(encoding="utf-8")
    example = "".join(f"    {line}\n" if line else "\n" for line in tutorial[1].splitlines())
    assert example in page


def test_a_plan_fits_into_a_terminal_of_100_columns(plan):
    said, _ = plan("gpt-oss-20b-sft")
    assert [line for line in said.splitlines() if len(line) > 100] == []


def test_what_is_printed_is_what_the_json_holds(tutorial):
    _, said, _, numbers = tutorial
    training = numbers["trainings"][0]
    assert f"{training['tokens']:,}" in said
    total = training["memory"]["zero3"]["total"]
    assert re.search(rf"in all +{total / 2**30:.1f} ", said)
    assert f"{training['seconds']['h20'] / 3600:.2f}" in said
    assert f"{sum(numbers['disk'].values()) / 1e9:.1f} GB" in said


def test_zero3_zero2_and_data_parallel_stand_side_by_side(plan):
    said, numbers = plan(dpo={"deepspeed": "zero2"})
    assert re.search(r"zero2 \(set\) +zero3 +zero0\n", said)
    totals = {name: parts["total"] for name, parts in numbers["trainings"][0]["memory"].items()}
    assert totals["zero3"] < totals["zero2"] < totals["zero0"] * 1.1


def test_the_default_asks_for_no_gpu_and_has_steps_tokens_and_disk_all_the_same(run_plan):
    status, said, _, numbers = run_plan("")
    assert status == 0
    assert "No GPU is asked for (train.gpus is 0): neither GPU memory nor hours are estimated." in said
    assert numbers["trainings"][0]["steps"] == 60
    assert numbers["trainings"][0]["tokens"] > 0
    assert numbers["disk"]["built model"] == numbers["disk"]["merged"]


def test_a_sweep_is_as_many_trainings_and_their_hours(plan):
    said, numbers = plan(sweep={"grid": {"dpo.beta": [0.05, 0.1, 0.2]}})
    assert "3 trainings, each on 4 x h20" in said
    assert numbers["seconds"]["h20"] == pytest.approx(3 * numbers["trainings"][0]["seconds"]["h20"])
    assert numbers["disk"]["merged"] == 3 * numbers["model"]["bytes"]


def test_an_export_takes_the_disk_of_the_tuned_model(plan):
    _, usual = plan()
    _, asked = plan(export={"gguf": True})
    assert "exported" not in usual["disk"]
    assert asked["disk"]["exported"] == asked["disk"]["merged"] == usual["disk"]["merged"]


def test_several_answers_and_prompts_of_ones_own_take_disk_and_a_fault_of_theirs_stops_the_plan(plan, project):
    (project / "own.txt").write_text("one\ntwo\n", encoding="utf-8")
    _, usual = plan()
    _, several = plan(infer={"temperature": 1, "answers_per_prompt": 2})
    _, own = plan(infer={"prompts": {"own": "own.txt"}})
    assert several["disk"]["answers"] == 2 * usual["disk"]["answers"]
    assert own["disk"]["answers"] > usual["disk"]["answers"]
    (project / "own.txt").write_text("one\n\n", encoding="utf-8")
    with pytest.raises(SystemExit, match=r"^own\.txt:2: message 1: empty, or white space alone; "):
        plan(infer={"prompts": {"own": "own.txt"}})


def test_hours_of_training_answers_and_scores_stand_beside_each_gpu(plan):
    said, numbers = plan()
    hours = [f"{seconds['h20'] / 3600:.2f}" for seconds in (numbers["seconds"], *inference_seconds(numbers))]
    assert re.search(rf"\n  h20 \(set\) +95\.6 +{' +'.join(hours)}\n", said)
    assert re.search(r"\n  rtx-4090 +24\.0 +[\d.]+ +- +-\n", said)  # a model of 39 GiB on one of them
    assert "Answers of 2 models, each as long as it may be: 2,048 tokens." in said


def test_analyses_of_the_base_model_have_hours_disk_and_a_line_of_their_own(plan):
    said, numbers = plan(data={"analyses": "base"})
    hours = f"{numbers['inference']['analyses_seconds']['h20'] / 3600:.2f}"
    assert re.search(r"\n  4 of +GiB +analyses +training +answers +scores\n", said)
    assert re.search(rf"\n  h20 \(set\) +95\.6 +{hours} ", said)
    assert "Analyses: the base model's answers to 288 prompts (data.analyses)." in said
    assert numbers["disk"]["analyses"] > numbers["disk"]["answers"]
    assert "analyses" not in plan()[1]["disk"]


def inference_seconds(numbers: dict) -> list[dict]:
    """Return the seconds of answers and of scores by GPU."""
    return [numbers["inference"][f"{name}_seconds"] for name in ("answers", "scores")]


def test_a_gpu_that_is_too_small_has_the_recipe_that_fits_in_place_of_hours(plan, monkeypatch, tmp_path):
    small = yaml.safe_load((ROOT / "experiments" / "gpt-oss-20b-one-gpu.yaml").read_text(encoding="utf-8"))
    small["model"]["weights"] = "as_published"
    small["dpo"] |= {"per_device_train_batch_size": 1, "gradient_checkpointing": True}
    (tmp_path / "gpt-oss-small.yaml").write_text(yaml.safe_dump(small), encoding="utf-8")
    monkeypatch.setattr(recipes, "EXPERIMENTS", tmp_path)
    said, _ = plan(dpo={"deepspeed": "zero2"})
    assert re.search(r"\n  rtx-4090 +24\.0  does not fit; experiments/gpt-oss-small\.yaml does\n", said)
    said, _ = plan()
    assert re.search(
        r"\n  experiments/gpt-oss-small\.yaml on 1 x h20 trains [\d.]+ times as fast: \d+ s for \d+ s,"
        r"\n  and takes pairs of up to 1,024 tokens; dpo\.max_length here is 8,192\.\n",
        said,
    )


def test_packed_experts_are_a_part_of_the_memory_of_their_own(plan):
    said, numbers = plan(model={"weights": "as_published"})
    parts = numbers["trainings"][0]["memory"]["zero3"]
    assert parts["packed"] == 24 * 32 * 3 * 2880**2 * 17 / 32
    assert re.search(r"\n  packed experts, whole on each GPU +9\.5 +9\.5 +9\.5\n", said)
    assert "For each of their tokens all packed experts are dequantised" in said


def test_sft_is_counted_as_a_training_of_its_own(plan):
    _, numbers = plan("gpt-oss-20b-sft")
    assert [training["stage"] for training in numbers["trainings"]] == ["sft", "dpo"]
    assert numbers["disk"]["merged"] == 2 * numbers["model"]["folder_bytes"]
    assert numbers["seconds"]["h100"] == sum(training["seconds"]["h100"] for training in numbers["trainings"])


TOO_LARGE = {
    "train": {"gpus": 1, "gpu_model": "h100"},
    "dpo": {"deepspeed": "zero0", "per_device_train_batch_size": 64, "gradient_accumulation_steps": 1},
}


def test_a_training_that_does_not_fit_is_refused_in_one_line_with_what_would_fit(run_plan):
    status, said, errors, numbers = run_plan(**TOO_LARGE)
    assert status == 1
    assert "it does not fit" in said
    assert errors.splitlines() == [numbers["refused"]]
    assert re.fullmatch(
        r"tutorial: the dpo training needs [\d.]+ GiB of GPU memory, train\.gpu_model h100 has 79\.6; "
        r"dpo\.per_device_train_batch_size: 32, dpo\.gradient_accumulation_steps: 2 would need [\d.]+",
        numbers["refused"],
    )


def test_the_settings_that_a_refusal_names_fit(plan):
    refused = plan(**TOO_LARGE)[1]["refused"]
    named = re.findall(r"dpo\.(\w+): (\w+)", refused)
    changes = TOO_LARGE["dpo"] | {name: int(value) for name, value in named}
    said, numbers = plan(train=TOO_LARGE["train"], dpo=changes)
    assert numbers["refused"] is None
    assert "it fits" in said
    assert f"would need {numbers['trainings'][0]['needed'] / 2**30:.1f}" in refused


def test_a_point_of_a_sweep_that_does_not_fit_is_named(plan):
    sweep = {"grid": {"dpo.per_device_train_batch_size": [2, 256]}}
    _, numbers = plan(train=TOO_LARGE["train"], dpo={"deepspeed": "zero0"}, sweep=sweep)
    assert numbers["refused"].startswith("tutorial-per_device_train_batch_size=256: the dpo training needs ")


def test_where_packed_experts_do_not_fit_train_small_is_named_as_it_can_be_written():
    config = settings("gpt-oss-20b-24gb", train={"gpu_model": "rtx-5080"})
    refused = find_refusal(PUBLISHED, [plan_dpo(config, same_pairs(64, 90, 1024, 1024))])
    assert yaml.safe_load(re.search(r"train\.small: (\{.*?\})", refused)[1]) == {
        "experts_at_once": 4,
        "host_embeddings": True,
    }


def test_where_nothing_fits_it_is_said(plan):
    dpo = {"torch_dtype": "float32", "bf16": False, "fp16": False, "target_parameters": ["mlp.experts.gate_up_proj"]}
    dpo |= {"lora_rank": 1024, "lora_dropout": 0}
    _, numbers = plan(train=TOO_LARGE["train"], dpo=dpo)
    assert numbers["refused"].endswith("no settings fit; take larger GPUs, or more of them under zero3")


def test_a_gpu_that_is_not_known_refuses_nothing(plan):
    said, numbers = plan(train={"gpu_model": "a100"})
    assert numbers["refused"] is None
    assert "train.gpu_model a100 names none of the GPUs below, or several of them: nothing is refused." in said
    assert numbers["gpu_memory"] is None


def test_a_folder_with_a_config_and_no_weights_says_the_shape(run_plan, tmp_path):
    config = SIZES | {"architectures": ["GptOssForCausalLM"], "num_hidden_layers": 12}
    (tmp_path / "config.json").write_text(json.dumps(config))
    status, said, _, numbers = run_plan(model={"folder": str(tmp_path)})
    assert status == 0
    assert f"model   {tmp_path}/config.json\n" in said
    assert 10e9 < numbers["model"]["parameters"] < 12e9
    assert numbers["pairs"]["why_not_counted"] == f"{tmp_path}/tokenizer.json: missing; fetch the model's tokenizer too"


def write_golden_pairs(path: Path) -> dict[tuple[str, ...], dict]:
    """Write the golden pairs as raw data, and return the golden files by name_pair."""
    golden = [json.loads(file.read_text(encoding="utf-8")) for file in (ROOT / "tests/golden/prompts").glob("*.json")]
    path.write_text("".join(json.dumps(row["pair"]) + "\n" for row in golden), encoding="utf-8")
    return {name_pair(row["pair"]): row for row in golden}


def name_pair(pair: dict) -> tuple[str, ...]:
    """Return the questions of the user and the rejected answer, which no two golden pairs have in common."""
    asked = (message["content"] for message in pair["messages"] if message["role"] == "user")
    return (*asked, pair["rejected_response"])


def test_with_the_model_there_tokens_are_counted_by_its_tokenizer_without_gpus_or_keys(project, run_plan, tmp_path):
    model = tmp_path / "model"
    built = run_command("envs/with-training", "python", "-m", "tools.build_gpt_oss_tokenizer", "--folder", str(model))
    assert built.returncode == 0, built.stderr
    write_model_folder(model)
    golden = write_golden_pairs(tmp_path / "pairs.jsonl")
    data = {"raw": str(tmp_path / "pairs.jsonl"), "languages": None, "val_fraction": 0.5, "earlier_thinking": "keep"}
    changes = {"model": {"folder": str(model)}, "prompt": {"date": "2026-01-01"}, "data": data, "run": "counted"}
    changes["merge"] = {"format": "auto"}
    status, said, errors, numbers = run_plan(dpo={"loss_scale": "last_round"}, **changes)
    assert (status, errors) == (0, "")
    assert "tokens  counted by the run's tokenizer" in said
    assert not (project / "results" / "counted" / "dequantised").exists()
    assert numbers["disk"]["while merging"] < numbers["disk"]["merged"] < numbers["model"]["bytes"]
    assert numbers["disk"]["merged"] == sum(stored.kind.size for stored in read_tensors(model).values())
    lines = (project / "results" / "counted" / "dpo" / "train.jsonl").read_text(encoding="utf-8").splitlines()
    pairs = [golden[name_pair(json.loads(line))] for line in lines]
    lengths = [len(pair[side]["ids"]) for pair in pairs for side in ("chosen", "rejected")]
    assert numbers["trainings"][0]["tokens"] == sum(lengths)
    assert numbers["trainings"][0]["longest"] == max(lengths)


@pytest.mark.parametrize(
    ("sections", "line"),
    [
        (
            {"dpo": {"lerning_rate": 1}},
            "overlay.yaml: dpo.lerning_rate: unknown setting; did you mean dpo.learning_rate?",
        ),
        ({"data": {"raw": "pairs.json"}}, "pairs.json: no such file; put it there, or set data.raw"),
        ({"dpo": {"max_length": 16}}, "dpo.max_length: all 236 pairs are longer than 16; raise it"),
    ],
)
def test_a_mistake_ends_in_one_line(run_plan, sections, line):
    status, said, errors, _ = run_plan(**sections)
    assert (status, said, errors.splitlines()) == (1, "", [line])


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (None, "bad.yaml: No such file or directory; name a file of settings\n"),
        ("dpo: [1", r"bad.yaml:1: expected ',' or '\]', but got '<stream end>'; correct the YAML\n"),
        ("dpo\n", "bad.yaml: holds no settings; write `section: {key: value}`\n"),
    ],
)
def test_an_overlay_that_cannot_be_read_is_named(project, text, line):
    (project / "bad.yaml").unlink(missing_ok=True)
    if text:
        (project / "bad.yaml").write_text(text, encoding="utf-8")
    done = run_command("python", "-m", "tools.plan_run", "bad.yaml", cwd=project)
    assert done.returncode == 1
    assert re.fullmatch(line, done.stderr)


def test_another_snakemake_at_work_is_said(project, run_plan):
    locks = project / ".snakemake" / "locks"
    locks.mkdir(parents=True, exist_ok=True)
    (locks / "0.output.lock").write_text("results/locked/data/train.jsonl\n", encoding="utf-8")
    status, said, errors, _ = run_plan(run="locked")
    (locks / "0.output.lock").unlink()
    assert (status, said) == (1, "")
    assert (
        errors
        == "another snakemake makes this run's pairs; plan when it has ended; if there is none: snakemake --unlock\n"
    )


def test_rows_that_stop_the_run_stop_the_plan_with_the_runs_own_words(run_plan, tmp_path):
    (tmp_path / "pairs.jsonl").write_text('{"messages": [\n', encoding="utf-8")
    status, said, errors, _ = run_plan(run="broken", data={"raw": str(tmp_path / "pairs.jsonl")})
    assert (status, said) == (1, "")
    assert re.match(rf"convert_preferences failed: {tmp_path}/pairs\.jsonl:1: column 15: ", errors)
    assert len(errors.splitlines()) == 1


def test_make_plan_shows_the_plan_alone(project):
    done = run_command("make", "--no-print-directory", "plan", cwd=project)
    assert done.stdout.startswith("Plan of tutorial: 1 training on 4 x h20")
    assert "scripts.train_dpo" not in done.stdout


def test_make_plan_shows_every_command_behind_the_plan_where_asked(project):
    done = run_command("make", "--no-print-directory", "plan", "COMMANDS=1", cwd=project)
    assert done.returncode == 0, done.stdout + done.stderr
    plan, _, commands = done.stdout.partition("Disk under results/")
    assert plan.startswith("Plan of tutorial: 1 training on 4 x h20")
    (training,) = [line for line in commands.splitlines() if "-m scripts.train_dpo " in line]
    assert " --model results/tutorial/dequantised " in training


def test_make_plan_of_what_does_not_fit_shows_no_commands(project):
    (project / "experiments" / "large.yaml").write_text(
        yaml.safe_dump({"model": {"folder": "models/gpt-oss-20b"}, **TOO_LARGE}), encoding="utf-8"
    )
    done = run_command("make", "--no-print-directory", "plan", "EXPERIMENT=large", "COMMANDS=1", cwd=project)
    assert done.returncode == 2  # make's own, for a command that failed
    assert "scripts.train_dpo" not in done.stdout
    assert "would need" in done.stderr
