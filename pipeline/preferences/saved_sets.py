"""What a folder of Hugging Face's datasets says about its files: parts of a saved set, and splits."""

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pipeline.preferences.open_raw import UnreadableRaw

SHARD = re.compile(r"(.+)-\d{5}-of-\d{5}\.")  # a part of a split, as the hub names them


def read_object(path: Path) -> dict[str, Any]:
    """Return the object in a file of JSON, an empty one where there is none."""
    try:
        value = json.loads(path.read_bytes())
    except (FileNotFoundError, ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def find_cache(path: Path) -> str | None:
    """Say why to leave an Arrow file that lies beside the parts of a saved set; None if it is data."""
    folder = path.parent
    files = read_object(folder / "state.json").get("_data_files")
    if not isinstance(files, list):
        return None
    parts = {str(file.get("filename")) for file in files if isinstance(file, dict)}
    if missing := sorted(name for name in parts if not (folder / name).exists()):
        raise UnreadableRaw(f"{folder}: {missing[0]}, which state.json names, is not there; copy the whole folder")
    return None if path.name in parts else "a cache: state.json does not name it as a part of the saved set"


def check_splits(folder: Path, files: Sequence[Path]) -> None:
    """Refuse a folder with several splits: a test split would be trained on without a word."""
    above = dict.fromkeys(parent for file in files for parent in file.parents if parent.is_relative_to(folder))
    for root in above:
        splits = read_object(root / "dataset_dict.json").get("splits")
        if isinstance(splits, list) and len(splits) > 1:
            names = [str(split) for split in splits]
            raise UnreadableRaw(f"{root}: holds the splits {', '.join(names)}; name one: {root / names[0]}")
    shards = {match[1] for file in files if (match := SHARD.match(file.name))}
    if len(shards) > 1:
        example = folder / "**" / f"{max(shards, key=lambda name: name.startswith('train'))}-*"
        raise UnreadableRaw(f"{folder}: holds the splits {', '.join(sorted(shards))}; name one, in quotes: {example}")
