"""write_report.py: the page's figures, curves, gates and answers, and that it is written whole."""

import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from string import Formatter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.files.json_lines import write_json_lines
from pipeline.preferences.analyses import NOT_ADDED
from pipeline.preferences.turns import ANALYSIS
from pipeline.report.answer_cards import show_turn
from pipeline.report.curves import MOST_POINTS, chart_training, thin
from pipeline.report.diff_answers import diff_answers
from pipeline.report.facts import list_settings
from pipeline.report.figure_rows import find_better, judge_change, summarize_figures
from pipeline.report.messages import say_in_all
from pipeline.report.numbers_in_words import show_duration, show_number
from pipeline.report.phrases import say_phrase
from pipeline.report.pick_changes import pick_changes
from pipeline.report.report_values import ending_values, reproduce
from pipeline.report.sweep_values import chart_points
from pipeline.settings.check import load_config, merge
from pipeline.settings.reads import part_for
from scripts.write_report import main, write_plots
from scripts.write_sweep_report import main as write_sweep_report
from tests.support.evaluated_run import make_metrics, report_arguments, write_json, write_run
from tests.support.project import ROOT

REPORT = ROOT / "pipeline" / "report"
MESSAGES = {
    name: json.loads((REPORT / "messages" / f"{name}.json").read_text(encoding="utf-8")) for name in ("en", "zh")
}
TEMPLATES = "\n".join(path.read_text(encoding="utf-8") for path in sorted((REPORT / "template").glob("*.html")))
SOURCES = "\n".join(
    path.read_text(encoding="utf-8")
    for folder in ("scripts", "pipeline")
    for path in sorted((ROOT / folder).rglob("*"))
    if path.suffix in (".py", ".html", ".js")
)
GATED = "\n".join(
    path.read_text(encoding="utf-8")
    for folder in ("scripts", "pipeline", "plugins")
    for path in sorted((ROOT / folder).rglob("*.py"))
)
SETTINGS = {"run": "mine", "data": {"raw": "my.jsonl"}, "model": {"folder": "models/gpt-oss-20b"}}


@pytest.fixture(scope="module")
def written(tmp_path_factory) -> Path:
    """Return the folder of a run with a report."""
    folder = tmp_path_factory.mktemp("results") / "made-up"
    write_run(folder, 12, machine=False)
    main(report_arguments(folder))
    return folder


@pytest.fixture(scope="module")
def text(written) -> str:
    """Return the report as it was written."""
    return (written / "report.html").read_text(encoding="utf-8")


def changes(*values: float | None) -> Iterator[dict]:
    """Yield rows of answers with these changes."""
    return ({"id": str(number), "change": value} for number, value in enumerate(values))


def places(text: str) -> set[str]:
    """Return the names of the places of a message."""
    return {name for _, name, *_ in Formatter().parse(text) if name}


def ids(rows: list[dict]) -> list[str]:
    return [row["id"] for row in rows]


def test_both_languages_have_the_same_messages():
    assert list(MESSAGES["en"]) == list(MESSAGES["zh"])


def test_messages_have_the_same_places_in_both_languages():
    english, chinese = ({key: places(text) for key, text in MESSAGES[it].items()} for it in MESSAGES)
    assert english == chinese


def test_every_message_that_a_template_names_is_there():
    named = set(re.findall(r'\bt\("([^"]+)"[,)]|attr\("[^"]+", "([^"]+)"[,)]', TEMPLATES))
    assert {key for pair in named for key in pair if key} - set(MESSAGES["en"]) == set()


def test_no_message_is_left_over():
    words = set(re.findall(r"[\w.]+", SOURCES))
    kinds = {
        key for key in MESSAGES["en"] if key.partition(".")[0] in ("figure", "chart", "line", "axis", "gate", "phrase")
    }
    left = {key for key in MESSAGES["en"] if not {key, key.removeprefix("js."), key.rpartition(".")[2]} & words}
    assert left - kinds == set()


@pytest.mark.parametrize(
    ("text", "chinese"),
    [
        ("760 used + 0 rejected", "使用 760 + 拒绝 0"),
        ("at most 0.199 of their norm, and nearer than the base's", "不超过其范数的 0.199，且比基础模型更近"),
        ("at most 0.0078125", "不超过 0.0078125"),
        ("9 to 14 tokens", "9 至 14 个词元"),
        ("1 differs from m.sha256; fetch or make it again", "1 differs from m.sha256; fetch or make it again"),
        ("at most 0.1 (gates.lost_finals); raise it", "at most 0.1 (gates.lost_finals); raise it"),
    ],
)
def test_what_files_record_in_english_is_said_in_chinese_if_it_is_known(text, chinese):
    assert say_phrase("zh", text) == chinese
    assert say_phrase("en", text) == text


def test_every_known_phrase_is_made_of_words_that_the_code_writes():
    phrases = " ".join(text for key, text in MESSAGES["en"].items() if key.startswith("phrase."))
    assert set(re.findall(r"[a-z]{4,}", re.sub(r"{\w+}", "", phrases))) <= set(re.findall(r"[a-z]+", GATED))


def test_every_gate_has_a_meaning_in_one_line_and_a_row_in_the_docs():
    named = set(re.findall(r'\b(?:gate|judge_files)\(\s*"(\w+)"', GATED))
    told = {key.removeprefix("gate.") for key in MESSAGES["en"] if key.startswith("gate.")}
    section = (ROOT / "docs" / "pipeline.md").read_text(encoding="utf-8").partition("## Gates")[2]
    rows = re.findall(r"^\|[^|]*\|((?: `\w+`,?)+) \|", section, re.MULTILINE)
    assert named <= told == {name for row in rows for name in re.findall(r"\w+", row)}


def test_a_value_in_a_message_is_escaped():
    assert "&lt;b&gt;" in say_in_all("run.cores", cores="<b>")


def test_english_is_compared_by_words():
    assert diff_answers("The old key.", "The new key.") == [("=", "The "), ("-", "old"), ("+", "new"), ("=", " key.")]


def test_chinese_is_compared_by_characters():
    assert diff_answers("密钥已更新。", "密钥已删除。") == [("=", "密钥已"), ("-", "更新"), ("+", "删除"), ("=", "。")]


def test_changed_words_side_by_side_are_one_change():
    assert diff_answers("one two three four five", "one 2 3 four five")[1:3] == [("-", "two three"), ("+", "2 3")]


def test_texts_with_little_in_common_are_shown_one_after_the_other():
    assert diff_answers("alpha beta gamma", "请重新启动") == [("-", "alpha beta gamma"), ("+", "请重新启动")]


@given(st.text(), st.text())
def test_the_pieces_of_a_difference_make_both_texts(old, new):
    pieces = diff_answers(old, new)
    sides = ["".join(text for kind, text in pieces if kind in ("=", side)) for side in "-+"]
    assert sides == [old, new]


def test_the_largest_changes_come_first_each_way():
    picked = pick_changes(changes(1, -5, 3, 0, -2, 9, None), largest=2)
    assert (ids(picked.best), ids(picked.worst)) == (["5", "2"], ["1", "4"])


def test_what_is_no_largest_change_is_among_the_others():
    picked = pick_changes(changes(1, -5, 3, 0, -2, 9, None), largest=1)
    assert ids(picked.others) == ["0", "2", "3", "4", "6"]


def test_no_more_rows_are_kept_than_asked_for():
    picked = pick_changes(changes(*range(-500, 500)), largest=10, sample=20)
    assert (len(picked.shown), picked.total) == (40, 1000)


def test_the_sample_is_the_same_every_time():
    picks = [ids(pick_changes(changes(*[0] * 1000), sample=20).others) for _ in range(2)]
    assert picks[0] == picks[1] != [str(number) for number in range(20)]


def test_changes_are_counted_by_kind():
    assert pick_changes(changes(1, -5, 3, 0, None)).counts == {"better": 2, "worse": 1, "same": 1, "unscored": 1}


@pytest.mark.parametrize(
    ("better", "value", "low", "high", "meaning"),
    [
        ("higher", 1, 0.1, 2, "better"),
        ("higher", -1, -2, -0.1, "worse"),
        ("lower", 1, 0.1, 2, "worse"),
        ("higher", 1, -1, 2, "unclear"),
        ("higher", 1, None, None, "unclear"),
        ("lower", 0, -0.03, 0.03, "same"),
        ("lower", 0, None, None, "same"),
        (None, 1, 0.1, 2, "changed"),
    ],
)
def test_a_difference_means_something_where_its_interval_leaves_out_zero(better, value, low, high, meaning):
    assert judge_change({"value": value, "low": low, "high": high}, better) == meaning


@pytest.mark.parametrize(
    ("name", "better"),
    [("bleu", "higher"), ("ter", "lower"), ("length_ratio", None), ("polite", "higher"), ("unknown", None)],
)
def test_which_values_of_a_figure_are_better_is_known_or_in_the_settings(name, better):
    assert find_better({"better": {"polite": "higher"}}, name) == better


def end_figures(model: str, tokens: float, cut: float) -> dict:
    share = {"value": cut, "low": cut - 0.1, "high": cut + 0.1}
    return {model: {"analysis_tokens": {"value": tokens}, "cut_answers": share, "no_final": {"value": 0.0}}}


def test_thinking_and_cut_answers_are_in_the_summary_with_their_intervals():
    metrics = {"models": ["base", "sft", "dpo"], "answers": end_figures("base", 90, 0.1) | end_figures("dpo", 4, 0.5)}
    rows = {row["name"]: row["cells"]["dpo"] for row in ending_values(metrics)["endings"]}
    assert {name: cell["value"] for name, cell in rows.items()} == {"analysis_tokens": "4.00", "cut_answers": "0.500"}
    assert rows["cut_answers"]["interval"] == ["0.400", "0.600"]


@pytest.mark.parametrize(
    ("before", "after", "high", "less"),
    [
        (90, 4, -70, True),
        (90, 85, -1, True),
        (90, 88, 0, False),
        (90, 80, 3, False),
        (90, 80, None, False),
        (90, 87, -1, False),
        (0.4, 0, -0.2, False),
    ],
    ids=["most", "a little", "0 is inside", "0 is well inside", "no interval", "under 5 %", "under a token"],
)
def test_a_model_thinks_less_where_the_interval_says_so_and_the_difference_is_worth_a_word(before, after, high, less):
    answers = end_figures("base", before, 0) | end_figures("dpo", after, 0)
    change = {"analysis_tokens": {"value": after - before, "low": after - before - 9, "high": high}}
    found = ending_values({"models": ["base", "dpo"], "answers": answers, "comparisons": {"dpo-base": change}})
    assert bool(found["thinks_less"]) == less


def test_models_that_never_think_have_no_thinking_in_the_summary():
    answers = {"base": {"analysis_tokens": {"value": 0.0}}, "dpo": {"analysis_tokens": {"value": 0.0}}}
    assert ending_values({"models": ["base", "dpo"], "answers": answers})["endings"] == []


def test_the_page_says_where_the_tuned_model_thinks_less(text):
    assert "thinks less than" in text and "at least 1 token and 5 %" in text


@pytest.mark.parametrize(
    ("turn", "shown"),
    [
        (("user", "one"), ["user", "one"]),
        (("assistant", ANALYSIS.format("Hm.", "two")), ["assistant", "two", "Hm."]),
        (("tool_call", '{"name": "f"}'), ["tool_call", '{"name": "f"}']),
    ],
)
def test_an_earlier_answer_is_shown_apart_from_its_thinking(turn, shown):
    assert show_turn(dict(zip(("role", "content"), turn, strict=True))) == shown


def test_figures_of_the_users_own_come_first_in_the_summary():
    metrics = {"models": ["dpo"], "answers": {"dpo": {name: {"value": 1} for name in ("chrf", "bleu", "polite")}}}
    assert [row["name"] for row in summarize_figures(metrics)] == ["chrf", "bleu"]
    assert [row["name"] for row in summarize_figures(metrics | {"better": {"polite": None}})] == [
        "polite",
        "chrf",
        "bleu",
    ]


def test_figures_of_unknown_names_are_shown_under_their_own():
    figures = {"base": {"comet": {"value": 0.8}}, "dpo": {"comet": {"value": 0.9}}}
    rows = summarize_figures({"models": ["base", "dpo"], "answers": figures})
    assert [(row["name"], row["cells"]["dpo"]["value"]) for row in rows] == [("comet", "0.900")]


def test_a_summary_has_the_best_known_figures_of_answers_and_pairs():
    names = [row["name"] for row in summarize_figures(make_metrics(12, ["base", "dpo"]))]
    assert names[:6] == ["chrf", "bleu", "ter", "preference_accuracy", "reward_accuracy", "reward_margin"]


def test_an_evaluation_without_figures_has_an_empty_summary():
    assert summarize_figures({"models": ["base", "dpo"], "answers": {}, "pairs": {"dpo": None}}) == []


@pytest.mark.parametrize(
    ("value", "shown"),
    [(None, "–"), (float("nan"), "–"), (0, "0"), (-0.0, "0.000"), (12345, "12,345"), (-1.5, "−1.50"), (2e-5, "2.0e−5")],
)
def test_numbers_are_written_in_one_way(value, shown):
    assert show_number(value) == shown


def test_a_duration_has_its_two_largest_units():
    assert [show_duration(seconds) for seconds in (0, 59.6, 3601, 9296)] == ["0 s", "1 min", "1 h 1 s", "2 h 34 min"]


def test_a_spike_of_a_long_curve_is_not_lost():
    points = [{"step": step, "value": 100 if step == 7777 else 0, "line": "training"} for step in range(20000)]
    thinned = thin(points)
    assert len(thinned) <= MOST_POINTS
    assert points[7777] in thinned


def test_a_loss_without_rewards_has_no_charts_of_them():
    rows = [{"step": 1, "loss": 2.0, "nll_loss": 1.0, "grad_norm": float("inf")}]
    assert [chart.file for chart in chart_training(rows)] == ["loss"]


def test_a_chart_of_the_sft_has_a_name_of_its_own():
    assert [chart.file for chart in chart_training([{"step": 1, "loss": 2.0}], "sft")] == ["sft_loss"]


def test_a_setting_that_differs_is_marked():
    rows = list_settings({"run": "x", "dpo": {"beta": 0.2, "seed": 42}}, {"run": "x", "dpo": {"beta": 0.1, "seed": 42}})
    assert [row["name"] for row in rows if row["differs"]] == ["dpo.beta"]


def test_the_commands_name_the_commit_and_what_git_does_not_have():
    machine = {"commit": "abc", "command": "snakemake --cores all --configfile experiments/mine.yaml"}
    lines = reproduce(machine, SETTINGS, "en").splitlines()
    assert lines[0] == "git checkout abc"
    assert lines[3:5] == ["# the pairs: my.jsonl", "# the model: models/gpt-oss-20b"]
    assert lines[5] == machine["command"]


def test_the_page_says_what_was_not_recorded(text):
    assert MESSAGES["en"]["run.no_machine"] in text
    assert MESSAGES["zh"]["curves.none.speed"] in text


def test_html_of_users_is_in_the_page_as_text_only(text):
    assert "<script>document.title" not in text
    assert "\\u003cscript\\u003edocument.title" in text


def test_the_page_names_no_address_to_load_from(text):
    assert re.findall(r'(?:src|href)="(?!#|data:)[^"]*"', text.partition('<script type="application/json"')[0]) == []


def test_a_failed_gate_is_said_to_have_failed(text):
    row = text.rpartition("<code>merged_logits</code>")[2].partition("</tr>")[0]
    assert MESSAGES["zh"]["gates.failed"] in row


def test_failed_gates_are_said_before_the_verdict(text):
    before = text.partition('id="verdict"')[0]
    assert "1 of 2 gates failed" in before and "<code>merged_logits</code>" in before


def test_every_curve_is_a_file_of_both_kinds(written):
    names = {"loss", "held_out_loss", "reward_accuracy", "reward_margin", "log_probability", "learning_rate"}
    names |= {"gradient_norm"}
    found = {path.name for path in (written / "plots").iterdir()}
    assert found == {f"{name}.{kind}" for name in names for kind in ("svg", "png")}


def test_curves_are_the_same_bytes_every_time(written, tmp_path):
    rows = [json.loads(line) for line in (written / "dpo" / "curves.jsonl").read_text(encoding="utf-8").splitlines()]
    write_plots(chart_training(rows), tmp_path / "plots")
    assert (tmp_path / "plots.sha256").read_bytes() == (written / "plots.sha256").read_bytes()


def test_what_a_killed_drawing_left_is_neither_among_the_curves_nor_beside_them(tmp_path):
    left = tmp_path / "plots.partial" / "half.svg"
    left.parent.mkdir()
    left.write_text("<svg")
    write_plots([], tmp_path / "plots")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["plots", "plots.sha256"]
    assert list((tmp_path / "plots").iterdir()) == []


def test_a_machine_of_which_little_is_known_makes_a_report_all_the_same(written, tmp_path):
    folder = tmp_path / "run"
    shutil.copytree(written, folder)
    write_json(folder / "logs" / "train_dpo.machine.json", {"commit": None, "cores": 2})
    main(report_arguments(folder))
    assert "2 cores" in (folder / "report.html").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", ["evaluate/metrics.json", "data/quality.json", "dpo/adapter.sha256"])
def test_a_missing_file_is_named_with_what_to_do(written, tmp_path, name):
    folder = tmp_path / "run"
    shutil.copytree(written, folder)
    (folder / name).unlink()
    line = f"{folder / name}: no such file; run the stage that writes it"
    with pytest.raises(SystemExit, match=f"^{re.escape(line)}$"):
        main(report_arguments(folder))


def test_curves_of_the_sft_are_asked_for_only_where_it_is_enabled(written, tmp_path):
    folder = tmp_path / "run"
    shutil.copytree(written, folder)
    (folder / "sft" / "curves.jsonl").unlink()
    main(report_arguments(folder))
    with pytest.raises(SystemExit, match=r"sft/curves\.jsonl: no such file"):
        main(report_arguments(folder, sft={"enabled": True}))


def test_a_point_takes_files_from_its_training_and_from_what_all_share(written, tmp_path):
    run, training, shared = (tmp_path / name for name in ("results/s-warm", "results/s-soft", "results/s"))
    for folder, parts in {run: ["evaluate"], training: ["dpo", "merge"], shared: ["data", "dpo/tokens.json"]}.items():
        for part in parts:
            copy = shutil.copytree if (written / part).is_dir() else shutil.copyfile
            (folder / part).parent.mkdir(parents=True, exist_ok=True)
            copy(written / part, folder / part)
    (shared / "model.sha256").write_text("shared", encoding="utf-8")
    (training / "dpo" / "tokens.json").unlink()
    settings = report_arguments(run)[:2]
    main([*settings, "--run", str(run), "--training", str(training), "--shared", str(shared), "--out", str(tmp_path)])
    text = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert all(f"{folder}/{name}" in text for folder, name in ((shared, "model.sha256"), (training, "dpo/adapter")))
    assert "<code>merged_logits</code>" in text


def test_what_was_recorded_of_the_sft_is_in_the_report(tmp_path):
    write_run(tmp_path, 12, sft=True, machine=False)
    write_json(tmp_path / "logs" / "train_sft.machine.json", {"cores": 3})
    main(report_arguments(tmp_path, sft={"enabled": True}))
    assert "3 cores" in (tmp_path / "report.html").read_text(encoding="utf-8")
    assert (tmp_path / "plots" / "sft_loss.svg").is_file()


def test_the_rows_of_data_val_have_an_account_of_their_own(written, tmp_path, text):
    folder = tmp_path / "run"
    shutil.copytree(written, folder)
    counts = {"rows_in": 4711, "rows_used": 4710, "rows_rejected": 1, "pairs": 4710, "codes": {}, "examples": {}}
    write_json(folder / "data" / "held_out" / "quality.json", counts)
    main(report_arguments(folder, data={"val": "own.jsonl"}))
    section = (folder / "report.html").read_text(encoding="utf-8").partition("<h3><code>data.val</code>")[2]
    assert "4,711" in section.partition("</section>")[0] and "<h3><code>data.val</code>" not in text


def test_analyses_of_the_base_model_are_counted_with_the_reason_for_those_without(written, tmp_path, text):
    folder = tmp_path / "run"
    shutil.copytree(written, folder)
    (folder / "data" / "analyses").mkdir()
    account = {"asked": 4000, "added": 711, "thought_already": 1, "not_added": dict.fromkeys(NOT_ADDED, 0)}
    for side, cut in (("train", 3), ("val", 0)):
        counts = account | {"not_added": account["not_added"] | {"cut": cut}}
        write_json(folder / "data" / "analyses" / f"{side}.json", counts)
    main(report_arguments(folder, data={"analyses": "base"}))
    section = (folder / "report.html").read_text(encoding="utf-8").partition('<section id="data"')[2]
    for said in (
        "8,000 prompts (data.analyses)",
        "1,422 pairs got",
        "3 pairs have none: the answer of the base model was",
    ):
        assert said in section.partition("</section>")[0] and said not in text
    assert "longer than dpo.max_length with it" not in section


def test_answers_to_prompts_of_ones_own_are_counted_and_their_gates_shown(written, tmp_path):
    folder = tmp_path / "run"
    shutil.copytree(written, folder)
    (folder / "infer" / "support").mkdir(parents=True)
    write_json_lines(folder / "infer" / "support" / "predictions.jsonl", [{"id": "a"}, {"id": "b"}])
    gates = [{"gate": "own_answers", "passed": True, "value": 2, "expected": 2}]
    write_json(folder / "infer" / "support" / "gates.json", gates)
    main(report_arguments(folder, infer={"prompts": {"support": "own.txt"}}))
    page = (folder / "report.html").read_text(encoding="utf-8")
    assert "<code>infer/support/predictions.jsonl</code> (2)" in page and "<code>own_answers</code>" in page


def test_a_report_that_cannot_be_written_leaves_the_old_one(written, tmp_path):
    folder = tmp_path / "run"
    shutil.copytree(written, folder)
    metrics = json.loads((folder / "evaluate" / "metrics.json").read_text(encoding="utf-8"))
    write_json(folder / "evaluate" / "metrics.json", metrics | {"comparisons": {"dpo-base": {"bleu": {"n": 1}}}})
    with pytest.raises(KeyError):
        main(report_arguments(folder))
    assert (folder / "report.html").read_bytes() == (written / "report.html").read_bytes()


def test_an_evaluation_of_nothing_makes_a_report_all_the_same(written, tmp_path):
    folder = tmp_path / "run"
    shutil.copytree(written, folder)
    write_json(folder / "evaluate" / "metrics.json", {"models": ["base", "dpo"]})
    (folder / "evaluate" / "answers.jsonl").write_text("", encoding="utf-8")
    main(report_arguments(folder))
    assert MESSAGES["en"]["comparison.none"] in (folder / "report.html").read_text(encoding="utf-8")


SWEEP = {"run": "s", "sweep": {"list": [{"name": "soft", "dpo.beta": 0.05}, {"name": "sharp", "dpo.beta": 0.5}]}}


def test_a_sweep_has_a_row_a_point_that_leads_to_its_report(tmp_path):
    for point in ("soft", "sharp"):
        write_json(tmp_path / f"s-{point}" / "evaluate" / "metrics.json", make_metrics(12, ["base", "dpo"]))
        write_json(tmp_path / f"s-{point}" / "dpo" / "metrics.json", {"steps": 30})
    write_sweep_report(sweep_arguments(tmp_path))
    text = (tmp_path / "s" / "sweep.html").read_text(encoding="utf-8")
    assert '<a href="../s-soft/report.html">soft</a>' in text
    assert text.index("../s-soft/report.html") < text.index("../s-sharp/report.html")


def sweep_arguments(folder: Path) -> list[str]:
    """Return the arguments of write_sweep_report.py for SWEEP, with its results in a folder."""
    settings = part_for("write_sweep_report", merge(load_config([]), SWEEP))
    return ["--settings", json.dumps(settings), "--results", str(folder), "--out", str(folder / "s")]


def test_a_point_without_a_finite_figure_leaves_the_page_whole():
    trainings = [{"held_out": {"after": {"loss": value}}} for value in (0.5, float("nan"))]
    charts = chart_points(["good", "bad"], trainings, [{"models": ["base", "dpo"]}] * 2)
    assert [point["value"] for point in charts[0].points] == [0.5, None]


def test_a_sweep_needs_a_file_for_each_point(tmp_path):
    missing = tmp_path / "s-soft" / "dpo" / "metrics.json"
    with pytest.raises(SystemExit, match=f"^{re.escape(str(missing))}: no such file; run the stage that writes it$"):
        write_sweep_report(sweep_arguments(tmp_path))
