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
from collections.abc import Collection, Mapping
from pathlib import Path

import yaml
from dvc.api import DVCFileSystem

from pipeline.files.folder_manifest import list_files
from pipeline.publishing.compare_results import compare_results, describes_the_run
from pipeline.publishing.difference import Difference
from pipeline.settings.stage import stage_parser

ROOT = Path(__file__).parents[1]
ENVIRONMENTS = (".venv", ".venv-training")

# How a result is reproduced that is not the same byte for byte.
WITHIN, SHOWN, OUTSIDE = KINDS = ("within a tolerance", "of those that may differ by any amount", "outside")

Outs = dict[str, str]  # hash by path
Found = list[tuple[str, Difference]]  # by file


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


def fetch_published(path: str, folder: Path) -> None:
    """Fetch a published result from DVC's cache or the remote into a folder, under its path."""
    target = folder / path
    target.parent.mkdir(parents=True, exist_ok=True)
    DVCFileSystem(str(ROOT), rev="HEAD").get(path, str(target), recursive=True)


def list_names(path: Path, root: Path) -> set[str]:
    """Return the files of a folder, or the file itself, by their paths below `root`; those that DVC keeps."""
    files = list_files(path) if path.is_dir() else [path] if path.is_file() else []
    return {str(file.relative_to(root)) for file in files}


def compare_out(path: str, published: Path, clone: Path) -> Found:
    """Return the files of a result that differ, and by how much. Its hash differs, so that there is one at least."""
    one, two = (list_names(root / path, root) for root in (published, clone))
    found = [(name, Difference(math.inf, 0.0, "is not there now")) for name in one - two]
    found += [(name, Difference(math.inf, 0.0, "was not there before")) for name in two - one]
    for name in one & two:
        within = str(Path(*Path(name).parts[2:]))  # without results/<run>/
        if difference := compare_results(published / name, clone / name, within):
            found.append((name, difference))
    return sorted(found) or [(path, Difference(math.inf, 0.0, "has another hash, and the same files"))]


def describe(name: str, found: Difference) -> str:
    """Return a file that differs, and by how much, as a line; one that is outside its tolerance is marked."""
    allowed = "shown only" if math.isinf(found.allowed) else f"allowed {found.allowed:g}"
    return f"{' ' if found.is_allowed else '!'} {name}: {found.words}; {allowed}"


def classify(found: Found) -> str:
    """Return how a result is reproduced whose files differ so: as its worst file."""
    if not all(difference.is_allowed for _, difference in found):
        return OUTSIDE
    return SHOWN if all(math.isinf(difference.allowed) for _, difference in found) else WITHIN


def report(outs: Collection[str], differing: Mapping[str, Found]) -> None:
    """Print the outcome for all results, with the files of those that differ; stop with status 1 if one is outside."""
    for found in differing.values():
        for name, difference in found:
            print(describe(name, difference))
    compared = [path for path in outs if not describes_the_run(path)]
    kinds = {
        kind: [path for path in compared if path in differing and classify(differing[path]) == kind] for kind in KINDS
    }
    parts = [f"{len(compared) - len(differing)} of {len(compared)} results are the same byte for byte"]
    parts += [f"{len(paths)} {kind}{': ' if paths else ''}{', '.join(paths)}" for kind, paths in kinds.items()]
    if described := sum(map(describes_the_run, outs)):
        parts.append(f"{described} describe the run itself and are not compared")
    if kinds[OUTSIDE]:
        sys.exit(f"not reproduced: {'; '.join(parts)} (docs/reproducing.md)")
    print(f"reproduced: {'; '.join(parts)}")


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
        for path in changed:  # before any is compared: plots and manifests are compared with what they follow from
            fetch_published(path, Path(folder))
        report(published, {path: compare_out(path, Path(folder), clone) for path in changed})


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
