"""compare_derived.py: plots and manifests may differ where the results differ that they follow from, and only there."""

import json
from pathlib import Path

import pytest

from pipeline.files.folder_manifest import write_manifest
from pipeline.publishing.compare_results import compare_results
from pipeline.publishing.difference import SAME_VALUES, Difference

FIGURES = [{"step": 1, "loss": 0.5, "learning_rate": 0.1}, {"step": 2, "loss": 0.4, "learning_rate": 0.1}]
OTHER_LOSS = [FIGURES[0], FIGURES[1] | {"loss": 0.3}]


def write_run(run: Path, curves: list[dict] | None, plot: bytes, stage: str = "dpo") -> Path:
    """Write the curves and the plots of a run; return its folder."""
    (run / stage).mkdir(parents=True)
    (run / "plots").mkdir()
    if curves is not None:
        text = "".join(json.dumps(row) + "\n" for row in curves)
        (run / stage / "curves.jsonl").write_text(text, encoding="utf-8")
    for name in ("loss.png", "learning_rate.png", "sft_loss.png"):
        (run / "plots" / name).write_bytes(plot)
    write_manifest(run / "plots", run / "plots.sha256")
    return run


def compare(one: Path, two: Path, name: str) -> Difference:
    found = compare_results(one / name, two / name, name)
    assert found
    return found


OTHERWISE, FIGURES_DIFFER = "is drawn otherwise, from the same figures", "is drawn from figures that differ"


@pytest.mark.parametrize(
    ("published", "computed", "stage", "plot", "words"),
    [
        (FIGURES, FIGURES, "dpo", "loss", OTHERWISE),
        (None, FIGURES, "dpo", "loss", OTHERWISE),  # curves that are the same are not fetched
        (FIGURES, OTHER_LOSS, "dpo", "loss", FIGURES_DIFFER),
        (FIGURES, OTHER_LOSS, "dpo", "learning_rate", OTHERWISE),
        (FIGURES, OTHER_LOSS, "dpo", "sft_loss", OTHERWISE),
        (FIGURES, OTHER_LOSS, "sft", "sft_loss", FIGURES_DIFFER),
    ],
)
def test_a_plot_that_differs_is_excused_by_its_own_figures_alone(tmp_path, published, computed, stage, plot, words):
    one = write_run(tmp_path / "1", published, b"drawn", stage)
    two = write_run(tmp_path / "2", computed, b"with other fonts", stage)
    found = compare(one, two, f"plots/{plot}.png")
    assert (found.words, found.is_allowed) == (words, words == FIGURES_DIFFER)


def test_a_manifest_may_have_other_hashes_of_files_that_differ(tmp_path):
    one, two = (write_run(tmp_path / str(number), FIGURES, str(number).encode()) for number in (1, 2))
    found = compare(one, two, "plots.sha256")
    assert (found.words, found.is_allowed) == ("holds the hashes of 3 files that differ", True)


def test_a_manifest_with_another_hash_of_the_same_file_is_outside(tmp_path):
    one, two = (write_run(tmp_path / str(number), FIGURES, b"drawn") for number in (1, 2))
    manifest = two / "plots.sha256"
    first, *others = manifest.read_text(encoding="utf-8").splitlines(keepends=True)
    manifest.write_text("".join(["0" * 64 + first[64:], *others]), encoding="utf-8")
    found = compare(one, two, "plots.sha256")
    assert found.words == "has another hash of plots/learning_rate.png, which is the same byte for byte"
    assert not found.is_allowed


def test_a_manifest_of_other_files_is_outside(tmp_path):
    one, two = (write_run(tmp_path / str(number), FIGURES, b"drawn") for number in (1, 2))
    (two / "plots.sha256").write_text("0  plots/other.png\n", encoding="utf-8")
    assert compare(one, two, "plots.sha256").words == "names other files"


def test_a_manifest_with_the_same_hashes_in_other_bytes_is_outside(tmp_path):
    one, two = (write_run(tmp_path / str(number), FIGURES, b"drawn") for number in (1, 2))
    manifest = two / "plots.sha256"
    lines = manifest.read_text(encoding="utf-8").splitlines(keepends=True)
    manifest.write_text("".join(reversed(lines)), encoding="utf-8")
    assert compare(one, two, "plots.sha256") == SAME_VALUES
