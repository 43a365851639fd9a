"""Compute the published results again, and compare them with the hashes in dvc.lock.

    python -m tools.reproduce_results
    python -m tools.reproduce_results --folder /tmp/again     keep what was computed

The committed state is cloned, and only the raw pairs are fetched, so that every stage is computed.
Snakemake's records, which hold times, are not compared, nor are results that describe the run itself. It
ends with status 1 if a result differs by more than the tolerances of pipeline/publishing/compare_results.py.
"""

import math
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import yaml
from dvc.api import DVCFileSystem

from pipeline.publishing.compare_results import Difference, compare_results, describes_the_run
from pipeline.settings.stage import stage_parser

ROOT = Path(__file__).parents[1]
ENVIRONMENTS = (".venv", ".venv-training")

Outs = dict[str, str]  # hash by path


def run(*command: str, cwd: Path) -> None:
    """Run a command; if it fails, stop with its name below its own output."""
    if subprocess.run(command, cwd=cwd, check=False).returncode:
        sys.exit(f"{' '.join(command)}: failed in {cwd}, see above; nothing was compared")


def read_outs(lock: Path) -> Outs:
    """Return the hash of every result in a dvc.lock."""
    stages = yaml.safe_load(lock.read_text(encoding="utf-8"))["stages"]
    outs = [out for stage in stages.values() for out in stage["outs"]]
    return {out["path"]: out["md5"] for out in outs if out["path"].startswith("results/")}


def compute_again(clone: Path) -> None:
    """Clone what is committed, and compute everything from the raw pairs."""
    run("git", "clone", "--quiet", str(ROOT), str(clone), cwd=ROOT)
    for name in ENVIRONMENTS:
        (clone / name).symlink_to(ROOT / name)
    run("dvc", "pull", "--quiet", "data.dvc", cwd=clone)
    run("dvc", "repro", cwd=clone)


def fetch_published(path: str, folder: Path) -> Path:
    """Fetch a published result from DVC's cache or the remote, and return its path."""
    target = folder / path
    target.parent.mkdir(parents=True, exist_ok=True)
    DVCFileSystem(str(ROOT), rev="HEAD").get(path, str(target), recursive=True)
    return target


def list_files(path: Path) -> list[Path]:
    """Return the files of a folder except Snakemake's marks, or the file itself."""
    return sorted(p for p in path.rglob("*") if p.is_file() and p.name[0] != ".") if path.is_dir() else [path]


def compare_out(path: str, published: Path, clone: Path) -> list[tuple[str, Difference]]:
    """Return the files of a result that differ, and by how much."""
    found = []
    for one in list_files(fetch_published(path, published)):
        name = one.relative_to(published)
        within = str(Path(*name.parts[2:]))  # without results/<run>/
        difference = compare_results(one, clone / name, within)
        if difference:
            found.append((str(name), difference))
    return found


def report(outs: Outs, differing: list[tuple[str, Difference]]) -> None:
    """Print the outcome; stop with status 1 if a result differs too much."""
    described = sum(map(describes_the_run, outs))
    left_out = f"; {described} describe the run itself and are not compared" if described else ""
    if not differing:
        print(f"reproduced: all {len(outs) - described} results in dvc.lock have the same hash{left_out}")
        return
    for name, difference in differing:
        mark = " " if difference.is_allowed else "!"
        allowed = "shown only" if math.isinf(difference.allowed) else f"allowed {difference.allowed:g}"
        print(f"{mark} {name}: {difference.words}; {allowed}")
    bad = [name for name, difference in differing if not difference.is_allowed]
    if bad:
        sys.exit(f"not reproduced: {len(bad)} files differ by more than is allowed (docs/reproducing.md)")
    print(f"reproduced within the tolerances of docs/reproducing.md; {len(differing)} files differ as said{left_out}")


def reproduce(clone: Path) -> None:
    """Compute everything in a clone, compare, and print the outcome."""
    dirty = subprocess.run(["git", "status", "--porcelain"], cwd=ROOT, capture_output=True, text=True, check=True)
    if dirty.stdout:
        print("There are changes that are not committed; what is committed is reproduced.", file=sys.stderr)
    compute_again(clone)
    published, again = read_outs(ROOT / "dvc.lock"), read_outs(clone / "dvc.lock")
    if missing := sorted(set(published) ^ set(again)):
        sys.exit(f"not reproduced: {missing[0]} is in one dvc.lock only; run `make dvc.yaml` and publish again")
    with tempfile.TemporaryDirectory() as folder:
        changed = [path for path, md5 in published.items() if again[path] != md5 and not describes_the_run(path)]
        report(published, [found for path in changed for found in compare_out(path, Path(folder), clone)])


def main(argv: list[str] | None = None) -> None:
    parser = stage_parser(__doc__, settings=False)
    parser.add_argument("--folder", type=Path, help="a new folder for the clone, which is kept")
    folder = parser.parse_args(argv).folder
    if folder and folder.exists():
        sys.exit(f"{folder}: already exists; name a new folder")
    os.environ["PATH"] = f"{ROOT / '.venv' / 'bin'}{os.pathsep}{os.environ['PATH']}"
    with tempfile.TemporaryDirectory() as scratch:
        reproduce(folder.resolve() if folder else Path(scratch) / "clone")


if __name__ == "__main__":
    main()
