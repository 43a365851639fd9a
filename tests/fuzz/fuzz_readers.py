"""Look for bytes that the conversion of preferences cannot account for, guided by the code that they reach.

    python -m tests.fuzz.fuzz_readers -atheris_runs=100000

Takes libFuzzer's options, and folders of inputs, or single inputs to try again. The first byte of an input names its
kind of file, the second one the settings. An input that breaks something is kept in the system's folder for temporary
files, and named.
"""

import gzip
import mmap
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory, gettempdir

import zstandard

from tests.fuzz.seeds import ROWS, seed_files

RAM = Path("/dev/shm")
INSIDE = "--inside"  # of the process that is watched
PACK = 0x80  # bit of the first byte: pack the bytes that follow, so that more than the unpacker is tried
DEFAULTS = ("-timeout=20", "-rss_limit_mb=4096", "-max_len=4096", f"-artifact_prefix={gettempdir()}/")
TOKENS = (
    *("<think>", "<\\\\/think>", "\\\\ud800", "\\\\u0000", "NaN", "1e999", "true", "null", "\\xff"),
    *("\\xef\\xbb\\xbf", "<|end|>"),
)


def load() -> tuple[Callable[[bytes, Path], None], list[bytes]]:
    """Import what is watched; return the function that tries an input in a folder, and inputs to begin with."""
    import atheris

    os.environ.setdefault("POLARS_MAX_THREADS", "1")
    with atheris.instrument_imports(include=["pipeline.preferences"]):
        from pipeline.preferences.convert_files import convert_files  # noqa: F401  (what is imported here is watched)
        from pipeline.preferences.formats import ROWS
        from pipeline.preferences.options import Options

    from tests.fuzz.oracle import KINDS, account

    format_names = ("auto", *ROWS, "mqm")
    columns = (("in.messages", "prompt"), ("output.0", "chosen"), ("output.1", "rejected"))
    own = Options(columns=columns, ignore=frozenset({"extra*"}))
    settings = (Options(), Options(languages=("zh", "en"), system="Translate."), own)

    def try_input(data: bytes, scratch: Path) -> None:
        first, second = (data + b"\0\0")[:2]
        kind, body = KINDS[(first & ~PACK) % len(KINDS)], data[2:]
        if first & PACK:
            body = gzip.compress(body, 1) if kind.endswith(".gz") else body
            body = zstandard.compress(body, 1) if kind.endswith(".zst") else body
        turn, number = divmod(second, len(format_names))
        account(body, kind, format_names[number], settings[turn % len(settings)], scratch)

    files = list(seed_files())
    plain = [bytes([KINDS.index(kind), 0]) + data for kind, data in files]
    lines = [data for kind, data in files if kind == ".jsonl"]
    packed = [bytes([KINDS.index(kind) | PACK, 0]) + data for kind in (".jsonl.gz", ".jsonl.zst") for data in lines]
    return try_input, plain + packed


def fuzz(folder: Path, arguments: list[str]) -> None:
    """Try inputs until there were enough, and count them in the file `runs`."""
    import atheris

    try_input, seeds = load()
    corpus, scratch = folder / "corpus", folder / "scratch"
    for path in (corpus, scratch):
        path.mkdir()
    for number, data in enumerate(seeds):
        (corpus / f"seed-{number}").write_bytes(data)
    words = sorted({*TOKENS, *(key for row in ROWS.values() for key in row)})
    (folder / "words").write_text("".join(f'"{word}"\n' for word in words), encoding="utf-8")
    with (folder / "runs").open("r+b") as file, mmap.mmap(file.fileno(), 8) as runs:

        def run_one(data: bytes) -> None:
            runs[:] = (int.from_bytes(runs[:], "little") + 1).to_bytes(8, "little")
            try_input(data, scratch)

        inputs = [] if any(Path(argument).is_file() for argument in arguments) else [str(corpus)]
        atheris.Setup([sys.argv[0], *DEFAULTS, f"-dict={folder / 'words'}", *arguments, *inputs], run_one)
        atheris.Fuzz()


def main() -> None:
    if sys.argv[1:2] == [INSIDE]:
        return fuzz(Path(sys.argv[2]), sys.argv[3:])
    # The fuzzer ends its process without cleaning up, whatever it found.
    with TemporaryDirectory(dir=RAM if RAM.is_dir() else None) as folder:
        runs, start = Path(folder) / "runs", time.monotonic()
        runs.write_bytes(bytes(8))
        done = subprocess.run(
            [sys.executable, "-m", "tests.fuzz.fuzz_readers", INSIDE, folder, *sys.argv[1:]], check=False
        )
        count, seconds = int.from_bytes(runs.read_bytes(), "little"), time.monotonic() - start
    print(f"{count:,} inputs in {seconds:.0f} s, {count / seconds:.0f} a second")
    sys.exit(done.returncode)


if __name__ == "__main__":
    main()
