"""explain_command.py: the explanation of a swift command, and its settings."""

import ast
import json
import re
from dataclasses import asdict
from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml

from pipeline.launch.run_swift import prompt_variables
from pipeline.settings.check import find_problems, load_config, merge
from pipeline.settings.reads import part_for
from pipeline.swift_commands.flag_knowledge import OLD, PINNED, load_defaults, load_knowledge, moved_defaults
from pipeline.swift_commands.leftovers import ALWAYS_SET
from pipeline.swift_commands.read_command import read_command
from pipeline.swift_commands.translate import translate
from pipeline.training.command import tracking_of, training_command
from scripts.train_dpo import read_training
from tests.support.project import ROOT
from tools.explain_command import main

FILES = {PINNED: "tests/training/test_tutorial_flags.py", OLD: "tests/runs/fidelity/test_flags_3_7_0.py"}
TUTORIAL = r"""
MASTER_PORT=$PORT \
NPROC_PER_NODE=4 \
CUDA_VISIBLE_DEVICES=0,1,2,3 \
swift rlhf \
    --rlhf_type dpo \ # the kind of training
    --deepspeed zero3 \
    --model models/gpt-oss-20b \
    --dataset dpo_data.json \
    --train_type lora \
    # the weights
    --torch_dtype bfloat16 \
    --num_train_epochs 1 \
    --per_device_train_batch_size 2 \
    --per_device_eval_batch_size 1 \
    --learning_rate 4e-4 \
    --lora_rank 8 \
    --lora_alpha 32 \
    --target_modules all-linear \
    --gradient_accumulation_steps 4 \
    --save_strategy epoch \
    --save_total_limit 5 \
    --logging_steps 5 \
    --max_length 8192 \
    --output_dir output \
    --warmup_ratio 0.05 \
    --dataloader_num_workers 4 \
    --use_liger_kernel true \
    --load_from_cache_file false \
    --loss_scale ignore_empty_think \
    --save_strategy epoch \
    --model_author swift \
    --model_name swift-robot \
    --report_to swanlab \
    --swanlab_project swift-robot
"""
SHORT = "swift rlhf --rlhf_type dpo --model m --dataset d.jsonl --report_to none"


@pytest.fixture
def explained(capsys):
    """Return a function that explains a command and returns its output, in single blanks."""

    def explain(*arguments: str) -> str:
        main(list(arguments))
        return re.sub(r"\s+", " ", capsys.readouterr().out)

    return explain


def settings_of(command: str, release: str = PINNED) -> dict:
    """Return all the settings under which a command trains here."""
    return merge(load_config([]), translate(read_command(command), release, "x").settings)


def test_the_tutorials_command_is_the_tutorials_experiment():
    here = load_config([ROOT / "experiments" / "tutorial.yaml"])
    here["dpo"]["gradient_checkpointing_kwargs"] = None  # for today's DeepSpeed, which the command does not know
    here["infer"]["shards"] = 1  # the command answers on one GPU
    translated = settings_of(TUTORIAL, OLD)
    for section in ("dpo", "train", "prompt", "model", "tracking", "infer", "dvc"):
        assert translated[section] == here[section]


def test_the_tutorials_command_is_said_to_be_for_3_7_0(explained):
    assert (
        "Read as a command for ms-swift 3.7.0 (--train_type: ms-swift 3.0 to 4.0 had it; --release says another)"
        in explained(TUTORIAL)
    )


def test_a_command_without_a_sign_of_its_release_is_read_for_the_pinned_one(explained):
    assert "Read as a command for ms-swift 4.6.0 (no flag tells another)" in explained(SHORT)


def test_unknown_flags_are_counted_in_the_last_line(explained):
    said = explained(f"{SHORT} --lerning_rate 1e-5 --betta 1")
    assert said.endswith(" UNKNOWN flags: 2 of 6; ms-swift 4.6.0 stops at --lerning_rate, --betta ")
    assert "UNKNOWN" not in explained(SHORT)


@pytest.mark.parametrize(
    "sentence",
    [
        "--train_type lora renamed The kind of tuning.",
        "--loss_scale ignore_empty_think misleads",
        "--target_modules all-linear misleads",
        "--use_liger_kernel true changed",
        "--per_device_eval_batch_size 1 no effect",
        "--model_name swift-robot no effect",
        "--learning_rate 4e-4 works",
        "rpo_alpha 1.0 -> None",
        "--learning_rate 0.0004 is 40 to 80 times the usual 5e-06 to 1e-05 (LoRA DPO: alignment-handbook",
        "a comment after `\\`, or a comment in the line below, ends the command for a shell",
        "--save_strategy stands twice: the last counts",
        "3.7.0: 2025-08-06, on every day.",
    ],
)
def test_it_says_of_the_tutorials_command(explained, sentence):
    assert sentence in explained(TUTORIAL)


@pytest.mark.parametrize(
    ("flags", "sentence"),
    [
        (
            "--lerning_rate 1e-5",
            "--lerning_rate 1e-5 UNKNOWN Not a flag of 4.6.0, which stops at it. Did you mean --learning_rate?",
        ),
        ("--num_train_epo 9", "--num_train_epochs 9 is 3 to 9 times the usual 1 to 3"),
        ("--seed 1", "learning_rate, unasked 0.0001 is 10 to 20 times the usual"),
        ("--beta 0.001", "0.001 is 1/500 to 1/10 of the usual 0.01 to 0.5"),
        ("--padding_free true", "--padding_free true refused"),
        ("--padding_free false", "--padding_free false works"),
        ("--padding_free True", "--padding_free True refused"),
        ("--padding_free", "--padding_free refused"),
        ("--lora_dropout 0.1", "--lora_dropout 0.1 no effect"),
        ("--overwrite_output_dir true", "--overwrite_output_dir true refused 4.6.0 has no such flag"),
        ("--modules_to_save lm_head", "--modules_to_save lm_head: no setting"),
        ("--save_strategy no", "--save_strategy no: not a value of dpo.save_strategy, which stays epoch"),
        ("--tuner_type full", "--tuner_type full: not a value of dpo.tuner_type, which stays lora"),
        ("--val_dataset v.jsonl#5", "--val_dataset v.jsonl#5: data.val names one file, folder or glob"),
        ("--val_dataset v.jsonl w.jsonl", "--val_dataset v.jsonl w.jsonl: data.val names one file, folder or glob"),
        ("--external_plugins mine.py", "--external_plugins mine.py: no setting of this project"),
        ("--strict false", "--strict false: here it is always true"),
        ("--wieght 3", "--wieght 3: not a flag of swift rlhf"),
        ("--report_to wandb", "--report_to wandb: only SwanLab"),
    ],
)
def test_it_says_of_a_flag(explained, flags, sentence):
    assert sentence in explained(f"{SHORT} {flags}")


@pytest.mark.parametrize("flags", ["--strict", "--strict True", "--strict true", "--check_model False"])
def test_a_switch_that_is_set_as_here_is_no_remainder(explained, flags):
    assert "here it is always" not in explained(f"{SHORT} {flags}")


def test_a_flag_of_the_other_release_is_named_as_such(explained):
    assert "3.7.0 does not know the flag." in explained(f"{SHORT} --ld_alpha 0.5", "--release", "3.7.0")


@pytest.mark.parametrize(
    ("flags", "key", "old", "pinned"),
    [
        ("", "rpo_alpha", 1.0, None),
        ("--rpo_alpha 0.2", "rpo_alpha", 0.2, 0.2),
        ("--router_aux_loss_coef 0.01", "router_aux_loss_coef", 0.0, 0.01),
        (
            "--loss_scale last_round_with_ignore_empty_think",
            "loss_scale",
            "last_round+ignore_empty_think",
            "last_round",
        ),
        ("", "load_from_cache_file", True, False),
        (
            """--gradient_checkpointing_kwargs '{"use_reentrant": false}'""",
            "gradient_checkpointing_kwargs",
            {"use_reentrant": False},
            {"use_reentrant": False},
        ),
        ("", "learning_rate", 1e-4, 1e-4),
        ("", "loss_scale", "last_round", "last_round"),
        ("", "gradient_accumulation_steps", 16, 16),
        ("--per_device_train_batch_size 4", "gradient_accumulation_steps", 4, 4),
        ("--bf16", "bf16", True, True),
        ("--weight-decay=0.2", "weight_decay", 0.2, 0.2),
        ("--target_modules q_proj v_proj", "target_modules", ["q_proj", "v_proj"], ["q_proj", "v_proj"]),
        ("--no_gradient_checkpointing", "gradient_checkpointing", False, False),
    ],
)
def test_a_command_trains_the_same_loss_as_under_its_release(flags, key, old, pinned):
    found = [settings_of(f"{SHORT} {flags}", release)["dpo"][key] for release in (OLD, PINNED)]
    assert found == [old, pinned]


@pytest.mark.parametrize(
    ("flags", "data"),
    [
        ("--dataset a.jsonl b.jsonl#500", {"raw": ["a.jsonl", {"file": "b.jsonl", "limit": 500}]}),
        ("--dataset a.jsonl#500", {"raw": [{"file": "a.jsonl", "limit": 500}]}),
        ("--val_dataset v.jsonl", {"raw": "d.jsonl", "val": "v.jsonl"}),
    ],
)
def test_several_data_sets_and_one_to_hold_out_are_settings(flags, data):
    assert settings_of(f"{SHORT} {flags}")["data"].items() >= data.items()


def test_settings_outside_dpo_have_their_sections():
    settings = settings_of(f"NPROC_PER_NODE=2 {SHORT} --system Hi --split_dataset_ratio 0.1")
    assert settings["data"]["raw"] == "d.jsonl"
    assert settings["data"]["system"] == "Hi"
    assert settings["data"]["val_fraction"] == 0.1
    assert settings["model"]["folder"] == "m"
    assert settings["train"]["gpus"] == 2
    assert settings["tracking"]["mode"] == "disabled"


def test_a_command_for_the_cpu_reserves_no_gpu():
    settings = settings_of(f"NPROC_PER_NODE=3 {SHORT} --use_cpu true")
    assert settings["train"]["gpus"] == settings["infer"]["gpus"] == 0
    assert settings["train"]["cpu_processes"] == 3


def test_machines_that_train_together_become_nodes():
    settings = settings_of(f"NNODES=2 NPROC_PER_NODE=4 {SHORT}")
    assert (settings["train"]["nodes"], settings["train"]["gpus"]) == (2, 4)


def test_steps_between_checkpoints_are_kept():
    settings = settings_of(f"{SHORT} --save_strategy steps --save_steps 50")
    assert (settings["dpo"]["save_strategy"], settings["dpo"]["save_steps"]) == ("steps", 50)


def test_pairs_are_held_out_where_the_command_holds_some_out():
    assert settings_of(f"{SHORT} --save_strategy epoch")["dpo"]["eval_strategy"] == "no"
    held_out = f"{SHORT} --save_strategy epoch --split_dataset_ratio 0.1"
    assert settings_of(held_out)["dpo"]["eval_strategy"] == "epoch"


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("kto", {"loss_type": "kto", "beta": 0.1, "desirable_weight": 1.0, "undesirable_weight": 1.0}),
        ("simpo", {"loss_type": "simpo", "beta": 2.0, "simpo_gamma": 1, "cpo_alpha": 1.0}),
        ("cpo", {"loss_type": "sigmoid", "beta": 0.1, "cpo_alpha": 1.0, "simpo_gamma": None}),
        ("orpo", {"loss_type": None, "beta": 0.1, "cpo_alpha": None}),
    ],
)
@pytest.mark.parametrize("release", [OLD, PINNED])
def test_a_kind_of_training_has_its_own_defaults(kind, expected, release):
    settings = settings_of(f"{SHORT.replace('dpo', kind)} --rpo_alpha 1", release)
    assert settings["dpo"]["rlhf_type"] == kind
    assert {key: settings["dpo"][key] for key in [*expected, "rpo_alpha"]} == expected | {"rpo_alpha": None}
    assert find_problems(settings) == []


def test_what_has_no_part_in_the_loss_of_a_kind_is_named(explained):
    said = explained(f"{SHORT.replace('dpo', 'orpo')} --rpo_alpha 1 --label_smoothing 0.1 --loss_type sigmoid")
    for flag in ("--rpo_alpha 1", "--label_smoothing 0.1", "--loss_type sigmoid"):
        assert f"{flag}: no part in this loss" in said


def test_the_usual_range_of_dpo_is_not_that_of_other_kinds(explained):
    assert "2 is 4 to 200 times" in explained(f"{SHORT} --beta 2")
    assert "2 is 4 to 200 times" not in explained(f"{SHORT.replace('dpo', 'simpo')} --beta 2")


@pytest.mark.parametrize(
    ("command", "sentence"),
    [
        (f"{SHORT} --model_name", "--model_name: it has no value, and swift stops at it"),
        (f"{SHORT} --system Be brief", "--system Be brief: it takes one value, and swift stops at the others: brief"),
        (f"{SHORT} --model a b", "--model a b; set model.folder"),
        (f"{SHORT} --system gone.txt", "--system gone.txt: swift reads this file, which is not here, or not UTF-8"),
        (f"{SHORT} --dataset a.jsonl b#5", "--dataset b#5: no such folder here; a data set of a hub must be"),
        (f"{SHORT} --dataset a.jsonl#5", "--dataset a.jsonl#5: data.split_seed draws other rows than swift, and none"),
        (f"{SHORT} --dataset a.jsonl#x", "--dataset a.jsonl#x: data.raw names files, folders or globs; set it"),
        (f"{SHORT} --dataset org/name", "--dataset org/name: no such folder here; a data set of a hub must be"),
        (f"USE_HF=1 {SHORT}", "USE_HF=1: in the environment; export it where snakemake runs"),
        (f"{SHORT} --learning_rate $LR", "--learning_rate $LR: not a value of dpo.learning_rate, which stays 0.003"),
        (f"{SHORT} --learning_rate $LR", "$LR: the script alone does not say what $LR is; write the setting"),
        (f"{SHORT} --model $M/x", "--model $M/x; set model.folder"),
        (
            f"{SHORT} --sft_type lora",
            "--sft_type lora: not a flag of swift rlhf; a flag of ms-swift 2: it is",
        ),
        (
            f"{SHORT} --model_id_or_path m",
            "--model_id_or_path m UNKNOWN Not a flag of 4.6.0, which stops at it. A flag",
        ),
        (f"srun -N 2 {SHORT} > log", "not read before the command: srun -N 2 after the command: > log"),
    ],
)
def test_a_word_that_becomes_no_setting_is_named(explained, command, sentence):
    assert sentence in explained(command)


def test_a_secret_is_shown_nowhere(tmp_path, explained):
    overlay = tmp_path / "mine.yaml"
    command = f"SWANLAB_API_KEY=abc123 {SHORT} --hub_token abc123 --swanlab_lark_webhook_url abc123"
    assert "abc123" not in explained(command) + explained(command, "--overlay", str(overlay)) + overlay.read_text()


def test_a_system_message_in_a_file_is_read_from_it(tmp_path):
    (tmp_path / "system.txt").write_text("Be brief.\n", encoding="utf-8")
    assert settings_of(f"{SHORT} --system {tmp_path}/system.txt")["data"]["system"] == "Be brief.\n"


def test_a_line_break_in_a_system_message_is_one():
    assert settings_of(f"{SHORT} --system 'Be\\nbrief'")["data"]["system"] == "Be\nbrief"


@pytest.mark.parametrize(
    ("release", "section", "key", "value"),
    [
        ("3.5", "data", "val_fraction", 0.01),
        ("3.5", "prompt", "date", "2025-08-06"),
        ("3.8", "prompt", "date", "2026-01-01"),
        ("3.8", "dpo", "load_from_cache_file", True),
        ("3.9", "dpo", "load_from_cache_file", False),
    ],
)
def test_a_command_for_another_release_has_its_defaults(explained, tmp_path, release, section, key, value):
    overlay = tmp_path / "mine.yaml"
    explained(SHORT, "--release", release, "--overlay", str(overlay))
    assert load_config([overlay])[section][key] == value


@pytest.mark.parametrize("content", [None, b"", b"\xff\xfe", b"swift rlhf --rlhf_type ppo\n"])
def test_a_script_that_cannot_be_explained_is_named(tmp_path, content):
    script = tmp_path / "train.sh"
    script.mkdir() if content is None else script.write_bytes(content)
    with pytest.raises(SystemExit, match=rf"^{re.escape(str(script))}: [^\n]+$"):
        main([f"@{script}"])


def test_ctrl_c_ends_it_in_one_line(monkeypatch):
    def stop() -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("sys.stdin", SimpleNamespace(buffer=SimpleNamespace(read=stop)))
    with pytest.raises(SystemExit, match="stopped; nothing was written"):
        main(["-"])


def recorded_run(folder: Path, config: dict) -> Path:
    """Return a run's folder with the settings.json that scripts/train_dpo.py writes for these settings."""
    gpus, cpu_processes = config["train"]["gpus"], config["train"]["cpu_processes"]
    command, tracking = command_of(config, folder)
    device = {} if gpus else {"DS_ACCELERATOR": "cpu"}
    environment = device | {"NPROC_PER_NODE": str(gpus or cpu_processes)} | prompt_variables(config["prompt"])
    record = {"command": ["swift", *command], "environment": environment, "contract": {"tracking": tracking}}
    (folder / "dpo" / "settings.json").write_text(json.dumps(record), encoding="utf-8")
    return folder


def command_of(config: dict, folder: Path) -> tuple[list[str], dict[str, str] | None]:
    """Return the command of a run with these settings, as scripts/train_dpo.py makes it, and its run in SwanLab."""
    (folder / "dpo").mkdir(parents=True)
    options = ["--settings", json.dumps(part_for("train_dpo", config)), "--model", config["model"]["folder"] or "m"]
    options += ["--manifest", "x", "--pairs", "x", "x", "--checkpoints", "x", "--out", f"{config['run']}/dpo"]
    training = read_training(options)
    run = tracking_of(training, folder)
    return training_command(training, training.pairs, Path("x")), run and asdict(run)


def test_an_overlay_that_becomes_a_command_becomes_the_same_overlay(tmp_path, explained):
    first, second = tmp_path / "first.yaml", tmp_path / "second.yaml"
    main([TUTORIAL, "--overlay", str(first)])
    run = recorded_run(tmp_path / "run", load_config([first]))
    explained("--from", str(run), "--overlay", str(second))
    before, after = load_config([first]), load_config([second])
    for section in ("dpo", "train", "prompt", "model", "tracking", "infer", "dvc"):
        assert after[section] == before[section]


def test_a_run_on_the_cpu_becomes_its_own_settings(tmp_path, explained):
    overlay = tmp_path / "again.yaml"
    explained("--from", str(recorded_run(tmp_path / "run", load_config([]))), "--overlay", str(overlay))
    before, after = load_config([]), load_config([overlay])
    for section in ("dpo", "train", "prompt", "tracking", "infer", "dvc"):
        assert after[section] == before[section]


def test_the_overlay_passes_the_schema_and_names_what_it_lacks(tmp_path, explained):
    overlay = tmp_path / "mine.yaml"
    said = explained(f"{SHORT} --max_steps 5", "--overlay", str(overlay))
    assert f"Written to {overlay}" in said
    assert find_problems(load_config([overlay])) == []
    text = overlay.read_text(encoding="utf-8")
    assert "#   --max_steps 5: no setting of this project\n" in text
    assert yaml.safe_load(text)["run"] == "mine"


def test_an_overlay_that_is_there_is_kept(tmp_path):
    overlay = tmp_path / "mine.yaml"
    overlay.write_text("run: mine\n", encoding="utf-8")
    with pytest.raises(SystemExit, match=r"mine\.yaml: already exists"):
        main([SHORT, "--overlay", str(overlay)])
    assert overlay.read_text(encoding="utf-8") == "run: mine\n"


def test_a_run_is_named_as_in_swanlab(explained):
    assert "run: robot-1 " in explained(f"{SHORT} --swanlab_exp_name Robot_1")


def test_a_command_may_come_from_a_file(tmp_path, explained):
    script = tmp_path / "train.sh"
    script.write_text(f"#!/bin/bash\nexport NPROC_PER_NODE=4\n# go\nnohup {SHORT} > log 2>&1 &\n", encoding="utf-8")
    assert "gpus: 4 " in explained(f"@{script}")


@pytest.mark.parametrize(
    ("command", "line"),
    [
        ("swift sft --model m", "not a swift rlhf command for pairs: it is swift sft: SFT is a stage before DPO here"),
        (
            "swift rlhf --rlhf_type grpo",
            "not a swift rlhf command for pairs: --rlhf_type is grpo; this project trains dpo",
        ),
        ("swift rlhf 'x", "not a swift rlhf command for pairs: line 1: No closing quotation"),
        ("swift rlhf train.yaml", "not a swift rlhf command for pairs: 'train.yaml' stands before the first flag"),
        ("", "not a swift rlhf command for pairs"),
        (f"NPROC_PER_NODE=$N {SHORT}", r"NPROC_PER_NODE and NNODES are \$N and 1; write numbers above 0"),
        ("@nowhere.sh", "nowhere.sh: cannot be read"),
        (f"{SHORT} --split_dataset_ratio 2", "the command gives no settings: data.val_fraction: 2 is"),
    ],
)
def test_what_cannot_be_explained_is_said_in_one_line(command, line):
    with pytest.raises(SystemExit, match=line) as stopped:
        main([command])
    assert "\n" not in str(stopped.value)


def test_a_folder_that_is_no_run_is_named(tmp_path):
    with pytest.raises(SystemExit, match=r"settings\.json: no such file; name the folder of a run"):
        main(["--from", str(tmp_path)])


def test_what_the_project_always_sets_is_what_train_dpo_sets(tmp_path):
    command = " ".join(command_of(load_config([ROOT / "experiments" / "tutorial.yaml"]), tmp_path)[0])
    assert [flag for flag, value in ALWAYS_SET.items() if f"--{flag} {value} " not in command] == []
    assert "--external_plugins plugins/" in command and " --callbacks count_rows " in command
    left = translate(read_command(f"swift {command}"), PINNED, "x").missing
    assert [line for line in left if line.startswith(("--external_plugins", "--callbacks"))] == []


def find_tests() -> list[tuple[str, str]]:
    """Return the file and the name of every test that the knowledge names."""
    knowledge = load_knowledge()
    entries = [knowledge["merge"], knowledge["inference"]]
    for section in ("environment", "flags", "unasked", "added"):
        entries += knowledge[section].values()
    named = {(FILES.get(place), name) for e in entries for place, names in e["checks"].items() for name in names}
    return sorted((file, name) if file else (name.split("::")[0], name.split("::")[1]) for file, name in named)


def test_every_check_that_the_knowledge_names_exists():
    tests = find_tests()
    assert len(tests) > 40
    defined = {
        file: {n.name for n in ast.parse((ROOT / file).read_text()).body if isinstance(n, ast.FunctionDef)}
        for file, _ in tests
    }
    assert [f"{file}::{name}" for file, name in tests if name not in defined[file]] == []


def test_every_flag_of_the_knowledge_is_a_flag_of_a_release_or_refused():
    known = set(load_defaults(OLD)) | set(load_defaults(PINNED))
    flags = load_knowledge()["flags"]
    assert [flag for flag in flags if flag not in known and flags[flag]["effect"] != "refused"] == []
    renamed = {entry["renamed"] for entry in flags.values() if "renamed" in entry}
    assert renamed <= set(load_defaults(PINNED))


def test_every_default_that_moved_is_explained():
    knowledge = load_knowledge()
    explained = set(knowledge["flags"]) | set(knowledge["without_a_part"])
    assert set(moved_defaults()) - explained == set()


def test_every_effect_is_one_of_those_that_are_described():
    knowledge = load_knowledge()
    entries = [*knowledge["flags"].values(), *knowledge["environment"].values(), *knowledge["unasked"].values()]
    entries += [special for entry in entries for special in entry.get("by_value", {}).values()]
    effects = {entry["effect"] for entry in entries if "effect" in entry}
    assert effects <= {"works", "misleads", "no effect", "renamed", "refused", "changed"}
