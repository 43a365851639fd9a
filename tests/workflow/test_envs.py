"""envs/: exact versions for everything, the same in every form."""

import re

import pytest

from tests.support.project import ROOT
from tools.write_conda_envs import PIN, conda_env

ENVS = ROOT / "envs"
NAMES = ["workflow", "training"]
FOLDERS = {"workflow": ".venv", "training": ".venv-training", "tests": ".venv-tests"}
ENGINES = ["engines", "kubernetes"]
LOCKED = ["build", *NAMES, "tests", "fidelity", "provenance", "mutants", *ENGINES, "serving", "vllm"]
OF_RULES = [*NAMES, "vllm"]


def pins(name: str) -> set[str]:
    return {pin for pin, _ in PIN.findall((ENVS / f"{name}.lock").read_text(encoding="utf-8"))}


def asked(name: str) -> set[str]:
    text = (ENVS / f"{name}.in").read_text(encoding="utf-8")
    lines = [line.partition(" ;")[0] for line in text.splitlines() if line and not line.startswith("#")]
    return {re.sub(r"\[.*\]", "", line).lower() for line in lines}


def one_spelling(pin: str) -> str:
    """Return a pin with its name as PEP 503 normalises it."""
    name, _, version = pin.partition("==")
    return f"{re.sub('[._-]+', '-', name).lower()}=={version}"


@pytest.mark.parametrize("name", LOCKED)
def test_every_package_is_pinned_exactly(name):
    assert all(re.fullmatch(r"[a-z0-9._\[\]-]+==[0-9][\w.]*", line) for line in asked(name))


@pytest.mark.parametrize("name", LOCKED)
def test_what_is_asked_for_is_locked_except_torch(name):
    assert {pin for pin in asked(name) - pins(name) if not pin.startswith("torch==")} == set()


@pytest.mark.parametrize("name", LOCKED)
def test_every_locked_package_has_hashes(name):
    lock = (ENVS / f"{name}.lock").read_text(encoding="utf-8")
    blocks = re.split(r"^(?=[a-z0-9])", lock, flags=re.MULTILINE)[1:]
    assert blocks
    assert all("--hash=sha256:" in block for block in blocks)


@pytest.mark.parametrize("name", [name for name in LOCKED if any(pin.startswith("pytest==") for pin in asked(name))])
def test_an_environment_with_pytest_understands_the_settings_of_this_projects_tests(name):
    assert "pytest-timeout==2.4.0" in asked(name)  # pyproject.toml sets it, and what pytest does not know is an error


@pytest.mark.parametrize("name", ENGINES)
def test_an_engine_runs_what_the_workflow_environment_runs(name):
    shared = {line for line in asked(name) if "-plugin-" not in line}
    assert "snakemake" in {line.partition("=")[0] for line in shared}
    assert shared - asked("workflow") == set()


def test_vllm_answers_under_the_packages_that_make_the_prompts_of_the_training():
    shared = asked("vllm") - {"vllm==0.23.0"}
    assert "ms-swift==4.6.0" in shared
    assert shared - asked("training") == set()


def test_vllm_has_a_torch_of_its_own_that_is_locked():
    assert {pin.partition("=")[0] for pin in pins("vllm")} >= {"torch", "triton", "vllm"}


def test_the_tests_environment_repeats_no_package_of_the_workflow_environment():
    assert pins("tests")
    assert {pin.partition("=")[0] for pin in pins("tests")} & {
        pin.partition("=")[0] for pin in pins("workflow")
    } == set()


def test_what_a_run_needs_is_installed_without_the_packages_of_the_tests():
    for_tests = {one_spelling(pin) for pin in asked("tests")}
    assert {pin for pin in map(one_spelling, pins("workflow")) if pin in for_tests} == set()


@pytest.mark.parametrize("name", OF_RULES)
def test_the_conda_file_is_what_the_lock_says(name):
    assert (ENVS / f"{name}.yaml").read_text(encoding="utf-8") == conda_env(name)


@pytest.mark.parametrize("name", FOLDERS)
def test_what_is_installed_is_what_the_lock_says(run, name):
    frozen = run(f"{ROOT / FOLDERS[name]}/bin/python", "-m", "pip", "freeze", "--all").stdout
    installed = {one_spelling(pin) for pin in frozen.split()}
    missing = {pin for pin in pins(name) if one_spelling(pin) not in installed}
    # Locked for other platforms or other Python versions only.
    markers = dict(PIN.findall((ENVS / f"{name}.lock").read_text(encoding="utf-8")))
    assert {pin for pin in missing if not markers[pin]} == set()


def test_a_second_set_up_finds_nothing_to_do(run):
    again = run("envs/install.sh", "workflow", ".venv")
    assert (again.returncode, again.stdout) == (0, "")
