"""chat_template.py: the prompts of the training, on any day, from a folder with a template and from one without."""

import json

import jinja2
import pytest

from pipeline.export.chat_template import freeze_template
from pipeline.export.modelfile import write_modelfile
from pipeline.models.system_message import EFFORTS, write_before
from tests.support.published_template import TEXT

PROMPT = {"date": "2020-02-02", "reasoning_effort": "high"}
USER = {"role": "user", "content": '打开 "{{ x }}"'}
SYSTEM = {"role": "system", "content": "Translate.\n"}
ASKED = '<|start|>user<|message|>打开 "{{ x }}"<|end|>'


def put_template(folder, kind):
    """Write a folder whose chat template is in a file, in the tokenizer's settings, or missing; return it."""
    if kind == "file":
        (folder / "chat_template.jinja").write_text(TEXT, encoding="utf-8")
    (folder / "tokenizer_config.json").write_text(json.dumps({"chat_template": TEXT} if kind == "settings" else {}))
    return folder


def refuse(message):
    raise ValueError(message)


def render(template, messages, **values):
    """Return a prompt as transformers renders it."""
    environment = jinja2.Environment(trim_blocks=True, lstrip_blocks=True)
    environment.globals["raise_exception"] = refuse
    return environment.from_string(template).render(messages=messages, add_generation_prompt=True, **values)


@pytest.fixture(params=["file", "settings", "missing"])
def frozen(request, tmp_path):
    return freeze_template(put_template(tmp_path, request.param), PROMPT)


@pytest.mark.parametrize("instructions", [None, "Translate.\n"])
@pytest.mark.parametrize("effort", [None, *EFFORTS])
def test_a_prompt_is_that_of_the_training(frozen, instructions, effort):
    messages = [*([SYSTEM] if instructions else []), USER]
    said = render(frozen, messages, **({"reasoning_effort": effort} if effort else {}))
    before = write_before(PROMPT["date"], effort or PROMPT["reasoning_effort"], instructions)
    assert said == f"{before}{ASKED}<|start|>assistant"


def test_earlier_answers_stand_in_the_final_channel(frozen):
    answer = {"role": "assistant", "content": "Open"}
    said = render(frozen, [USER, answer, USER])
    assert said.endswith(f"{ASKED}<|start|>assistant<|channel|>final<|message|>Open<|end|>{ASKED}<|start|>assistant")


def test_tools_stay_apart_from_the_system_message(tmp_path):
    said = render(freeze_template(put_template(tmp_path, "file"), PROMPT), [SYSTEM, USER], tools=[{}])
    assert "Translate.\n\n\n# Tools\n\n<|end|>" in said


def test_a_date_that_is_asked_for_in_another_way_is_refused(tmp_path):
    path = tmp_path / "chat_template.jinja"
    path.write_text(TEXT.replace("%Y-%m-%d", "%d %B %Y"), encoding="utf-8")
    with pytest.raises(ValueError) as refused:
        freeze_template(tmp_path, PROMPT)
    assert str(refused.value) == (
        f'{path}: calls strftime_now, but not as strftime_now("%Y-%m-%d"); write the date there as that'
    )


@pytest.mark.parametrize(
    "more", [{"tools": [{}]}, {"messages": [USER, {"role": "tool", "content": "1"}]}, {"messages": [USER, SYSTEM]}]
)
def test_what_the_own_template_does_not_know_is_refused(tmp_path, more):
    with pytest.raises(ValueError, match="this model's chat template knows"):
        render(freeze_template(put_template(tmp_path, "missing"), PROMPT), **({"messages": [USER]} | more))


def test_the_modelfile_has_the_frozen_date_and_the_effort_of_the_training():
    text = write_modelfile("mine.gguf", PROMPT)
    assert "\nFROM ./mine.gguf\n" in text
    assert (
        "Current date: 2020-02-02\n\nReasoning: {{ if .ThinkLevel }}{{ .ThinkLevel }}{{ else }}high{{ end }}\n" in text
    )
