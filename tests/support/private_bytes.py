"""Look for words in every byte of a folder, also within compressed files."""

import gzip
import io
import zipfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path


def find_words(folder: Path, words: dict[str, str], left_out: tuple[str, ...] = ()) -> list[str]:
    """Return which word stands in which file, as `name: path`. Folders and files of these names are left out."""
    files = (path for path in folder.rglob("*") if not set(left_out) & set(path.relative_to(folder).parts))
    return [
        f"{name}: {path.relative_to(folder)}"
        for path in files
        if path.is_file() and not path.is_symlink()
        for name, word in words.items()
        if any(word.encode() in data for data in [str(path.relative_to(folder)).encode(), *contents(path.read_bytes())])
    ]


def contents(data: bytes) -> Iterator[bytes]:
    """Yield the bytes of a file, and of what is packed in it."""
    yield data
    if data.startswith(b"\x1f\x8b"):
        yield gzip.decompress(data)
    with suppress(zipfile.BadZipFile), zipfile.ZipFile(io.BytesIO(data)) as packed:
        for name in packed.namelist():
            yield packed.read(name)
