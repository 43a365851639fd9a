"""known_hashes.py: a large file is read once, and again only when its size or its time has changed."""

import os
from pathlib import Path

import pytest

from pipeline.files import known_hashes
from pipeline.files.known_hashes import file_sha256, known_sha256


@pytest.fixture
def large(tmp_path: Path, monkeypatch) -> Path:
    """Return a file that counts as large."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(known_hashes, "LARGE_BYTES", 4)
    path = tmp_path / "weights"
    path.write_bytes(b"12345678")
    return path


def refuse(path: Path) -> str:
    """Stand for a reading that must not happen."""
    raise AssertionError(f"{path} was read again")


def test_a_large_file_is_read_once(large, monkeypatch):
    digest = known_sha256(large)
    monkeypatch.setattr(known_hashes, "file_sha256", refuse)
    assert known_sha256(large) == digest


def test_other_bytes_at_another_time_are_read_again(large):
    known_sha256(large)
    large.write_bytes(b"87654321")
    os.utime(large, (1, 1))
    assert known_sha256(large) == file_sha256(large)


def test_a_small_file_is_always_read(large, monkeypatch):
    large.write_bytes(b"123")
    known_sha256(large)
    assert not Path(".snakemake/hashes").exists()


def test_a_folder_that_cannot_be_written_costs_time_alone(large):
    Path(".snakemake").write_text("a file where the folder would be", encoding="utf-8")
    assert known_sha256(large) == file_sha256(large)
