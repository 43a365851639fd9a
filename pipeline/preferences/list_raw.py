"""List the raw files that data.raw names, and name everything beside them that is not read."""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pipeline.preferences.open_raw import KINDS, UnreadableRaw, kind_of
from pipeline.preferences.saved_sets import check_splits, find_cache

# Of the conversion; pairs.jsonl comes last.
ACCOUNT = ("rejects.jsonl", "quality.json")
PAIRS = ("places.jsonl", "pairs.jsonl")
# Beside the data of a clone from a hub, or of a folder that `save_to_disk` wrote.
COMPANIONS = ("dataset_info.json", "dataset_infos.json", "dataset_dict.json", "state.json")
PAPERS = ("readme", "license", "licence", "copying", "notice", "citation", "changelog")


@dataclass
class Listing:
    """The files to read, and the other ones with the reason why they are left."""

    files: list[Path] = field(default_factory=list)
    left: dict[Path, str] = field(default_factory=dict)

    def account(self) -> list[dict[str, str]]:
        """Return the files that are left, in the form of quality.json."""
        return [{"file": readable_name(path), "why": why} for path, why in sorted(self.left.items())]


def readable_name(path: Path) -> str:
    """Return a path as text that is UTF-8 whatever its bytes."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")


def list_raw(raw: str, out: Path | str) -> Listing:
    """Return the files that a path, a folder or a glob in quotes names, sorted; none where there is nothing.

    `out` is the folder of the conversion's results, which never become raw data.
    """
    try:
        listing = list_named(Path(raw))
        leave_outputs(listing, Path(out))
    except OSError as error:
        where = readable_name(Path(error.filename or raw))
        raise UnreadableRaw(f"{shorten(where)}: {error.strerror}; set data.raw to what can be read") from None
    except (ValueError, NotImplementedError) as error:
        raise UnreadableRaw(f"{shorten(raw)}: neither a path nor a glob ({error}); set data.raw to one") from None
    return listing


def shorten(name: str) -> str:
    """Return a name, its beginning alone where it is too long for one."""
    return name if len(name) <= 200 else f"{name[:200]}…"


def list_named(path: Path) -> Listing:
    """Return the files of a folder, a path or a glob."""
    if path.is_dir():
        listing = list_folder(path)
        check_splits(path, listing.files)
        return listing
    if path.is_symlink() and not path.exists():
        raise dead_link(path)
    if path.exists():
        return Listing([path])
    return list_matches(path)


def list_matches(pattern: Path) -> Listing:
    """Return the matches of a glob: files of a known kind, or all files where none is of one."""
    listing, folders = Listing(), []
    for path in sorted(Path(pattern.anchor).glob(str(pattern.relative_to(pattern.anchor)))):
        if any(part.startswith(".") and part not in pattern.parts for part in path.parts):
            continue
        if path.is_dir():
            folders.append(path)
        else:
            sort_file(path, listing)
    if not listing.files:
        listing.files = [path for path in listing.left if path.is_file()]
        listing.left = {path: why for path, why in listing.left.items() if path not in listing.files}
    listing.files = sorted(without_twins(listing))
    entered = {parent for path in (*listing.files, *listing.left) for parent in path.parents}
    untouched = [folder for folder in folders if folder not in entered]
    listing.left |= dict.fromkeys(untouched, "a folder in which the glob matches nothing")
    return listing


def list_folder(folder: Path) -> Listing:
    """Return the files of a folder and of those in it; what begins with a dot is set aside."""
    listing, roots = Listing(), [folder.resolve()]
    for root, folders, names in os.walk(folder, onerror=stop_at, followlinks=True):
        here = Path(root)
        folders[:] = [
            name for name in sorted(folders) if not name.startswith(".") and enters(here / name, roots, listing)
        ]
        for name in sorted(names):
            if not name.startswith("."):
                sort_file(here / name, listing)
    listing.files = sorted(without_twins(listing))
    return listing


def stop_at(error: OSError) -> None:
    """Stop at a folder that cannot be read: its rows would be missing."""
    raise error


def enters(folder: Path, roots: list[Path], listing: Listing) -> bool:
    """Say whether to read a folder: not by a link, if it is read anyway or is one of those above."""
    if not folder.is_symlink():
        return True
    target = folder.resolve()
    if any(target.is_relative_to(root) or root.is_relative_to(target) for root in roots):
        listing.left[folder] = "a link to a folder that is read already, or in a circle"
        return False
    roots.append(target)
    return True


def sort_file(path: Path, listing: Listing) -> None:
    """Put a file where it belongs: read, left with the reason, or set aside as a known companion."""
    kind = kind_of(path)
    if path.is_symlink() and not path.exists():
        if kind in KINDS:
            raise dead_link(path)
        listing.left[path] = "a link to nothing"
    elif not path.is_file():
        listing.left[path] = "not a file"
    elif is_companion(path):
        return
    elif kind == ".arrow" and (why := find_cache(path)):
        listing.left[path] = why
    elif kind in KINDS:
        listing.files.append(path)
    else:
        listing.left[path] = f"not of a kind that is read: {', '.join(KINDS)}, packed as .gz or .zst or not"


def is_companion(path: Path) -> bool:
    """Say whether a file is known to stand beside data and to hold no rows."""
    name = path.name.lower()
    return name in COMPANIONS or (name.startswith(PAPERS) and kind_of(path) not in KINDS)


def dead_link(path: Path) -> OSError:
    """Return the error of a link that leads nowhere, or in a circle."""
    try:
        path.stat()
    except OSError as error:
        what = "a link to nothing" if isinstance(error, FileNotFoundError) else f"a link: {error.strerror}"
        return OSError(error.errno, f"{what} (it names {path.readlink()})", str(path))
    raise AssertionError(path)


def without_twins(listing: Listing) -> Iterator[Path]:
    """Yield the files, each one once: a link to a file that is read as well is left."""
    seen: dict[tuple[int, int], Path] = {}
    for path in sorted(listing.files, key=lambda path: (path.is_symlink(), path)):
        status = path.stat()
        first = seen.setdefault((status.st_dev, status.st_ino), path)
        if first is path or not path.is_symlink():
            yield path
        else:
            listing.left[path] = f"the same file as {readable_name(first)}"


def leave_outputs(listing: Listing, out: Path) -> None:
    """Leave what an earlier conversion wrote: it would be read as data this time."""
    written = [(out / name).resolve() for name in ACCOUNT + PAIRS]
    named_so = (path for path in listing.files if path.name in ACCOUNT + PAIRS or path.is_symlink())
    outputs = [path for path in named_so if path.resolve() in written]
    if outputs and outputs == listing.files:
        raise UnreadableRaw(f"{readable_name(outputs[0])}: is written here; name other data, or another folder for it")
    listing.files = [path for path in listing.files if path not in outputs]
    listing.left |= dict.fromkeys(outputs, "is written here")


def refuse_results(raw: str, files: Sequence[Path], out: Path) -> None:
    """Refuse the results of a run as its data: what each rule writes would be the input of the first."""
    results, folder = out.resolve(), Path(raw)
    holds = folder.is_dir() and results.is_relative_to(folder.resolve())
    if holds or any(path.resolve().is_relative_to(results) for path in files):
        raise UnreadableRaw(f"{raw}: names files in {out}, where the run writes; set data.raw to the data alone")
