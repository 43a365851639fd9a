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
WORKFLOW, TRAINING = (f"{environment}/bin/python" for environment in (".venv-tests", ".venv-training"))
MANY_ROWS = ("any_bytes", "conversion_faults", "screen_agrees")
AREAS = {
    "pairs": Area(
        WORKFLOW,
        ["pipeline/preferences/*"],
        # Not those that look for faults in thousands of rows: they would take hours, and the others notice enough. Nor
        # those of a row so large that other processes read it: mutmut does not get on with those in another folder.
        [
            "tests/preferences",
            *(f"--ignore=tests/preferences/test_{name}.py" for name in MANY_ROWS),
            "-k",
            "not too-large",
        ],
    ),
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
            *("tests/graph/test_changed_code.py", "tests/publishing/test_code_digests.py"),
            "tests/publishing/test_write_dvc_yaml.py",
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
# Changes that no test notices, by a part of the changed line, with the reason why that is right.
KNOWN: dict[str, str] = tomllib.loads(Path(__file__).with_name("survivors.toml").read_text(encoding="utf-8"))
EQUIVALENT = "equivalent: "  # a reason that begins so: nothing could notice the change, and it is not counted


@pytest.mark.parametrize("area", AREAS)
def test_nine_in_ten_changes_are_noticed_and_the_others_are_known(area, tmp_path):
    tried, survivors = find_survivors(AREAS[area], tmp_path / "project")
    reasons = {found.change: reason_for(found.change) for found in survivors}
    missed = [change for change, reason in reasons.items() if not reason.startswith(EQUIVALENT)]
    counted = tried - len(reasons) + len(missed)
    print(f"{area}: {counted} changes, {counted - len(missed)} noticed; {tried - counted} more make no difference")
    assert [change for change in missed if not reasons[change]] == []
    assert counted - len(missed) >= SHARE * counted > 0, "\n".join(missed)


def reason_for(change: str) -> str:
    """Return the reason why no test notices a change, "" where it is not known."""
    changed = "\n".join(line for line in change.splitlines() if line.startswith("+"))
    return next((reason for part, reason in KNOWN.items() if part in changed), "")
