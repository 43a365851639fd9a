"""Small changes of the code that decides what is a wrong result: the tests of the first tier notice nine in ten."""

import tomllib
from pathlib import Path

import pytest

from tests.runs.mutants.mutate import Area, find_survivors

pytestmark = [
    pytest.mark.nightly("a change of the code is tested once; that the tests notice changes, now and then"),
    pytest.mark.timeout(4 * 3600),
]

SHARE = 0.9
WORKFLOW, TRAINING = (f"{environment}/bin/python" for environment in (".venv", ".venv-training"))
AREAS = {
    "pairs": Area(WORKFLOW, ["pipeline/preferences/*"], ["tests/preferences"]),
    "evaluation": Area(WORKFLOW, ["pipeline/evaluation/*"], ["tests/evaluation"]),
    "gates and digests": Area(
        WORKFLOW,
        [
            *("pipeline/gates.py", "pipeline/training/curve_gates.py", "pipeline/training/record.py"),
            *("pipeline/training/training.py", "pipeline/training/checkpoints.py", "pipeline/models/model_gate.py"),
            *("pipeline/files/folder_manifest.py", "pipeline/files/known_hashes.py", "pipeline/graph/code_of.py"),
            "pipeline/publishing/code_digests.py",
        ],
        [
            *("tests/training", "tests/models/test_model_gate.py", "tests/files", "tests/graph/test_code_of.py"),
            *("tests/graph/test_changed_code.py", "tests/publishing/test_write_dvc_yaml.py"),
        ],
    ),
    "plugins": Area(
        TRAINING,
        [
            # Not swanlab_run and end_at_once: they run in processes of their own, where mutmut does not see them.
            *("plugins/c*", "plugins/every_row.py", "plugins/f*", "plugins/no_*", "plugins/stop_in_time.py"),
            *("plugins/training_gates.py", "plugins/w*", "pipeline/models/merge_gates.py"),
            "pipeline/training/first_loss.py",
        ],
        [
            # Not those that take minutes for trainings: the others notice enough.
            *("tests/plugins", *(f"--ignore=tests/plugins/test_{name}.py" for name in ("fast", "swanlab_run"))),
            *("tests/models/test_merge_gates.py", "tests/training/test_first_loss.py"),
        ],
    ),
}
# What changes nothing that anybody could see, by the line that was changed, with the reason.
KNOWN: dict[str, str] = tomllib.loads(Path(__file__).with_name("survivors.toml").read_text(encoding="utf-8"))


@pytest.mark.parametrize("area", AREAS)
def test_nine_in_ten_changes_are_noticed_and_the_others_are_known(area, tmp_path):
    tried, survivors = find_survivors(AREAS[area], tmp_path / "project")
    print(f"{area}: {tried} changes, {tried - len(survivors)} noticed")
    new = [found.change for found in survivors if not any(line in found.change for line in KNOWN)]
    assert tried and len(survivors) <= (1 - SHARE) * tried, "\n".join(found.change for found in survivors)
    assert new == []
