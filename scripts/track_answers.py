"""Log in SwanLab how the answers before and after the training ended, in the run that has its curves.

    envs/with-training python -m scripts.track_answers results/tiny/evaluate/answer_metrics.json \
        --settings "$(python -m tools.show_settings track_answers)" --swanlab results/tiny/swanlab \
        --tracked results/tiny/evaluate/tracked.json

Writes what it logged as JSON: the shares of answers that were cut or have no final, and the tokens of analysis and
final, of each model and with the ends of the interval. Where the folder has no record of the training, as after
`dvc pull`, they are a run of the same name.
"""

import io
import os
import secrets
import shutil
from collections.abc import Iterator, Mapping
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import yaml

from pipeline.files.hide_private import hide_private
from pipeline.files.json_files import read_json, write_json
from pipeline.launch.contract import Tracking
from pipeline.settings.stage import stage_parser
from pipeline.tracking.swanlab_records import find_newest

LOGGED = ("cut_answers", "no_final", "analysis_tokens", "final_tokens")  # those of pipeline/evaluation/answer_ends.py
ENDS = {"value": "", "low": "_low", "high": "_high"}  # of the names in SwanLab
# Beside a record, as SwanLab names them.
SETTINGS = "files/config.yaml"
MACHINE = "files/swanlab-metadata.json"


def list_figures(metrics: Mapping[str, Any]) -> Iterator[tuple[str, float]]:
    """Yield name and value of what is logged: answers/no_final/dpo, answers/no_final/dpo_low, and so on."""
    for name in LOGGED:
        for model in metrics["models"]:
            figure = metrics["answers"][model][name]
            for end, ending in ENDS.items():
                if figure[end] is not None:
                    yield f"answers/{name}/{model}{ending}", figure[end]


def log_figures(figures: Mapping[str, float], asked: Mapping[str, Any], folder: Path) -> None:
    """Log figures in the run of the training; each time a step later, since SwanLab keeps the first value of a step."""
    import swanlab

    from pipeline.tracking.swanlab_session import open_run

    name = folder.resolve().parent.name
    known = find_newest(folder, name)
    open_run(Tracking.asked(asked, folder, name, known.id if known else secrets.token_hex(10)), hardware=False)
    if known:  # else SwanLab would take the training's settings for empty ones
        swanlab.config.update(read_settings(known.files[0]))
    swanlab.log(dict(figures), step=len(known.files) if known else 0)
    swanlab.finish()
    if known and (now := find_newest(folder, name)):  # and its machine for an unknown one
        shutil.copyfile(known.files[0].parent / MACHINE, now.files[-1].parent / MACHINE)


def read_settings(record: Path) -> dict[str, Any]:
    """Return the settings of a run that SwanLab wrote beside its record."""
    found = yaml.safe_load((record.parent / SETTINGS).read_text(encoding="utf-8"))
    return {name: setting["value"] for name, setting in found.items()}


def main(argv: list[str] | None = None) -> None:
    parser = stage_parser(__doc__)
    parser.add_argument("metrics", type=Path, help="what evaluate_answers.py wrote")
    parser.add_argument("--swanlab", type=Path, required=True, help="folder of SwanLab's records of the run")
    parser.add_argument("--tracked", type=Path, required=True, help="file for what was logged")
    args = parser.parse_args(argv)
    asked = args.settings["tracking"]
    if asked["host"]:
        os.environ["SWANLAB_API_HOST"] = asked["host"]
    figures = dict(list_figures(read_json(args.metrics)))
    said = io.StringIO()
    try:
        with redirect_stdout(said):
            log_figures(figures, asked, args.swanlab)
    finally:
        print(hide_private(said.getvalue()), end="")
    write_json(args.tracked, {"project": asked["project"], "run": args.swanlab.parent.name, "figures": figures})


if __name__ == "__main__":
    main()
