"""chat.py: what the lines of a user do. test_serve_run.py runs the whole program."""

import pytest

from pipeline.serving.ask_server import RefusedRequest
from pipeline.serving.chat import Chat


class Models:
    """Answers with pieces that a test sets, and keeps what it was asked and what was printed."""

    def __init__(self) -> None:
        self.pieces = [("final", "Save"), ("final", " all"), ("end", "stop")]
        self.fault: Exception | None = None
        self.asked: list[dict] = []
        self.printed = ""
        self.chat = Chat(self.ask, self.say, ["base", "tuned"], "Be brief.", "medium")

    def ask(self, request: dict):
        """Answer a request."""
        self.asked.append(request)
        yield from self.pieces
        if self.fault:
            raise self.fault

    def say(self, text: str) -> None:
        """Keep a text."""
        self.printed += text

    def take(self, *lines: str) -> list[bool]:
        """Type lines; return for each whether the conversation goes on."""
        return [self.chat.take(line) for line in lines]


@pytest.fixture
def models() -> Models:
    """Return a conversation with two models that say the same."""
    return Models()


def test_both_models_are_asked_one_after_the_other_and_named(models):
    assert models.take("保存\n") == [True]
    assert models.printed == "base: Save all\ntuned: Save all\n"
    assert [request["model"] for request in models.asked] == ["base", "tuned"]


def test_each_model_sees_its_own_answers_so_far(models):
    models.take("One")
    models.pieces = [("final", "Other"), ("end", "stop")]
    models.take("Two")
    turns = [(turn["role"], turn["content"]) for turn in models.asked[-1]["messages"]]
    said = [("user", "One"), ("assistant", "Save all"), ("user", "Two")]
    assert turns == [("system", "Be brief."), *said]


def test_thinking_is_shown_apart_from_the_final(models):
    models.pieces = [("analysis", "Hm"), ("analysis", "."), ("final", "Save"), ("end", "stop")]
    models.take("One")
    assert models.printed.startswith("base: [thinking] Hm.\n      Save\n")


@pytest.mark.parametrize(
    ("pieces", "mark"), [([("analysis", "Hm"), ("end", "length")], "[cut]"), ([("end", "stop")], "[no final]")]
)
def test_an_answer_without_a_whole_final_says_so(models, pieces, mark):
    models.pieces = pieces
    models.take("One")
    assert mark in models.printed.splitlines()[0]


def test_an_answer_whose_connection_closed_is_said_to_be_cut_and_ends_the_chat(models):
    models.pieces, models.fault = [("final", "Save")], ConnectionError("closed")
    with pytest.raises(ConnectionError, match="closed"):
        models.take("One")
    assert models.printed == "base: Save [cut]\n"


def test_a_question_that_is_refused_is_not_part_of_the_conversation(models):
    pieces, models.pieces, models.fault = models.pieces, [], RefusedRequest("a mark of harmony's")
    assert models.take("<|start|>") == [True]
    assert models.printed == "base: [refused] a mark of harmony's\ntuned: [refused] a mark of harmony's\n"
    models.pieces, models.fault = pieces, None
    models.take("Two")
    assert [turn["content"] for turn in models.asked[-1]["messages"]] == ["Be brief.", "Two"]


@pytest.mark.parametrize(
    ("line", "key", "value"),
    [
        ("/effort high", "reasoning_effort", "high"),
        ("/effort lots", "reasoning_effort", "medium"),
        (
            "/system Be kind.",
            "messages",
            [{"role": "system", "content": "Be kind."}, {"role": "user", "content": "One"}],
        ),
        ("/system", "messages", [{"role": "system", "content": ""}, {"role": "user", "content": "One"}]),
    ],
)
def test_a_command_changes_what_is_asked_from_then_on(models, line, key, value):
    models.take(line, "One")
    assert models.asked[0][key] == value


@pytest.mark.parametrize("line", ["/new", "/system Be brief."])
def test_a_new_conversation_knows_nothing_of_the_old_one(models, line):
    models.take("One", line, "Two")
    assert [turn["content"] for turn in models.asked[-1]["messages"]] == ["Be brief.", "Two"]


def test_an_unknown_command_is_named_and_asks_nobody(models):
    assert models.take("/efort low") == [True]
    assert models.printed.startswith("/efort: no such command; there are /effort low|medium|high")
    assert models.asked == []


@pytest.mark.parametrize(("line", "goes_on"), [("/quit\n", False), ("\n", True), ("/help", True)])
def test_quit_alone_ends_it(models, line, goes_on):
    assert models.take(line) == [goes_on]
