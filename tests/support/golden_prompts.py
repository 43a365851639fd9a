"""Pairs as tokens and loss masks, rendered by ms-swift's template with gpt-oss's own tokenizer: tests/golden/prompts.

    envs/with-training python -m tests.support.golden_prompts

writes the files again, each from its own "pair". A new file needs no more than {"pair": {...}}. Whoever reviews the
change sees the texts; `trained` has a 1 for every token that the loss counts, under a loss scale.
"""

import argparse
import json
import os
import re
import tempfile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
GOLDEN = ROOT / "tests" / "golden" / "prompts"
NAMES = sorted(path.stem for path in GOLDEN.glob("*.json"))
PROMPT = {"date": "2026-01-01", "reasoning_effort": "medium"}
LOSS_SCALES = (
    "last_round",
    "ignore_empty_think",
    "last_round+final",
)  # config.yaml's, the tutorial's, and finals alone
NUMBERS = re.compile(r"\[\s+(\d+(?:,\s+\d+)*)\s+\]")


def read_golden(name: str) -> dict[str, Any]:
    """Return one golden file."""
    golden: dict[str, Any] = json.loads((GOLDEN / f"{name}.json").read_text(encoding="utf-8"))
    return golden


def write_tokenizer(folder: Path) -> None:
    """Write gpt-oss's own tokenizer, and the config.json by which ms-swift knows whose it is."""
    from transformers import GptOssConfig

    from tools.build_gpt_oss_tokenizer import main

    main(["--folder", str(folder)])
    GptOssConfig(architectures=["GptOssForCausalLM"]).save_pretrained(folder)


def render_all(pairs: dict[str, dict[str, Any]], tokenizer: Path) -> dict[str, dict[str, Any]]:
    """Return the expected contents of each golden file."""
    from pipeline.models.render_chat import load_pair_encoder, load_prompt_renderer, load_template

    decode = load_template(tokenizer, PROMPT).tokenizer.decode
    render_prompt = load_prompt_renderer(tokenizer, PROMPT)
    encoders = {scale: load_pair_encoder(tokenizer, PROMPT, loss_scale=scale) for scale in LOSS_SCALES}

    def render(pair: dict[str, Any]) -> dict[str, Any]:
        prompt = render_prompt(pair)
        rendered: dict[str, Any] = {"pair": pair, "prompt": {"text": decode(prompt), "ids": prompt}}
        encoded = {scale: encode(pair) for scale, encode in encoders.items()}
        for answer in ("chosen", "rejected"):
            ids = encoded[LOSS_SCALES[0]][f"{answer}_input_ids"]
            trained = {scale: [int(label >= 0) for label in row[f"{answer}_labels"]] for scale, row in encoded.items()}
            rendered[answer] = {"text": decode(ids), "ids": ids, "trained": trained}
        return rendered

    return {name: render(pair) for name, pair in pairs.items()}


def as_json(rendered: dict[str, Any]) -> str:
    """Return a golden file's text, with each list of numbers on a line."""
    text = json.dumps(rendered, ensure_ascii=False, indent=2)
    return NUMBERS.sub(lambda found: f"[{' '.join(found[1].split())}]", text) + "\n"


def main(argv: list[str] | None = None) -> None:
    assert __doc__
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--into", type=Path, default=GOLDEN, help="folder for the files")
    parser.add_argument("--tokenizer", type=Path, help="folder with gpt-oss's tokenizer; without it, it is built")
    args = parser.parse_args(argv)

    os.chdir(ROOT)
    with tempfile.TemporaryDirectory() as scratch:
        if args.tokenizer is None:
            write_tokenizer(Path(scratch))
        rendered = render_all({name: read_golden(name)["pair"] for name in NAMES}, args.tokenizer or Path(scratch))
    for name, content in rendered.items():
        (args.into / f"{name}.json").write_text(as_json(content), encoding="utf-8")


if __name__ == "__main__":
    main()
