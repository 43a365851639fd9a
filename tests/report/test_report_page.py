"""The report in a real browser: it loads nothing, agrees with the run's files, and is accessible."""

import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Locator, Page, expect

from pipeline.report.messages import read_messages
from pipeline.settings.check import load_config, merge
from pipeline.settings.reads import part_for
from scripts.write_report import main as write_report
from scripts.write_sweep_report import main as write_sweep_report
from tests.support.chromium import Opened, run_chromium
from tests.support.evaluated_run import make_metrics, report_arguments, write_json, write_run

ROWS = 52
ENGLISH = {"locale": "en-US"}
CHINESE = {"locale": "zh-CN"}
PHONE = {"width": 360, "height": 740}


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Return a browser for all tests."""
    with run_chromium() as running:
        yield running


@pytest.fixture(scope="module")
def run_folder(tmp_path_factory) -> Path:
    """Return the folder of a run with a report, and of a sweep with a page."""
    folder = tmp_path_factory.mktemp("results") / "made-up"
    write_run(folder, ROWS, sft=True)
    write_report(report_arguments(folder, sft={"enabled": True}))
    held_out = {"after": {"loss": 0.54, "reward_accuracies": 0.81, "reward_margins": 0.45}}
    points = {"soft": 0.05, "sharp": 0.5}
    for name in points:
        write_json(folder.parent / f"made-up-{name}" / "dpo" / "metrics.json", {"steps": 90, "held_out": held_out})
        shutil.copytree(folder / "evaluate", folder.parent / f"made-up-{name}" / "evaluate")
    sweep = {"list": [{"name": name, "dpo.beta": beta} for name, beta in points.items()]}
    settings = part_for("write_sweep_report", merge(load_config([]), {"run": "made-up", "sweep": sweep}))
    write_sweep_report(["--settings", json.dumps(settings), "--results", str(folder.parent), "--out", str(folder)])
    return folder


@pytest.fixture
def page(browser, run_folder) -> Iterator[Page]:
    """Return the report, opened in English."""
    with Opened(browser, run_folder / "report.html", **ENGLISH) as opened:
        yield opened


def shown(page: Page) -> str:
    """Return how many answers are said to be shown."""
    return page.locator("#count").inner_text()


def tab_to(page: Page, selector: str) -> None:
    """Press the tabulator until an element has the focus."""
    wanted = page.locator(selector)
    for _ in range(150):
        page.keyboard.press("Tab")
        if wanted.evaluate("element => element === document.activeElement"):
            return
    raise AssertionError(f"{selector} cannot be reached by keyboard")


@pytest.fixture(
    scope="module",
    params=[
        (name, language, scheme)
        for name in ("report.html", "sweep.html")
        for language in ("en-US", "zh-CN")
        for scheme in ("light", "dark")
    ],
    ids="-".join,
)
def view(browser, run_folder, request) -> Iterator[Opened]:
    """Return a page in a language, in light or dark, for tests that change nothing."""
    name, language, scheme = request.param
    opened = Opened(browser, run_folder / name, locale=language, color_scheme=scheme)
    with opened:
        yield opened


def test_nothing_is_requested_but_the_page_itself(view):
    assert view.requests == [view.page.url]


def test_the_console_stays_empty(view):
    assert view.complaints == []


def test_every_chart_has_marks(view):
    marks = [plot.locator("g.mark-line path, g.mark-symbol path").count() for plot in view.page.locator(".plot").all()]
    assert len(marks) >= 8
    assert min(marks) > 0


def test_the_page_passes_the_rules_of_accessibility_with_what_is_folded(view):
    for folded in view.page.locator("details").all()[:8]:
        folded.evaluate("element => { element.open = true; }")
    found = Axe().run(view.page)
    assert found.violations_count == 0, found.generate_report()


def test_a_phone_scrolls_down_only(view):
    view.page.set_viewport_size(PHONE)
    assert view.page.evaluate("document.documentElement.scrollWidth - window.innerWidth") == 0


def test_no_link_of_the_contents_is_out_of_sight_on_a_phone(view):
    view.page.set_viewport_size(PHONE)
    for link in view.page.locator("nav a").all():
        box = link.bounding_box()
        assert box and box["x"] + box["width"] <= PHONE["width"], link.inner_text()


def test_nothing_but_the_chart_takes_room_under_it(view):
    hidden = "[...document.querySelectorAll('.plot')].map(e => e.clientHeight - e.querySelector('svg').clientHeight)"
    assert max(view.page.evaluate(hidden)) <= 1


def test_the_page_prints(view):
    assert view.page.pdf(format="A4").startswith(b"%PDF-")


WORD = re.compile(r"[A-Za-z][A-Za-z’'-]{2,}")
# What stays as it is: code, records in English, the user's own texts, names of charts' makers.
KEPT_AS_IT_IS = "code, pre, [lang=en], #cards, #tag, footer, [dir=auto]"
SHOWN_WORDS = f"""
    for (const folded of document.querySelectorAll("details")) folded.open = true;
    for (const kept of document.querySelectorAll("{KEPT_AS_IT_IS}")) kept.remove();
    const words = [document.title, document.body.innerText];
    const named = [...document.querySelectorAll("[aria-label]:not(svg *)")];
    words.push(...named.map((element) => element.getAttribute("aria-label")));
    return words.join("\\n");
"""


@pytest.mark.parametrize("name", ["report.html", "sweep.html"])
def test_no_english_word_of_the_messages_is_left_on_the_chinese_page(browser, run_folder, name):
    english, chinese = (words_of(" ".join(read_messages(language).values())) for language in ("en", "zh"))
    with Opened(browser, run_folder / name, **CHINESE) as page:
        text = page.evaluate(f"(() => {{ {SHOWN_WORDS} }})()")
    assert "偏好" in text or "参数" in text
    assert words_of(text) & english - chinese == set()


def words_of(text: str) -> set[str]:
    """Return the words of Latin letters of a text, in small letters."""
    return {word.lower() for word in WORD.findall(text)}


@pytest.mark.parametrize(
    "size", [{"width": 1280, "height": 800}, {"width": 390, "height": 844}], ids=["laptop", "phone"]
)
@pytest.mark.parametrize("language", [ENGLISH, CHINESE], ids=["english", "chinese"])
def test_verdict_and_a_curve_are_on_the_first_screen(browser, run_folder, size, language):
    with Opened(browser, run_folder / "report.html", viewport=size, **language) as page:
        for shown in (page.locator("#verdict"), page.locator(".overview .plot g.mark-line path").first):
            box = shown.bounding_box()
            assert box and box["y"] + box["height"] <= size["height"], (shown, box)


def test_charts_are_drawn_before_a_page_is_printed_that_was_opened_just_now(browser, run_folder):
    context = browser.new_context(**ENGLISH)
    page = context.new_page()
    page.add_init_script("window.setTimeout = () => 0;")  # no pause ends, so that only printing draws
    page.goto((run_folder / "report.html").as_uri())
    assert page.locator(".plot[data-drawn]").count() == 0
    page.pdf(format="A4")
    assert page.locator(".plot:not([data-drawn])").count() == 0
    context.close()


def test_the_button_of_languages_can_be_read_without_chinese_fonts(page):
    assert page.locator("#language").inner_text() == "中文 Chinese"


def test_every_chart_has_its_numbers_in_a_table(page):
    charts = page.locator("figure.chart")
    assert charts.count() == charts.locator("details table").count()


def test_html_in_an_answer_is_shown_as_text(page):
    page.locator("#search").fill("ui-000001")
    expect(page.locator(".card")).to_have_count(1)
    page.locator(".card summary").click()
    assert '<script>document.title="broken"</script>' in page.locator(".card").inner_text()


def test_html_in_an_answer_makes_no_element(page):
    page.locator("#search").fill("ui-000001")
    assert page.locator(".card script, .card img").count() == 0
    assert page.title() == "Report of made-up"


def find_card(page: Page, name: str) -> Locator:
    """Search for a row, and return its card."""
    page.locator("#search").fill(name)
    expect(page.locator(".card")).to_have_count(1)
    return page.locator(".card")


def test_thinking_is_folded_above_the_answer_and_opens_by_keyboard(page):
    card = find_card(page, "ui-000002")
    thinking = card.locator("dd > details.thinking")
    expect(thinking.locator("summary")).to_have_text("Thinking (Base)")
    expect(thinking.locator(".text")).to_be_hidden()
    assert thinking.evaluate("element => element.nextElementSibling.className") == "text"
    thinking.locator("summary").focus()
    page.keyboard.press("Enter")
    expect(thinking.locator(".text")).to_contain_text(
        'The request is number 2. <script>document.title="broken"</script>'
    )


def test_open_thinking_fits_on_a_phone(page):
    page.set_viewport_size(PHONE)
    find_card(page, "ui-000002").locator(".thinking summary").click()
    assert page.evaluate("document.documentElement.scrollWidth - window.innerWidth") == 0


def test_a_cut_answer_is_said_to_be_cut(page):
    said = "DPO was cut off at infer.max_new_tokens; scored as an empty answer."
    expect(find_card(page, "ui-000007").locator(".end")).to_have_text(said)


def test_a_search_is_typed_and_counted_by_keyboard_alone(page):
    tab_to(page, "#search")
    page.keyboard.type("UI-00001")
    expect(page.locator("#count")).to_have_text("10 of 10 matching answers shown, 52 in this page")


def test_a_tag_is_chosen_by_keyboard_alone(page):
    tab_to(page, "#tag")
    page.keyboard.type("omission")
    expect(page.locator("#count")).to_have_text("9 of 9 matching answers shown, 52 in this page")
    assert set(page.locator(".card .tag").all_inner_texts()) == {"omission"}


def test_worse_answers_are_chosen_by_keyboard_alone(page):
    tab_to(page, "#kind")
    page.keyboard.type("Worse")
    assert all(text.startswith("−") for text in page.locator(".card .change").all_inner_texts())


def test_more_answers_are_shown_by_keyboard_and_the_focus_goes_to_the_first_of_them(page):
    tab_to(page, "#more")
    page.keyboard.press("Enter")
    expect(page.locator(".card")).to_have_count(40)
    first = page.locator(".card").nth(20).locator("summary").first
    assert first.evaluate("element => element === document.activeElement")


def test_a_change_of_the_count_is_announced(page):
    assert page.locator("#count").get_attribute("aria-live") == "polite"


@pytest.mark.parametrize(("language", "code"), [(ENGLISH, "en"), (CHINESE, "zh-Hans")], ids=["english", "chinese"])
def test_the_page_opens_in_the_language_of_the_browser(browser, run_folder, language, code):
    with Opened(browser, run_folder / "report.html", **language) as page:
        assert page.locator("html").get_attribute("lang") == code


def test_the_button_switches_every_word_and_chart(page):
    tab_to(page, "#language")
    page.keyboard.press("Enter")
    expect(page.locator("h2").first).to_have_text(re.compile("概要"))
    expect(page.locator("#chart-loss[data-drawn=zh]")).to_be_visible()
    assert [span for span in page.locator("main span.en").all() if span.is_visible()] == []


def test_charts_are_on_paper_in_dark_mode_too(browser, run_folder):
    with Opened(browser, run_folder / "report.html", color_scheme="dark", **ENGLISH) as page:
        page.emulate_media(media="print")
        expect(page.locator("#chart-loss svg")).to_be_visible()
        ink = page.locator("#chart-loss g.mark-line path").first.evaluate("element => getComputedStyle(element).stroke")
        assert ink == "rgb(31, 95, 168)"


def test_a_thousand_rows_among_more_are_counted_honestly(browser, tmp_path):
    folder = tmp_path / "large"
    write_run(folder, 1500, machine=False)
    write_json(folder / "evaluate" / "metrics.json", make_metrics(1500, ["base", "dpo"]) | {"answers": {}})
    write_report(report_arguments(folder))
    with Opened(browser, folder / "report.html", **ENGLISH) as page:
        text = page.locator("#answers > p").first.inner_text()
        assert text.startswith("1,000 of 1,500 rows are in this page: 300 of the largest changes for the better")
        assert "20 of 1,000 matching" in shown(page)
