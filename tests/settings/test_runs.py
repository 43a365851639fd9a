"""runs.py: where each run of a graph finds its models, its training and what it shares."""

from pipeline.settings.check import load_config, merge
from pipeline.settings.runs import Model, list_runs

POINTS = {"list": [{"name": "sharp", "dpo.beta": 0.5}, {"name": "warm", "infer.temperature": 0.5}]}


def runs(**overlay):
    """Return the runs of config.yaml under an overlay."""
    return list_runs(merge(load_config([]), overlay))


def test_a_plain_run_has_all_its_own():
    run = runs()["tiny"]
    assert (run.folder, run.shared, run.training, run.before) == ("results/tiny",) * 4
    assert run.start == run.base == Model("results/tiny/model", "results/tiny/model.sha256")


def test_a_model_of_ones_own_is_no_input_and_its_manifest_is_the_runs():
    base = runs(model={"folder": "models/own"})["tiny"].base
    assert (base.folder, base.manifest, base.built) == ("models/own", "results/tiny/model.sha256", [])


def test_points_share_what_they_do_not_differ_in():
    found = runs(sweep=POINTS)
    assert found["tiny-sharp"].training == "results/tiny-sharp"
    assert found["tiny-sharp"].before == "results/tiny"
    assert found["tiny-warm"].training == "results/tiny"
    assert found["tiny-warm"].before == "results/tiny-warm"


def test_dpo_starts_from_the_merged_sft_model():
    assert runs(sft={"enabled": True, "join": "merged"})["tiny"].start.folder == "results/tiny/sft/merged"


def test_dpo_goes_on_with_a_stacked_sft_adapter_on_the_base():
    start = runs(sft={"enabled": True, "join": "stacked"})["tiny"].start
    assert (start.folder, start.adapter_folder) == ("results/tiny/model", "results/tiny/sft/adapter")
