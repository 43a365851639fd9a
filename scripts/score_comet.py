"""Score translations with COMET, a learned metric, in an environment of its own.

    python -m scripts.score_comet base=base.jsonl dpo=dpo.jsonl \
        --settings "$(python -m tools.show_settings score_comet experiments/mine.yaml)" --out scored

It writes comet.jsonl, a row a prompt. evaluate.comet is the model: one that COMET's hub knows, which is downloaded, or
a folder with checkpoints/model.ckpt and hparams.yaml. A checkpoint is a pickle, so take it from someone you trust. It
runs `comet-score` from .venv-comet, or else from PATH: unbabel-comet needs older numpy and transformers than the
environments of this project have. The source is the last turn of the prompt, the reference is the chosen answer, and
line ends in a text count as blanks. Finals are scored; an answer that was cut or
has no final is scored as an empty one.
"""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from pipeline.evaluation.named_predictions import read_named_predictions
from pipeline.evaluation.predictions import HeldOut
from pipeline.files.json_lines import write_json_lines
from pipeline.launch.exit_status import describe_status
from pipeline.settings.model_words import METAVAR, read_single_files
from pipeline.settings.stage import stage_parser

SCORES = "comet.jsonl"  # inside --out
OWN = Path(".venv-comet/bin")
INSTALL = "python3 -m venv .venv-comet && .venv-comet/bin/pip install unbabel-comet==2.2.7 'setuptools<81'"


def find_comet() -> str:
    """Return the path of comet-score; stop with the command that installs it."""
    found = shutil.which("comet-score", path=os.pathsep.join([str(OWN), os.environ.get("PATH", os.defpath)]))
    return found or sys.exit(f"comet-score: not installed, neither in .venv-comet nor on PATH; run: {INSTALL}")


def find_checkpoint(model: str) -> str:
    """Return the model as comet-score takes it: a name of the hub, or the checkpoint in a folder."""
    folder = Path(model)
    if not folder.is_dir():
        return model
    for name in ("hparams.yaml", "checkpoints/model.ckpt"):
        if not (folder / name).is_file():
            sys.exit(f"{folder}: {name} is missing, so the folder is not a model of COMET")
    return str(folder / "checkpoints" / "model.ckpt")


def write_texts(path: Path, texts: list[str]) -> str:
    """Write each text on a line of its own, and return the path."""
    path.write_text("".join(" ".join(text.split()) + "\n" for text in texts), encoding="utf-8")
    return str(path)


def run_comet(command: list[str]) -> None:
    """Run comet-score; stop with its last line if it fails."""
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    if done.returncode:
        last = (done.stdout.strip() or "no reason given").splitlines()[-1]
        sys.exit(f"comet-score {describe_status(done.returncode)}: {last}")


def score(comet: str, model: str, found: dict[str, list[HeldOut]], gpus: int) -> list[dict[str, float]]:
    """Return the scores of each prompt, by the model that answered."""
    rows = next(iter(found.values()))
    with TemporaryDirectory() as name:
        folder = Path(name)
        answers = {
            one: write_texts(folder / str(n), [row.counted for row in found[one]]) for n, one in enumerate(found)
        }
        sources = write_texts(folder / "sources", [row.messages[-1]["content"] for row in rows])
        references = write_texts(folder / "references", [row.chosen for row in rows])
        to = str(folder / "scores.json")
        files = ["--sources", sources, "--references", references, "--translations", *answers.values()]
        run_comet([comet, *files, "--model", model, "--gpus", str(gpus), "--to_json", to, "--quiet"])
        said: dict[str, list[dict[str, Any]]] = json.loads(Path(to).read_text(encoding="utf-8"))
    return [{one: round(said[path][n]["COMET"], 4) for one, path in answers.items()} for n in range(len(rows))]


def main(argv: list[str] | None = None) -> None:
    parser = stage_parser(__doc__, out="the scores, a row a prompt")
    parser.add_argument("predictions", nargs="+", metavar=METAVAR, help="predictions.jsonl of each model")
    args = parser.parse_args(argv)
    if not args.settings["evaluate"]["comet"]:
        sys.exit("evaluate.comet: null, so there is no model to score with; name one (docs/judge.md)")

    comet, model = find_comet(), find_checkpoint(args.settings["evaluate"]["comet"])
    found = read_named_predictions(read_single_files(args.predictions), HeldOut)
    scores = score(comet, model, found, args.settings["infer"]["gpus"])
    args.out.mkdir(parents=True, exist_ok=True)
    rows = zip(next(iter(found.values())), scores, strict=True)
    write_json_lines(args.out / SCORES, (row.name | {"scores": own} for row, own in rows))
    for name in found:
        print(f"{name}: COMET {sum(own[name] for own in scores) / len(scores):.4f} over {len(scores)} prompts")


if __name__ == "__main__":
    main()
