"""SHA-256 of files; the hash of a large file is kept, so that stages do not read it again.

Hashes are kept in .snakemake/hashes/, a file each, and are valid as long as the file's size and time do not change.
"""

import hashlib
from contextlib import suppress
from pathlib import Path

KEPT = Path(".snakemake/hashes")
LARGE_BYTES = 256 << 20


def file_sha256(path: Path) -> str:
    """Return the SHA-256 of a file, in hex."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def known_sha256(path: Path) -> str:
    """Return the SHA-256 of a file, in hex: the kept one, if size and time of a large file are as they were then."""
    state = path.stat()
    if state.st_size < LARGE_BYTES:
        return file_sha256(path)
    kept = KEPT / hashlib.sha256(str(path.resolve()).encode()).hexdigest()
    seen = f"{state.st_size} {state.st_mtime_ns} "
    with suppress(OSError):
        if (text := kept.read_text(encoding="utf-8")).startswith(seen):
            return text.removeprefix(seen)
    digest = file_sha256(path)
    with suppress(OSError):  # a folder that cannot be written costs time alone
        KEPT.mkdir(parents=True, exist_ok=True)
        partial = kept.with_suffix(".partial")
        partial.write_text(f"{seen}{digest}", encoding="utf-8")
        partial.replace(kept)
    return digest
