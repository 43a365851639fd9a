"""Every locked package is there for each Python that README names, without a compiler. It asks the package index."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.project import ROOT

pytestmark = pytest.mark.nightly("a lock is written for all of them at once; minutes, and it asks the index")

# Sources only, for every Python: they are built at set-up.
SOURCES = {
    "antlr4-python3-runtime", "connection-pool", "crcmod", "deepspeed", "oss2", "pwinput",
    "transformers-stream-generator",
}  # fmt: skip
PYTHONS = re.search(r"^Linux, Python (.+), git", (ROOT / "README.md").read_text(encoding="utf-8"), re.MULTILINE)
MANYLINUX = [f"manylinux_2_{minor}_x86_64" for minor in range(5, 35)] + ["manylinux1_x86_64", "manylinux2014_x86_64"]


def locked(name: str) -> dict[str, str]:
    """Return each package of a lock with its lines."""
    lock = (ROOT / "envs" / f"{name}.lock").read_text(encoding="utf-8")
    return {block.partition("==")[0]: block for block in re.split(r"^(?=[a-z0-9])", lock, flags=re.MULTILINE)[1:]}


def pip(*words: str | Path, **environment: str) -> str:
    """Run pip; return its errors, or nothing where it ends well."""
    command = [sys.executable, "-m", "pip", *map(str, words), "--quiet", "--no-deps"]
    done = subprocess.run(command, env=os.environ | environment, capture_output=True, text=True, check=False)
    return done.stderr if done.returncode else ""


def test_readme_names_pythons():
    assert PYTHONS
    assert "3.11" in re.findall(r"3\.\d+", PYTHONS[1])


@pytest.mark.parametrize("python", re.findall(r"3\.\d+", PYTHONS[1] if PYTHONS else ""))
@pytest.mark.parametrize("name", ["workflow", "training", "tests"])
def test_every_package_but_the_sources_has_a_wheel_for(tmp_path, name, python):
    wheels = tmp_path / "wheels.lock"
    wheels.write_text(
        "".join(lines for package, lines in locked(name).items() if package not in SOURCES), encoding="utf-8"
    )
    platforms = [f"--platform={platform}" for platform in MANYLINUX]
    options = ["--dry-run", "--ignore-installed", "--only-binary=:all:", f"--python-version={python}", *platforms]
    assert pip("install", *options, "--target", tmp_path / "target", "--require-hashes", "-r", wheels) == ""


@pytest.mark.parametrize("package", sorted(SOURCES))
def test_a_source_is_built_without_a_compiler(tmp_path, package):
    lines = next(locked(name)[package] for name in ("workflow", "training") if package in locked(name))
    (tmp_path / "source.lock").write_text(lines, encoding="utf-8")
    for compiler in ("cc", "gcc", "c++", "g++", "clang", "x86_64-linux-gnu-gcc", "x86_64-linux-gnu-g++"):
        (tmp_path / compiler).write_text("#!/bin/sh\nexit 1\n", encoding="utf-8")
        (tmp_path / compiler).chmod(0o755)
    path = f"{tmp_path}{os.pathsep}{os.environ['PATH']}"
    options = ["--no-build-isolation", "--require-hashes", "-r", tmp_path / "source.lock", "-w", tmp_path / "built"]
    assert pip("wheel", *options, PATH=path, CC="cc", DS_BUILD_OPS="0") == ""
    assert list((tmp_path / "built").glob("*.whl"))
