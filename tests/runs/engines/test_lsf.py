"""profiles/lsf with the real plugin, and stand-ins for LSF's commands."""

import pytest

from tests.runs.engines.cluster import TINY_PAIRS, StandIn, options, submit, submit_training

pytestmark = pytest.mark.ci("jobs that are submitted in another form than the engine takes")


@pytest.fixture
def lsf(tmp_path):
    """Return stand-ins for LSF's commands."""
    return StandIn(tmp_path / "lsf", ["bsub", "bjobs", "badmin", "lsclusters"])


def test_a_training_asks_lsf_for_its_gpus_and_for_a_word_in_time(project, lsf):
    lsf.refuse()
    said = submit_training(project, "lsf", **lsf.environment)
    (asked,) = lsf.calls("bsub")
    assert options(asked, "-gpu") == ["num=4/host:gmodel=NVIDIAH20:j_exclusive=yes"], said.stderr
    assert (options(asked, "-wa"), options(asked, "-wt"), options(asked, "-W")) == (["TERM"], ["10"], ["1440"])
    assert options(asked, "-R") == ["rusage[mem=12500.0]", "span[hosts=1]"]  # MB for each of 32 CPUs
    assert options(asked, "-n") == ["32"]
    assert "--target-jobs 'train_dpo:run=tutorial'" in asked[-1]


def test_light_rules_are_one_job_of_lsf_without_a_gpu(project, lsf):
    said = submit(project, "lsf", TINY_PAIRS, **lsf.environment)
    (asked,) = lsf.calls("bsub")
    assert options(asked, "-gpu") == []
    assert said.returncode == 0, said.stderr
    assert (project / TINY_PAIRS).exists()
