"""Score translations with COMET, a learned metric, in an environment of its own.

    python -m scripts.score_comet base=base.jsonl dpo=dpo.jsonl --scores comet.jsonl --model Unbabel/wmt22-comet-da

It runs `comet-score` from .venv-comet, or else from PATH: unbabel-comet wants older numpy and transformers than the
environments of this project have. The model is one that its hub knows, which is downloaded, or a folder with
checkpoints/model.ckpt and hparams.yaml. A checkpoint is a pickle: take it from whom you trust. The source is the last
turn of the prompt, the reference is the chosen answer, and line ends in a text count as blanks.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from pipeline.evaluation.named_predictions import Prediction, named_file, read_predictions
from pipeline.files.json_lines import write_json_lines

OWN = Path(".venv-comet/bin")
INSTALL = "python3 -m venv .venv-comet && .venv-comet/bin/pip install unbabel-comet==2.2.7 'setuptools<81'"


def find_comet() -> str:
    """Return the path of comet-score; stop with the command that installs it."""
    found = shutil.which("comet-score", path=os.pathsep.join([str(OWN), os.environ.get("PATH", os.defpath)]))
    return found or sys.exit(f"comet-score: not installed, neither in .venv-comet nor on PATH; run: {INSTALL}")


def find_checkpoint(model: str) -> str:
    """Return what comet-score calls a model: a name of the hub, or the checkpoint of a folder."""
    folder = Path(model)
    if not folder.is_dir():
        return model
    for name in ("hparams.yaml", "checkpoints/model.ckpt"):
        if not (folder / name).is_file():
            sys.exit(f"{folder}: {name} is missing, so it is no model of COMET")
    return str(folder / "checkpoints" / "model.ckpt")


def write_texts(path: Path, texts: list[str]) -> str:
    """Write a text a line, and return the path."""
    path.write_text("".join(" ".join(text.split()) + "\n" for text in texts), encoding="utf-8")
    return str(path)


def run_comet(command: list[str]) -> None:
    """Run comet-score; stop with its last line if it fails."""
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    if done.returncode:
        last = (done.stdout.strip() or "no reason given").splitlines()[-1]
        sys.exit(f"comet-score stopped with status {done.returncode}: {last}")


def score(comet: str, model: str, found: dict[str, list[Prediction]], gpus: int) -> list[dict[str, float]]:
    """Return the scores of each prompt, by the model that answered."""
    rows = next(iter(found.values()))
    with TemporaryDirectory() as name:
        folder = Path(name)
        answers = {
            one: write_texts(folder / str(n), [row["response"] for row in found[one]]) for n, one in enumerate(found)
        }
        sources = write_texts(folder / "sources", [row["messages"][-1]["content"] for row in rows])
        references = write_texts(folder / "references", [row["chosen"] for row in rows])
        to = str(folder / "scores.json")
        files = ["--sources", sources, "--references", references, "--translations", *answers.values()]
        run_comet([comet, *files, "--model", model, "--gpus", str(gpus), "--to_json", to, "--quiet"])
        said: dict[str, list[dict[str, Any]]] = json.loads(Path(to).read_text(encoding="utf-8"))
    return [{one: round(said[path][n]["COMET"], 4) for one, path in answers.items()} for n in range(len(rows))]


def main(argv: list[str] | None = None) -> None:
    assert __doc__
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("predictions", type=named_file, nargs="+", metavar="name=file")
    parser.add_argument("--scores", type=Path, required=True, help="where they go, a row a prompt")
    parser.add_argument("--model", required=True, help="a model of COMET, or a folder that holds one")
    parser.add_argument("--gpus", type=int, default=0, help="0 scores on the CPU")
    args = parser.parse_args(argv)

    comet, model, found = find_comet(), find_checkpoint(args.model), read_predictions(args.predictions)
    scores = score(comet, model, found, args.gpus)
    write_json_lines(
        args.scores,
        ({"id": row["id"], "scores": of} for row, of in zip(next(iter(found.values())), scores, strict=True)),
    )
    for name in found:
        print(f"{name}: COMET {sum(of[name] for of in scores) / len(scores):.4f} over {len(scores)} prompts")


if __name__ == "__main__":
    main()
