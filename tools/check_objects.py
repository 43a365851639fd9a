"""Check that every object in DVC's storage has the MD5 that its name says.

    python -m tools.check_objects

DVC trusts an object of its cache once it was checked, and silently puts a damaged one into results. This tool reads
all of them, in the cache and in remotes that are folders. It ends with status 1 and a line for each damaged object.
"""

import hashlib
import sys
from pathlib import Path

import yaml
from dvc.repo import Repo

from pipeline.settings.stage import stage_parser


def list_stores(repo: Repo) -> list[Path]:
    """Return the folders with objects: the cache, and every remote on this machine."""
    remotes = [repo.cloud.get_remote(name) for name in repo.config["remote"]]
    folders = [Path(remote.path) for remote in remotes if remote.fs.protocol == "local"]
    return [
        path
        for path in (Path(repo.cache.local.path), *(folder / "files" / "md5" for folder in folders))
        if path.is_dir()
    ]


def is_damaged(path: Path) -> bool:
    """Say whether an object does not have the MD5 in its name."""
    with path.open("rb") as stream:
        found = hashlib.file_digest(stream, "md5").hexdigest()
    return found != path.parent.name + path.name.removesuffix(".dir")


def name_uses(lock: Path) -> dict[str, str]:
    """Return the paths of each object in dvc.lock, by its MD5."""
    stages = yaml.safe_load(lock.read_text(encoding="utf-8"))["stages"] if lock.exists() else {}
    return {part["md5"]: part["path"] for stage in stages.values() for part in (*stage.get("deps", []), *stage["outs"])}


def main(argv: list[str] | None = None) -> None:
    stage_parser(__doc__, settings=False).parse_args(argv)
    repo = Repo()
    uses = name_uses(Path("dvc.lock"))
    objects = [path for store in list_stores(repo) for path in sorted(store.glob("??/*"))]
    damaged = [path for path in objects if len(path.name.removesuffix(".dir")) == 30 and is_damaged(path)]
    for path in damaged:
        use = uses.get(path.parent.name + path.name, "part of a folder, or of an earlier version")
        print(f"{path}: damaged ({use}); remove it, then run: dvc pull, or git checkout .dvc/store", file=sys.stderr)
    if damaged:
        sys.exit(1)
    print("Every object has the MD5 that its name says.")


if __name__ == "__main__":
    main()
