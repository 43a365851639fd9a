"""Write a model card in Hugging Face's form: the tuned model, its training, and its figures.

    python -m scripts.write_model_card --settings "$(python -m tools.show_settings write_model_card)" \\
        --run results/tiny --out results/tiny

The files that it reads have fixed names in the run's folder (pipeline/settings/run_files.py). The same run gives the
same bytes: no times, no paths of this machine. The folder of the model gets a copy as README.md, where the
Hub and readers look for it, unless another run has trained the model.
"""

from pathlib import Path
from string import Template
from typing import Any

from pipeline.card.metadata import describe_metadata, find_base, is_all_own, render_metadata
from pipeline.card.serving import serving_text
from pipeline.card.tables import (
    show_number,
    table,
    tabulate_comparisons,
    tabulate_figures,
    tabulate_groups,
    tabulate_settings,
)
from pipeline.files.folder_manifest import CARD
from pipeline.files.json_files import read_json
from pipeline.files.json_lines import read_json_lines, replace_files
from pipeline.files.known_hashes import file_sha256
from pipeline.gates import describe_gate, read_gates
from pipeline.models.expected_tensors import is_packed
from pipeline.models.system_message import INSTRUCTIONS, write_before
from pipeline.preferences.analyses import ADDED, HAD, NOT_ADDED, sum_accounts
from pipeline.serving.common_system import find_system
from pipeline.settings.embedded_data import INTERFACE
from pipeline.settings.run_files import RunFiles, add_run, files_of
from pipeline.settings.stage import stage_parser

NAME = "model_card.md"
PACKED = (
    "Its experts are packed (MXFP4), with the bytes that they have in the model before tuning; the tensors of the LoRA "
    "alone differ from it."
)
# The text that ms-swift's template of gpt-oss puts around a question: the prompt has the same tokens as in training.
PROMPT = Template(
    write_before("$date", "$effort").replace("\n", r"\n")
    + "{before}<|start|>user<|message|>{question}<|end|><|start|>assistant"
)
SYSTEM = "<|start|>developer<|message|>" + INSTRUCTIONS.replace("\n", r"\n") + "{text}<|end|>"
USE = Template(
    """\
import sys

from transformers import AutoModelForCausalLM, AutoTokenizer

folder, question, *system = sys.argv[1:]  # the folder of this card, what to ask, and perhaps a system message
tokenizer = AutoTokenizer.from_pretrained(folder)
model = AutoModelForCausalLM.from_pretrained(folder, dtype="auto")
${given}before = "".join(f"$system" for text in system if text)
prompt = f"$prompt"
inputs = tokenizer(prompt, add_special_tokens=False, return_tensors="pt")
answer = model.generate(**inputs, max_new_tokens=$tokens, do_sample=False)
print(tokenizer.decode(answer[0][inputs["input_ids"].shape[1] :]))"""
)

Section = tuple[str, str]  # heading and text


def name_model(settings: dict[str, Any], base: str | None) -> str:
    """Return a description of the model before tuning."""
    if base:
        return f"[{base}](https://huggingface.co/{base})"
    if folder := settings["model"]["folder"]:
        return f"a gpt-oss that its folder calls `{Path(folder).name}`"
    if settings["model"]["random"]:
        return "random weights of gpt-oss's architecture"
    return "a tiny model of gpt-oss's architecture, built for this run"


def model_text(run: str, settings: dict[str, Any], base: str | None, sft: str, packed: bool) -> str:
    """Return the paragraph about the model; `packed` says whether its experts are."""
    languages = settings["data"]["languages"]
    task = f" on translations from `{languages['source']}` to `{languages['target']}`" if languages else ""
    return (
        f"Run `{run}`: {name_model(settings, base)}, tuned{sft} with preference pairs{task} (LoRA, merged into the "
        "weights). ms-swift trained it; Snakemake ran every stage from the raw pairs to the figures below."
        + (f" {PACKED}" if packed else "")
    )


def sft_text(settings: dict[str, Any]) -> str:
    """Return the words about SFT, empty if there was no SFT."""
    if not settings["sft"]["enabled"]:
        return ""
    return " with SFT, then" if settings["sft"]["join"] == "merged" else " with SFT, then in the same adapter"


def rows_text(quality: dict[str, Any]) -> str:
    """Return the counts of the rows of one conversion. Files are named without their folders."""
    names = ", ".join(f"`{Path(file['file']).name}`" for file in quality["files"])
    found = ", ".join(f"{code} ({count})" for code, count in quality["codes"].items()) or "nothing"
    return (
        f"{quality['rows_in']} raw rows ({names}): {quality['rows_used']} used, {quality['rows_rejected']} rejected "
        f"by name. The checks found: {found}."
    )


def analyses_text(account: dict[str, Any] | None) -> str:
    """Return the counts of the analyses that the base model wrote for pairs, empty if it was not asked for any."""
    if not account:
        return ""
    why = "; ".join(f"{count}: {NOT_ADDED[name]}" for name, count in account["not_added"].items() if count)
    return (
        f" The base model answered the {account['asked']} prompts, and its analysis stands before both answers of "
        f"{account[ADDED]} pairs; {account[HAD]} had one of their own."
        + (f" The others have none ({why})." if why else "")
    )


def data_text(files: RunFiles, quality: dict[str, Any], data: dict[str, Any]) -> str:
    """Return the counts of the rows, and the hashes of the pairs."""
    pairs = [files.train, files.val]
    held_out = read_json(files.val_quality) if data["val"] else None
    analyses = analyses_text(sum_accounts(files.analyses.values()) if data["analyses"] else None)
    rows = [(f"`{path.parent.name}/{path.name}`", str(count_lines(path)), f"`{file_sha256(path)}`") for path in pairs]
    own = f" Held out were pairs of their own: {rows_text(held_out)}" if held_out else ""
    return f"{rows_text(quality)}{own}{analyses} Training saw none of the held-out prompts.\n\n" + (
        table(["pairs", "rows", "SHA-256"], rows)
    )


def count_lines(path: Path) -> int:
    """Return the number of lines of a file."""
    with path.open("rb") as lines:
        return sum(1 for _ in lines)


def figures_text(evaluation: dict[str, Any]) -> str:
    """Return the tables of figures with their intervals: answers, pairs, differences between models."""
    models, pairs = evaluation["models"], evaluation.get("pairs", {})
    tuned = pairs.get(models[-1], {})
    parts = {
        "Answers to held-out prompts:": tabulate_figures(models, evaluation.get("answers", {})),
        "Held-out pairs, by log-probability:": tabulate_figures(models, pairs),
        f"The same of `{models[-1]}`, by tag:": tabulate_groups(tuned, "by_tag", "tag"),
        f"The same of `{models[-1]}`, by length:": tabulate_groups(tuned, "by_length", "length"),
        "Loss on a neutral text that no pair contains, in nats a token (what was forgotten):": tabulate_figures(
            models, evaluation.get("neutral", {})
        ),
        "Results of other programs:": tabulate_figures(models, evaluation.get("external", {})),
        "Differences:": tabulate_comparisons(evaluation.get("comparisons", {})),
        "Signatures:": "\n".join(f"- {name}: `{text}`" for name, text in evaluation.get("signatures", {}).items()),
    }
    shown = [f"{title}\n\n{text}" for title, text in parts.items() if text]
    lead = (
        "In brackets is the 95 % interval, which depends on the choice of held-out prompts: Wilson's or Newcombe's for "
        "a share, by resampling of prompts for others, and none where the prompts say too little. The command for each "
        "figure is in `evaluate/metrics.json`. Final answers are scored; one that was cut (`cut answers`) or has no "
        "final (`no final`) counts as empty."
    )
    return "\n\n".join([lead, *shown])


def training_text(training: dict[str, Any]) -> str:
    """Return the first and last losses of the training, in words."""
    after, loss = training.get("held_out", {}).get("after", {}), training.get("loss")
    words = (
        [f"loss {show_number(loss['first'])} at the first step, {show_number(loss['last'])} at the last"]
        if loss
        else []
    )
    words += [f"held-out loss {show_number(after['loss'])} after it"] if "loss" in after else []
    return f"Training: {'; '.join(words)}.\n\n" if words else ""


def gates_text(gates: list[tuple[str, Path]]) -> str:
    """Return a table with the number of gates that each stage passed, and the gates that failed."""
    rows, failed = [], []
    for stage, path in gates:
        if found := read_gates(path):
            rows.append((stage, f"{sum(gate['passed'] for gate in found)} of {len(found)}"))
            failed += [f"- {stage}: {describe_gate(gate)}" for gate in found if not gate["passed"]]
    lead = "The gates of each stage, which check its own result (`gates.json`):\n\n" + table(["stage", "passed"], rows)
    return "\n\n".join([lead, "Failed, and only reported:\n\n" + "\n".join(failed)] if failed else [lead])


def lost_text(evaluation: dict[str, Any]) -> str:
    """Return the limit of what is known about abilities that the base model had."""
    if not evaluation.get("neutral"):
        return "Safety, bias, and abilities that the base model may have lost were not measured."
    return (
        "Of the abilities that the base model may have lost, the loss on one neutral text alone was measured. Safety "
        "and bias were not."
    )


def limits_text(settings: dict[str, Any], quality: dict[str, Any], evaluation: dict[str, Any]) -> str:
    """Return the limits of the model and of its figures."""
    limits = []
    if settings["model"]["random"]:
        limits.append("**Its weights are random.** It shows that the stages run at this size, and answers with noise.")
    elif settings["model"]["folder"] is None:
        limits.append(
            "**It is a demonstration.** So small a model knows little more than what it was taught. Its figures say "
            "that the stages fit together, and nothing about gpt-oss."
        )
    if settings["data"]["raw"] == INTERFACE:
        limits.append(
            "**A grammar made its pairs**, and the rejected answers are a habit that the model was taught before. It "
            "shows that preference training takes such a habit away, not that it makes translations better."
        )
    if quality["codes"]:
        limits.append(
            f"Training kept what the checks found in the pairs ({', '.join(quality['codes'])}); preference tuning "
            "learns such habits as readily as what the pairs were made for."
        )
    source = "data of their own" if settings["data"]["val"] else "the same source as the training"
    limits += [
        f"The figures are of held-out prompts from {source}. Other texts were not tried.",
        *(
            ["Automatic scores compare with one reference; nobody has read the answers for this card."]
            if evaluation.get("answers")
            else []
        ),
        "One training with one seed: the intervals do not include differences between seeds.",
        lost_text(evaluation),
    ]
    return "\n".join(f"- {limit}" for limit in limits)


def use_text(settings: dict[str, Any], system: str | None) -> str:
    """Return a program that asks the model a question, with the prompt of its training."""
    date, effort = settings["prompt"]["date"], settings["prompt"]["reasoning_effort"]
    given = f"system = system or [{system!r}]\n" if system else ""
    prompt = PROMPT.substitute(date=date, effort=effort)
    code = USE.substitute(given=given, system=SYSTEM, prompt=prompt, tokens=settings["infer"]["max_new_tokens"])
    without = "that of the training is sent, and with an empty one none" if system else "none is sent"
    return (
        f"```python\n{code}\n```\n\n"
        f"A system message is its third argument; without it {without}. "
        f"The prompt names {date}, as in training, whatever the day is. A chat template may write the day's date, "
        "and then the tokens are others."
    )


def origin_text(run: str, manifest: Path) -> str:
    """Return the hashes of the weights, and how to compute them again."""
    hashes = [line.partition("  ") for line in manifest.read_text(encoding="utf-8").splitlines()]
    weights = [(f"`{Path(name).name}`", f"`{digest}`") for digest, _, name in hashes if name.endswith(".safetensors")]
    return (
        f"In the repository of this project: `snakemake --cores all`, with the overlay of run `{run}` as "
        "`--configfile` if it is not the default's. On one machine a run on the CPU gives the same bytes again. Which "
        "jobs ran, when and with which versions is in `ro-crate-metadata.json`, beside this card in the results.\n\n"
        + table(["weights", "SHA-256"], weights)
    )


def licence_text(settings: dict[str, Any], base: str | None) -> str:
    """Return the words about the model's licence."""
    if base:
        return (
            "gpt-oss is under Apache 2.0. The training data may have a licence of its own, "
            "which this card does not know."
        )
    if is_all_own(settings):
        return "MIT, as the project's code and its embedded pairs, from which the weights were made."
    return (
        "Not known to this card: look at the licences of the base model and of the data before you share the weights."
    )


def write_sections(title: str, sections: list[Section]) -> str:
    """Return the text of the card."""
    return "\n\n".join([f"# {title}", *(f"## {heading}\n\n{text}" if heading else text for heading, text in sections)])


def render_card(files: RunFiles, settings: dict[str, Any]) -> str:
    """Return the card."""
    evaluation, quality, in_force = map(read_json, (files.metrics, files.quality, files.in_force))
    training = read_json(files.training_metrics)
    config = read_json(files.merged / "config.json")
    base = find_base(settings["model"]["folder"], config)
    system = find_system([row["messages"] for row in read_json_lines(files.val)]) or settings["data"]["system"]
    tags = ["gpt_oss", in_force["arguments"]["rlhf_type"], "lora", "ms-swift", "snakemake"]
    sections = [
        ("", model_text(files.name, settings, base, sft_text(settings), is_packed(config))),
        ("Limits", limits_text(settings, quality, evaluation)),
        ("Figures", training_text(training) + figures_text(evaluation)),
        ("Use", use_text(settings, system)),
        ("Serve", serving_text(files.name, settings, system, is_packed(config))),
        ("Training", tabulate_settings(in_force, training.get("steps"))),
        ("Data", data_text(files, quality, settings["data"])),
        ("Gates", gates_text(files.gates)),
        ("Compute it again", origin_text(files.name, files.merged_manifest)),
        ("Licence", licence_text(settings, base)),
    ]
    metadata = describe_metadata(files.name, settings, base, tags, evaluation)
    return f"{render_metadata(metadata)}\n{write_sections(files.name, sections)}\n"


def main(argv: list[str] | None = None) -> None:
    parser = stage_parser(__doc__, out=NAME)
    add_run(parser)
    args = parser.parse_args(argv)
    files = files_of(args)
    text = render_card(files, args.settings)
    args.out.mkdir(parents=True, exist_ok=True)
    for path in [args.out / NAME, *([files.merged / CARD] if files.trained_here else [])]:
        with replace_files(path) as (out,):
            out.write(text)


if __name__ == "__main__":
    main()
