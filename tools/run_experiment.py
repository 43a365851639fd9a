"""Run an overlay of config.yaml as an experiment of DVC, under the overlay's name.

    python -m tools.run_experiment experiments/mine.yaml

dvc.yaml is written for the overlay while it runs; afterwards it is what it was, and so are the results. Then
`dvc exp show` lists the experiment, `dvc exp apply mine` brings its results, and `dvc exp push` shares it.
"""

import subprocess
import sys
from pathlib import Path

from pipeline.files.stop_once import Stopped, stop_once
from pipeline.publishing.dvc_yaml import DVC_YAML, render
from pipeline.settings.stage import stage_parser

RECORDS = (str(DVC_YAML), "dvc.lock")


def git(*arguments: str) -> str:
    """Return git's output; stop with one line if git fails."""
    done = subprocess.run(["git", *arguments], capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"git {arguments[0]}: {done.stderr.strip().splitlines()[-1]}")
    return done.stdout


def check_records(overlay: Path) -> None:
    """Stop with one line if git lacks the overlay, or if DVC's files have changes that are not committed."""
    if not overlay.is_file():
        sys.exit(
            f"{overlay}: no such file; an experiment is an overlay of config.yaml, such as experiments/tutorial.yaml"
        )
    if not git("ls-files", "--", str(overlay)):
        sys.exit(f"{overlay}: not known to git, so that the experiment would lack it; run: git add {overlay}")
    if changed := git("status", "--porcelain", "--", *RECORDS):
        fix = f"commit them, or run: git checkout {' '.join(RECORDS)}"
        sys.exit(f"{changed.split()[-1]}: has changes that are not committed; {fix}")


def run_experiment(overlay: Path) -> int:
    """Run the overlay, put everything back, and return DVC's exit status."""
    text = render([overlay])
    try:
        DVC_YAML.write_text(text, encoding="utf-8")
        return subprocess.run(["dvc", "exp", "run", "--name", overlay.stem], check=False).returncode
    finally:
        git("checkout", "--quiet", "HEAD", "--", *RECORDS)
        subprocess.run(["dvc", "checkout", "--quiet"], check=False)


def main(argv: list[str] | None = None) -> None:
    parser = stage_parser(__doc__, settings=False)
    parser.add_argument("overlay", type=Path, help="a file that git knows, under experiments/")
    overlay = parser.parse_args(argv).overlay
    check_records(overlay)
    try:
        with stop_once():
            status = run_experiment(overlay)
    except Stopped as stopped:
        sys.exit(f"{stopped}; dvc.yaml and dvc.lock are what they were")
    if status:
        sys.exit(f"the experiment failed, see above; dvc.yaml and {RECORDS[1]} are what they were")
    print(f"Experiment {overlay.stem}: dvc exp show lists it; dvc exp apply {overlay.stem} brings its results")


if __name__ == "__main__":
    main()
