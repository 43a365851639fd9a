"""The real default run, from a clone to answers, as a newcomer's first `make` does it. Takes minutes."""

import csv
import html
import json
import math
import os
import re
import secrets
import shlex
import socket
import subprocess
from contextlib import suppress
from pathlib import Path

import jsonschema
import pytest

from pipeline.publishing.compare_results import compare_results
from tests.support import another_day
from tests.support.private_bytes import find_words
from tests.support.project import ROOT, commit, copy_project, run_command

# What must not get into any file: secrets of the environment, and whose machine it is.
NAMES = ("SWANLAB_API_KEY", "HF_TOKEN", "MODELSCOPE_API_TOKEN", "OPENAI_API_KEY", "AWS_SECRET_ACCESS_KEY")
SECRETS = {name: secrets.token_hex(16) for name in NAMES}
HOST, USER = "host-of-the-test", "user-of-the-test"


def read_rows(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


@pytest.fixture(scope="module")
def default(tmp_path_factory) -> dict:
    """Run `make` twice in a copy of the project without data and results; return the folder, and the outputs."""
    project = tmp_path_factory.mktemp("default") / "project"
    copy_project(project)
    home = project.with_name(USER)
    home.mkdir()
    environment = os.environ | {"PATH": f"{ROOT / '.venv' / 'bin'}{os.pathsep}{os.environ['PATH']}"} | SECRETS
    environment |= {"HOME": str(home), "USER": USER, "LOGNAME": USER}
    said = [
        subprocess.run(on_a_host("make"), cwd=project, env=environment, capture_output=True, text=True, check=False)
        for _ in range(2)
    ]
    return {"run": project / "results" / "tiny", "first": said[0], "second": said[1]}


def on_a_host(*command: str) -> list[str]:
    """Return a command that runs another on a host of another name, where that is allowed."""
    if os.geteuid():
        return list(command)
    return ["unshare", "--uts", "sh", "-c", f"hostname {HOST} && exec {shlex.join(command)}"]


@pytest.fixture
def run_folder(default) -> Path:
    return default["run"]


@pytest.fixture
def curves(run_folder) -> list[dict]:
    return read_rows(run_folder / "dpo" / "curves.jsonl")


def test_it_ends_well_and_says_where_the_results_are(default):
    assert default["first"].returncode == 0, default["first"].stdout + default["first"].stderr
    for place in ("infer/predictions.jsonl", "dpo/curves.jsonl", "swanlab", "logs"):
        assert f"results/tiny/{place}" in default["first"].stdout.rpartition("Run tiny:")[2]


def test_the_readme_shows_how_it_ends(default):
    def shape(text: str) -> list[str]:
        """Return the lines without figures that differ from processor to processor."""
        return [re.sub(r"\d+\.\d+", "#", line.strip()) for line in text.strip().splitlines()]

    picture = (ROOT / "docs" / "pictures" / "make.svg").read_text(encoding="utf-8")
    lines = [html.unescape(line).replace("\xa0", " ") for line in re.findall(r"<text .*?>(.*?)</text>", picture)]
    shown = "\n".join(lines)
    assert shape(shown.rpartition("Run tiny:")[2]) == shape(default["first"].stdout.rpartition("Run tiny:")[2])


def test_a_second_run_finds_nothing_to_do(default):
    assert default["second"].returncode == 0
    assert "Nothing to be done" in default["second"].stderr + default["second"].stdout


def test_no_pair_is_lost(run_folder):
    rows = {name: read_rows(run_folder / "data" / f"{name}.jsonl") for name in ("pairs", "train", "val")}
    assert len(rows["pairs"]) == len(rows["train"]) + len(rows["val"]) == 760
    settings = json.loads((run_folder / "dpo" / "settings.json").read_text(encoding="utf-8"))
    assert settings["arguments"]["dataset"] == ["results/tiny/checkpoints/dpo/train.jsonl"]
    assert settings["contract"]["train_rows"] == len(rows["train"])  # checked by plugins/count_rows.py
    assert f"size={len(rows['train'])}" in (run_folder / "logs" / "train_dpo.log").read_text(encoding="utf-8")


def test_the_first_loss_is_ln_2_and_the_nll_term(curves):
    first = next(row for row in curves if "loss" in row)
    assert first["loss"] - first["nll_loss"] == pytest.approx(math.log(2), abs=1e-4)
    assert first["rewards/margins"] == 0
    assert first["grad_norm"] > 0


def test_the_held_out_pairs_are_preferred_as_they_should_be(curves):
    held_out = [row["eval_rewards/accuracies"] for row in curves if "eval_loss" in row]
    assert held_out[0] == 0  # before the first step the policy is the reference
    assert held_out[-1] >= 0.9


def test_dpo_takes_the_habit_away_and_leaves_the_right_words(run_folder):
    answers = json.loads((run_folder / "evaluate" / "metrics.json").read_text(encoding="utf-8"))["answers"]
    before, after = ({name: figure["value"] for name, figure in answers[model].items()} for model in ("base", "dpo"))
    assert 0.4 <= before["habit"] <= 0.6
    assert after["habit"] < 0.1
    assert after["right_apart_from_habit"] >= 0.7
    assert after["exact"] > before["exact"] + 0.2


def test_training_ran_under_zero3_in_two_processes(run_folder):
    settings = json.loads((run_folder / "dpo" / "settings.json").read_text(encoding="utf-8"))
    assert settings["environment"]["NPROC_PER_NODE"] == "2"
    assert settings["arguments"]["deepspeed"]["zero_optimization"]["stage"] == 3
    shards = list((run_folder / "checkpoints").rglob("*zero_pp_rank_*_optim_states.pt"))
    assert {path.name.partition("rank_")[2][0] for path in shards} == {"0", "1"}


def test_the_merged_model_has_the_tokenizer_of_the_model(run_folder):
    for name in ("tokenizer.json", "tokenizer_config.json"):
        assert (run_folder / "merged" / name).read_bytes() == (run_folder / "model" / name).read_bytes()


def test_nothing_was_compiled_on_the_way(run_folder):
    log = (run_folder / "logs" / "train_dpo.log").read_text(encoding="utf-8")
    assert "built successfully" not in log  # DeepSpeed's words; a fresh machine need not have a compiler


def test_no_result_names_the_folder_or_the_user_of_this_machine(run_folder):
    results = [path for name in ("data", "dpo", "merged", "infer") for path in (run_folder / name).rglob("*")]
    for path in results:
        if path.is_file() and path.suffix in {".json", ".jsonl"}:
            assert str(run_folder.parents[1]) not in path.read_text(encoding="utf-8"), path


def test_no_secret_of_the_environment_is_in_any_file(run_folder):
    assert find_words(run_folder.parents[1], SECRETS, left_out=(".git",)) == []


def test_no_byte_of_the_run_says_whose_machine_it_was(run_folder):
    """Of the run except the checkpoints, which are ms-swift's own and published nowhere."""
    addresses = set()
    with suppress(OSError):  # a machine that has no address
        addresses = {str(address[4][0]) for address in socket.getaddrinfo(socket.gethostname(), None)}
    private = {"host": HOST, "user": USER, "project": str(run_folder.parents[1])}
    private |= {address: address for address in addresses if not address.startswith(("127.", "::1"))}
    assert find_words(run_folder, private, left_out=("checkpoints",)) == []


def test_the_card_and_the_crate_name_no_folder_of_this_machine(run_folder):
    for name in ("model_card.md", "ro-crate-metadata.json"):
        assert str(run_folder.parents[1]) not in (run_folder / name).read_text(encoding="utf-8"), name


def test_the_program_in_the_card_of_the_model_answers_as_the_run_did(run_folder, tmp_path):
    card = (run_folder / "merged" / "README.md").read_text(encoding="utf-8")
    assert card == (run_folder / "model_card.md").read_text(encoding="utf-8")
    program = tmp_path / "ask.py"
    program.write_text(card.partition("```python\n")[2].partition("```")[0], encoding="utf-8")
    answered = read_rows(run_folder / "infer" / "predictions.jsonl")[0]
    question = answered["messages"][-1]["content"]
    python = str(ROOT / ".venv-training/bin/python")
    asked = run_command(python, str(program), str(run_folder / "merged"), question)
    assert asked.returncode == 0, asked.stderr
    assert asked.stdout == f"<|channel|>final<|message|>{answered['final']}<|return|>\n"


def test_every_job_of_the_run_is_an_action_of_the_crate(run_folder):
    graph = json.loads((run_folder / "ro-crate-metadata.json").read_text(encoding="utf-8"))["@graph"]
    jobs = {entity["name"] for entity in graph if entity["@id"].startswith("#run-")}
    assert {"convert_preferences", "build_tiny_model", "train_dpo", "merge_adapter", "write_model_card"} <= jobs
    assert all("endTime" in entity for entity in graph if entity["@id"].startswith("#run-"))


def test_swanlab_recorded_the_run_offline(run_folder):
    assert list((run_folder / "swanlab").glob("run-*/*.swanlab"))


def test_swanlab_has_curves_and_answers_in_one_run(run_folder):
    records = list((run_folder / "swanlab").glob("run-*/*.swanlab"))
    assert len(records) == 2 and len({file.name for file in records}) == 1
    tracked = json.loads((run_folder / "evaluate" / "tracked.json").read_text(encoding="utf-8"))
    answers = json.loads((run_folder / "evaluate" / "metrics.json").read_text(encoding="utf-8"))["answers"]
    assert tracked["figures"]["answers/no_final/dpo"] == answers["dpo"]["no_final"]["value"]
    assert any(b"answers/no_final/dpo" in file.read_bytes() for file in records)


def test_every_held_out_pair_has_an_answer_in_words(run_folder):
    schema = json.loads((ROOT / "schemas" / "prediction.schema.json").read_text(encoding="utf-8"))
    predictions = read_rows(run_folder / "infer" / "predictions.jsonl")
    assert [row["id"] for row in predictions] == [row["id"] for row in read_rows(run_folder / "data" / "val.jsonl")]
    for row in predictions:
        jsonschema.validate(row, schema)
        assert "<|message|>" not in row["final"]
    # A model this small sometimes names its channel and writes no message.
    in_words = [any(word.isalpha() for word in row["final"].split()) for row in predictions]
    assert sum(in_words) >= 0.9 * len(predictions)


def count_bytes(paths) -> int:
    return sum(path.stat().st_size for path in paths if path.is_file())


def test_the_plan_of_the_run_is_what_it_took(run_folder):
    project = run_folder.parents[1]
    done = run_command("python", "-m", "tools.plan_run", "--json", "plan.json", cwd=project)
    assert done.returncode == 0, done.stderr
    plan = json.loads((project / "plan.json").read_text(encoding="utf-8"))
    (training,), disk = plan["trainings"], plan["disk"]
    assert plan["pairs"]["counted"]
    assert list(run_folder.glob(f"checkpoints/dpo/*/checkpoint-{training['steps']}"))
    counted = json.loads((run_folder / "dpo" / "tokens.json").read_text(encoding="utf-8"))
    assert training["rows"] == counted["train"]["rows_used"]
    assert training["longest"] <= counted["longest"]
    pairs = [*run_folder.glob("data/[ptv]*.jsonl"), *run_folder.glob("dpo/[tv]*.jsonl")]
    found = {
        "checkpoints": count_bytes(run_folder.rglob("checkpoints/dpo/*/checkpoint-*/**/*")),
        "adapter": count_bytes(run_folder.glob("dpo/adapter/*.safetensors")),
        "merged": count_bytes(run_folder.glob("merged/*.safetensors")),
        "built model": count_bytes(run_folder.glob("model/*.safetensors")),
        "pairs": count_bytes(pairs),
    }
    assert {name: disk[name] for name in found} == pytest.approx(found, rel=0.1)
    places = ("infer/**/*.jsonl", "evaluate/*/shards/*.jsonl", "evaluate/*/predictions.jsonl", "evaluate/answers.jsonl")
    answers = count_bytes([path for place in places for path in run_folder.glob(place)])
    assert answers <= disk["answers"] <= 3 * answers


def test_every_stage_left_a_log_and_a_benchmark(run_folder):
    logs = {path.stem for path in (run_folder / "logs").glob("*.log")}
    assert logs == {path.stem for path in (run_folder / "benchmarks").iterdir()}
    assert {"convert_preferences", "build_tiny_model", "train_dpo", "merge_adapter", "infer_shard.0"} <= logs


def test_it_ends_with_what_each_job_took(default, run_folder):
    assert "What took longest:" in default["first"].stdout
    rows = (run_folder / "stages.csv").read_text(encoding="utf-8").splitlines()[1:]
    assert {row.partition(",")[0] for row in rows} == {path.stem for path in (run_folder / "benchmarks").iterdir()}


def test_every_job_that_computes_with_a_model_says_what_loading_it_took(run_folder):
    with (run_folder / "stages.csv").open(encoding="utf-8", newline="") as table:
        loaded = {row["job"] for row in csv.DictReader(table) if row["packed_gib"] not in ("", "0.0")}
    assert loaded >= {
        "train_dpo",
        "infer_shard.0",
        "infer_shard_before.base.0",
        "score_pairs.base.0",
        "score_pairs.dpo.0",
    }
    assert loaded >= {"score_neutral.base", "score_neutral.dpo"}


@pytest.fixture(scope="module")
def reproduced(tmp_path_factory) -> dict:
    """Compute the published run again in a clone: a day later by the clock, in another time zone and locale."""
    project = tmp_path_factory.mktemp("reproduced") / "project"
    copy_project(project)
    commit(project)
    clone = project.with_name("""it's "another" folder, 100% $of \\ 数据""")
    elsewhere = another_day.environment(days=1) | {"TZ": "Pacific/Kiritimati", "LC_ALL": "C"}
    done = run_command("python", "-m", "tools.reproduce_results", "--folder", str(clone), cwd=project, **elsewhere)
    return {"run": clone / "results" / "tiny", "said": done}


@pytest.mark.ci("results that nobody can reproduce")
def test_the_published_results_are_reproduced_in_a_scratch_clone(reproduced):
    assert reproduced["said"].returncode == 0, reproduced["said"].stdout + reproduced["said"].stderr
    assert reproduced["said"].stdout.splitlines()[-1].startswith("reproduced")


@pytest.mark.ci("results that depend on the folder or the day")
def test_two_runs_in_two_folders_a_day_apart_give_the_same_bytes(run_folder, reproduced):
    days = [(run / "logs" / "train_dpo.log").read_text(encoding="utf-8") for run in (run_folder, reproduced["run"])]
    ends = [re.findall(r"End time of running main: (\d{4}-\d\d-\d\d)", log)[-1] for log in days]
    assert ends[0] < ends[1]  # the clock was another
    folders = ["data", "model", "dpo", "merge", "merged", "infer"]
    names = [path.relative_to(run_folder) for name in folders for path in (run_folder / name).rglob("*")]
    names = [name for name in names if (run_folder / name).is_file() and name.name[0] != "."]
    assert {Path("data/pairs.jsonl"), Path("dpo/metrics.json"), Path("infer/predictions.jsonl")} <= set(names)
    assert [n for n in names if (run_folder / n).read_bytes() != (reproduced["run"] / n).read_bytes()] == []


def test_every_stage_proved_itself(run_folder):
    for stage in ("data", "dpo", "merge", "infer", "evaluate"):
        gates = json.loads((run_folder / stage / "gates.json").read_text(encoding="utf-8"))
        assert gates and all(set(row) == {"gate", "passed", "value", "expected"} for row in gates)
        assert [row for row in gates if not row["passed"]] == []


def test_a_published_figure_that_is_not_what_comes_out_is_named(run_folder, tmp_path):
    wrong = tmp_path / "metrics.json"
    metrics = json.loads((run_folder / "dpo" / "metrics.json").read_text(encoding="utf-8"))
    metrics["held_out"]["after"]["loss"] += 0.2
    wrong.write_text(json.dumps(metrics), encoding="utf-8")
    difference = compare_results(run_folder / "dpo" / "metrics.json", wrong, "dpo/metrics.json")
    assert difference and not difference.is_allowed and "held_out after loss" in difference.words


# The last one, since it deals the answers again.
@pytest.mark.ci("answers that depend on the number of shards")
def test_the_number_of_shards_changes_no_answer(run_folder):
    project, answers = run_folder.parents[1], run_folder / "infer" / "predictions.jsonl"
    before = answers.read_bytes()
    (project / "shards.yaml").write_text("infer: {shards: 3}", encoding="utf-8")
    done = run_command(
        *("snakemake", "--cores", "all", "--configfile", "shards.yaml", "--", "results/tiny/infer/predictions.jsonl"),
        cwd=project,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert len(list((run_folder / "infer" / "shards").glob("[0-2].jsonl"))) == 3
    assert answers.read_bytes() == before
