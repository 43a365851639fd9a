"""convert_preferences.py, stopped, out of space and fed with damaged files: real processes, signals and disks."""

import gzip
import json
import os
import random
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import zstandard

from tests.fuzz.seeds import ROWS, write_parquet
from tests.support.conversion import options
from tests.support.processes import PATIENCE, kill, members, wait_until
from tests.support.small_disk import small_disk

LARGE_ROWS = 36_000  # about 36 MB: more than one process works on it
MEMORY_KB = 600 << 10
MB = 1 << 20
OLD = {"messages": [{"role": "user", "content": "?"}, {"role": "assistant", "content": "a"}], "rejected_response": "b"}

Moment = Callable[[Path], bool]


@pytest.fixture(scope="module")
def large(tmp_path_factory) -> Path:
    """Return a file that takes seconds, with a pair on every line."""
    chance = random.Random(17)
    path = tmp_path_factory.mktemp("large") / "large.jsonl"
    with path.open("w", encoding="utf-8") as file:
        for number in range(LARGE_ROWS):
            question, chosen, rejected = (f"{chance.getrandbits(1200):x}" for _ in range(3))
            messages = [{"role": "user", "content": question}, {"role": "assistant", "content": chosen}]
            file.write(json.dumps({"id": f"n{number}", "messages": messages, "rejected_response": rejected}) + "\n")
    return path


@pytest.fixture(scope="module")
def undisturbed(large, tmp_path_factory) -> dict[str, bytes]:
    """Return the results of the large file."""
    out = tmp_path_factory.mktemp("undisturbed")
    assert convert(large, out).returncode == 0
    return read_outputs(out)


def command(raw: Path, out: Path, **changes: object) -> list[str]:
    """Return the command that converts a file with two processes and some settings changed."""
    words = [str(raw), *options(**changes), "--out", str(out), "--cores", "2"]
    return [sys.executable, "-m", "scripts.convert_preferences", *words]


def convert(raw: Path, out: Path, **changes: object) -> subprocess.CompletedProcess[str]:
    """Convert a file, and return how it ended."""
    return subprocess.run(command(raw, out, **changes), capture_output=True, text=True, check=False, timeout=300)


def convert_old(folder: Path, out: Path) -> dict[str, bytes]:
    """Write the complete output of an earlier conversion into a folder, and return it."""
    raw = folder / "old.jsonl"
    raw.write_text(json.dumps(OLD) + "\n", encoding="utf-8")
    assert convert(raw, out).returncode == 0
    old = read_outputs(out)
    assert sorted(old) == ["pairs.jsonl", "places.jsonl", "quality.json", "rejects.jsonl"]
    return old


def read_outputs(out: Path) -> dict[str, bytes]:
    """Return the files of a folder."""
    return {path.name: path.read_bytes() for path in out.iterdir() if path.is_file()}


def assert_one_line(done: subprocess.CompletedProcess[str]) -> str:
    """See that a conversion failed with one line and nothing else, and return it."""
    assert done.returncode == 1, done.stderr
    assert len(done.stderr.splitlines()) == 1, done.stderr
    return done.stderr.strip()


def test_ctrl_c_while_modules_are_loaded_is_one_line(large, tmp_path):
    with subprocess.Popen(command(large, tmp_path / "out"), stderr=subprocess.PIPE, text=True) as process:
        assert wait_until(lambda: "polars" in Path(f"/proc/{process.pid}/maps").read_text(encoding="utf-8"))
        process.send_signal(signal.SIGINT)
        assert process.communicate(timeout=PATIENCE)[1] == "stopped\n"
    assert not (tmp_path / "out").exists()


# Stopped at some moment


def has_begun(out: Path) -> bool:
    return (out / ".partial").exists()


def has_written_much(out: Path) -> bool:
    # Files may go while they are looked at.
    return sum(size_of(path) for path in (out / ".partial").glob("*")) > 8 * MB


def writes_pairs(out: Path) -> bool:
    return size_of(out / ".partial" / "pairs.jsonl") > 0


def size_of(path: Path) -> int:
    """Return the size of a file, 0 where there is none."""
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


MOMENTS = [has_begun, has_written_much, writes_pairs]


def stop_at(moment: Moment, number: signal.Signals, raw: Path, out: Path) -> subprocess.CompletedProcess[str]:
    """Convert, and send a signal at a moment: a kill to the parent alone, another one twice to all, as people do."""
    with subprocess.Popen(
        command(raw, out), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    ) as process:
        try:
            assert wait_until(lambda: moment(out) or process.poll() is not None)
            if number == signal.SIGKILL:
                process.send_signal(number)
            else:
                os.killpg(process.pid, number)
                os.killpg(process.pid, number)
            stdout, stderr = process.communicate(timeout=PATIENCE)
            # Workers end by themselves; what is left of them would be found here.
            assert wait_until(lambda: not members(process.pid)), f"still there: {members(process.pid)}"
        finally:
            for member in members(process.pid):
                kill(member)
    return subprocess.CompletedProcess(process.args, process.returncode, stdout, stderr)


@pytest.mark.parametrize("moment", MOMENTS)
def test_a_killed_conversion_leaves_the_old_output_and_no_process_and_the_next_one_is_right(
    large, undisturbed, tmp_path, moment
):
    out = tmp_path / "out"
    old = convert_old(tmp_path, out)
    assert stop_at(moment, signal.SIGKILL, large, out).returncode == -signal.SIGKILL
    assert read_outputs(out) == old
    assert convert(large, out).returncode == 0
    assert read_outputs(out) == undisturbed
    assert not (out / ".partial").exists()


def test_a_conversion_killed_in_an_empty_folder_leaves_no_output(large, tmp_path):
    assert stop_at(has_written_much, signal.SIGKILL, large, tmp_path / "out").returncode == -signal.SIGKILL
    assert read_outputs(tmp_path / "out") == {}


@pytest.mark.parametrize(
    ("number", "said"), [(signal.SIGINT, "stopped"), (signal.SIGTERM, "ended by SIGTERM")], ids=["Ctrl-C", "SIGTERM"]
)
@pytest.mark.parametrize("moment", MOMENTS)
def test_a_signal_though_it_comes_twice_ends_a_conversion_with_one_line_and_the_old_output(
    large, tmp_path, moment, number, said
):
    out = tmp_path / "out"
    old = convert_old(tmp_path, out)
    stopped = stop_at(moment, number, large, out)
    assert stopped.returncode == 1
    assert stopped.stderr.splitlines() == [f"{said}; nothing was written"]
    assert read_outputs(out) == old
    assert not (out / ".partial").exists()


def test_a_worker_that_the_system_kills_ends_a_conversion_with_one_line_and_the_old_output(large, tmp_path):
    out = tmp_path / "out"
    old = convert_old(tmp_path, out)
    with subprocess.Popen(
        command(large, out), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    ) as process:
        assert wait_until(lambda: has_written_much(out) and members(process.pid, "spawn_main"))
        for worker in members(process.pid, "spawn_main"):
            kill(worker)
        stderr = process.communicate(timeout=PATIENCE)[1]
    assert process.returncode == 1
    assert len(stderr.splitlines()) == 1 and "where memory runs out" in stderr
    assert read_outputs(out) == old
    assert not (out / ".partial").exists()


# Nowhere to write to


# What is written in the course of it needs about 55 MB.
@pytest.mark.parametrize("megabytes", [1, 2, 20, 40])
def test_a_full_disk_is_named_in_one_line_and_the_old_output_stays(large, tmp_path, megabytes):
    with small_disk(tmp_path / "disk", megabytes) as disk:
        out = disk / "out"
        old = convert_old(tmp_path, out)
        line = assert_one_line(convert(large, out))
        assert str(out) in line and "No space left on device" in line
        assert read_outputs(out) == old
        assert not (out / ".partial").exists()


def test_a_disk_that_may_only_be_read_is_named_in_one_line(tmp_path):
    with small_disk(tmp_path / "disk", 1) as disk:
        old = convert_old(tmp_path, disk / "out")
        remounted = subprocess.run(["mount", "-o", "remount,ro", disk], capture_output=True, text=True)
        if remounted.returncode:
            pytest.skip(f"a file system cannot be mounted for reading here: {remounted.stderr.strip()}")
        line = assert_one_line(convert(tmp_path / "old.jsonl", disk / "out"))
        assert str(disk / "out") in line and "Read-only file system" in line
        assert read_outputs(disk / "out") == old


def test_a_folder_that_may_only_be_read_is_named_in_one_line(tmp_path):
    out = tmp_path / "out"
    old = convert_old(tmp_path, out)
    out.chmod(0o555)
    try:
        if os.access(out, os.W_OK):
            pytest.skip("root may write everywhere")
        line = assert_one_line(convert(tmp_path / "old.jsonl", out))
    finally:
        out.chmod(0o755)
    assert str(out) in line and "Permission denied" in line
    assert read_outputs(out) == old


# Damaged and excessive files


# The most memory of a process counts from its parent's at the start, so that a small one stands between.
MEASURE = """
import json, resource, subprocess, sys
done = subprocess.run(sys.argv[1:], capture_output=True, text=True)
memory = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
print(json.dumps([done.returncode, done.stdout, done.stderr, memory]))
"""


def measure(raw: Path, out: Path, **changes: object) -> tuple[subprocess.CompletedProcess[str], int]:
    """Convert a file; return how it ended, and the most memory that it took, in kilobytes."""
    wrapped = [sys.executable, "-c", MEASURE, *command(raw, out, **changes)]
    *ended, memory = json.loads(subprocess.run(wrapped, capture_output=True, check=True, timeout=300).stdout)
    return subprocess.CompletedProcess(wrapped, *ended), memory


PACKERS = {".gz": lambda data: gzip.compress(data, 1), ".zst": zstandard.compress}


@pytest.mark.parametrize(
    "filling", [b"x", b"\n", b'{"a": "%s"}\n' % (b"x" * 5000)], ids=["no line", "blank lines", "rows"]
)
@pytest.mark.parametrize("packer", PACKERS)
def test_a_file_that_unpacks_to_far_too_much_is_given_up_without_memory_for_it(tmp_path, packer, filling):
    raw = tmp_path / f"bomb.jsonl{packer}"
    raw.write_bytes(PACKERS[packer](filling * (400 * MB // len(filling))))
    done, memory = measure(raw, tmp_path / "out", max_unpacked_gb=0.01)
    line = assert_one_line(done)
    assert "unpacks to more than 0.01 GB" in line
    assert memory < MEMORY_KB
    assert not (tmp_path / "out" / "pairs.jsonl").exists()


def valid_file(kind: str) -> bytes:
    """Return a file of many rows."""
    if kind == ".parquet":
        return write_parquet(ROWS["swift"])
    lines = (json.dumps(OLD | {"id": str(number)}) + "\n" for number in range(2000))
    return PACKERS[kind.removeprefix(".jsonl")]("".join(lines).encode())


@pytest.mark.parametrize("kind", [".jsonl.gz", ".jsonl.zst", ".parquet"])
@pytest.mark.parametrize("kept", [0.3, 0.9, 0.999])
def test_a_file_that_was_cut_is_named_in_one_line_and_gives_no_pairs(tmp_path, kind, kept):
    raw = tmp_path / f"cut{kind}"
    data = valid_file(kind)
    raw.write_bytes(data[: min(int(len(data) * kept), len(data) - 1)])
    line = assert_one_line(convert(raw, tmp_path / "out", on_problem="drop"))
    assert "broken-file" in line
    assert not (tmp_path / "out" / "pairs.jsonl").exists()


def test_bytes_in_a_parquet_column_are_text_or_refused_and_never_base64(tmp_path):
    raw, out = tmp_path / "raw.parquet", tmp_path / "out"
    raw.write_bytes(write_parquet({"prompt": b"hello", "chosen": b"good", "rejected": b"bad"}))
    done = convert(raw, out)
    assert "Traceback" not in done.stderr
    pairs = (out / "pairs.jsonl").read_text(encoding="utf-8") if (out / "pairs.jsonl").exists() else '"hello"'
    assert '"hello"' in pairs


@pytest.mark.parametrize("row", [b"?\n", json.dumps(OLD).encode() + b"\n"], ids=["wrong", "right"])
def test_a_file_whose_name_is_not_utf8_is_converted_or_named_in_one_line(tmp_path, row):
    raw = Path(os.fsdecode(os.fsencode(tmp_path / "raw") + b"\xff.jsonl"))
    try:
        raw.write_bytes(row)
    except OSError:
        pytest.skip("the file system knows no such names")
    done = convert(raw, tmp_path / "out")
    assert done.returncode in (0, 1)
    assert len(done.stderr.splitlines()) == done.returncode, done.stderr


@pytest.mark.parametrize("end", [b"", b"\n", b"\n" + json.dumps(OLD).encode() + b"\n"])
def test_a_line_of_forty_megabytes_is_named_without_memory_for_more_than_a_few(tmp_path, end):
    raw = tmp_path / "long.jsonl"
    raw.write_bytes(b'{"messages": "' + b"x" * (40 * MB) + end)
    done, memory = measure(raw, tmp_path / "out", on_problem="drop")
    rejects = [json.loads(line) for line in (tmp_path / "out" / "rejects.jsonl").read_bytes().splitlines()]
    assert [(reject["line"], reject["code"]) for reject in rejects] == [(1, "too-large")]
    assert (done.returncode == 0) == (len(end) > 1), done.stderr
    assert memory < MEMORY_KB
