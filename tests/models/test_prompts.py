"""The prompt: the same tokens in training and inference, on any day, in any zone and locale."""

import datetime
import json
import os
import random
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.launch.model_flags import MODEL_TYPE, TEMPLATE, model_flags
from pipeline.models.render_chat import load_pair_encoder, load_prompt_renderer
from tests.support import another_day
from tests.support.golden_prompts import GOLDEN, LOSS_SCALES, NAMES, PROMPT, read_golden, render_all
from tests.support.project import ROOT
from tests.support.random_texts import random_text

pytestmark = pytest.mark.training_environment

DAYS = 400


@pytest.fixture(scope="module")
def rendered(gpt_oss):
    return render_all({name: read_golden(name)["pair"] for name in NAMES}, gpt_oss)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("part", ["prompt", "chosen", "rejected"])
def test_tokens_and_loss_masks_are_those_of_the_golden_file(rendered, name, part):
    assert rendered[name][part] == read_golden(name)[part]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("answer", ["chosen", "rejected"])
def test_the_loss_counts_exactly_what_follows_the_prompt(name, answer):
    golden = read_golden(name)
    prompt, ids = golden["prompt"]["ids"], golden[answer]["ids"]
    assert ids[: len(prompt)] == prompt
    assert golden[answer]["trained"]["last_round"] == [0] * len(prompt) + [1] * (len(ids) - len(prompt))


def test_the_loss_scale_of_the_tutorial_counts_earlier_answers_too():
    golden = read_golden("tutorial-calculator")
    trained = golden["chosen"]["trained"]["ignore_empty_think"][: len(golden["prompt"]["ids"])]
    counted = [token for token, one in zip(golden["prompt"]["ids"], trained, strict=True) if one]
    # <|channel|>final<|message|>等于2: the answer of the first turn, without the <|end|> after it.
    assert counted == [200005, 17196, 200008, 11167, 10013, 17]


@pytest.mark.parametrize("loss_scale", LOSS_SCALES)
@pytest.mark.parametrize("folder", ["gpt_oss", "built"])
def test_the_prompt_is_an_exact_prefix_of_both_answers_whatever_the_texts(folder, loss_scale, request):
    found = request.getfixturevalue(folder)
    tokenizer = found if folder == "gpt_oss" else found[0]
    encode = load_pair_encoder(tokenizer, PROMPT, loss_scale=loss_scale)
    render_prompt = load_prompt_renderer(tokenizer, PROMPT)
    drawn = random.Random(5)
    for _ in range(300):
        turns = ["user", "assistant"] * drawn.randint(1, 3)
        roles = ["system", *turns] if drawn.random() < 0.5 else turns
        messages = [{"role": role, "content": random_text(drawn)} for role in roles]
        pair = {"messages": messages, "rejected_response": random_text(drawn)}
        prompt, encoded = render_prompt(pair), encode(pair)
        for answer in ("chosen", "rejected"):
            assert encoded[f"{answer}_input_ids"][: len(prompt)] == prompt, pair


@pytest.fixture
def of_another_training(gpt_oss, tmp_path):
    """Return a model's folder with what ms-swift writes into that of a training: of another model."""
    shutil.copytree(gpt_oss, tmp_path / "model")
    said = {"model_type": "qwen3", "template": "qwen3", "swift_version": "4.6.0", "system": "Say no."}
    (tmp_path / "model" / "args.json").write_text(json.dumps(said), encoding="utf-8")
    return tmp_path / "model"


def test_an_args_json_in_the_models_folder_does_not_change_the_tokens(gpt_oss, of_another_training):
    pair = read_golden(NAMES[0])["pair"]
    prompts = [load_prompt_renderer(folder, PROMPT)(pair) for folder in (gpt_oss, of_another_training)]
    assert prompts[0] == prompts[1]


def test_an_args_json_in_the_models_folder_does_not_change_what_a_swift_command_takes(of_another_training):
    from swift.arguments import InferArguments
    from swift.utils import parse_args

    flags = [*model_flags(of_another_training), "--load_args", "false"]
    args, _ = parse_args(InferArguments, flags)
    assert (args.model_info.model_type, args.template, args.system) == (MODEL_TYPE, TEMPLATE, None)


# The clock, the time zone, the locale


def write_files(folder: Path, tokenizer: Path, environment: dict[str, str], before: str = "pass") -> str:
    """Write the golden files into a folder, in a process with this environment; return the day that it saw."""
    day = "import datetime; print(datetime.date.today())"
    code = f"{day}; from tests.support import golden_prompts; {before}; golden_prompts.main()"
    path = os.pathsep.join(filter(None, [str(ROOT), environment.get("PYTHONPATH", os.environ.get("PYTHONPATH"))]))
    command = [sys.executable, "-c", code, "--into", str(folder), "--tokenizer", str(tokenizer)]
    done = subprocess.run(
        command, env=os.environ | environment | {"PYTHONPATH": path}, capture_output=True, text=True, errors="replace"
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout.split()[0]


def assert_golden(folder: Path) -> None:
    """See that the files are the golden ones, byte for byte."""
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == {
        path.name: path.read_bytes() for path in GOLDEN.iterdir()
    }


def test_another_day_in_another_zone_under_an_ascii_locale_changes_nothing(gpt_oss, tmp_path):
    elsewhere = {"TZ": "Pacific/Kiritimati", "LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    day = write_files(tmp_path, gpt_oss, another_day.environment(DAYS) | elsewhere)
    assert datetime.date.fromisoformat(day) > datetime.date.today() + datetime.timedelta(DAYS - 2)
    assert_golden(tmp_path)


@pytest.mark.ci("that the test above could fail")
def test_without_the_frozen_date_another_day_changes_every_prompt(gpt_oss, tmp_path):
    unfrozen = (
        "from pipeline.models import system_message; write = system_message.write_before; "
        "system_message.write_before = lambda date, *rest: write(str(datetime.date.today()), *rest)"
    )
    day = write_files(tmp_path, gpt_oss, another_day.environment(DAYS), before=unfrozen)
    for path in GOLDEN.iterdir():
        golden, found = (folder.joinpath(path.name).read_text(encoding="utf-8") for folder in (GOLDEN, tmp_path))
        assert f"Current date: {day}" in found
        assert found != golden


@pytest.mark.nightly("an ASCII locale is in the first tier")
def test_a_turkish_locale_that_is_not_utf8_changes_nothing(gpt_oss, tmp_path):
    if not shutil.which("localedef") or not Path("/usr/share/i18n/locales/tr_TR").exists():
        pytest.skip("this machine has no sources of locales")
    name = "tr_TR.ISO-8859-9"  # i and I are not a pair there, and a comma is the decimal point
    subprocess.run(["localedef", "-i", "tr_TR", "-f", "ISO-8859-9", str(tmp_path / name)], check=True)
    (out := tmp_path / "out").mkdir()
    before = "import locale; locale.setlocale(locale.LC_ALL, ''); assert locale.localeconv()['decimal_point'] == ','"
    write_files(out, gpt_oss, {"LOCPATH": str(tmp_path), "LC_ALL": name, "PYTHONUTF8": "0"}, before)
    assert_golden(out)
