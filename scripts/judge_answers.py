"""Ask a judge, a model behind an OpenAI-compatible server, which of two models answers better, and count the wins.

    python -m scripts.judge_answers base=base.jsonl dpo=dpo.jsonl \
        --settings "$(python -m tools.show_settings judge_answers experiments/mine.yaml)" --out judged

The judge is evaluate.judge of the settings; its judgements are written to judgements.jsonl in --out. Each prompt is
judged twice at temperature 0, the second time with the two answers swapped. Finals are judged; an answer that was cut
or has no final is judged as an empty one. A model has won if it wins both times; everything else is a tie. Two equal
answers are a tie, too, and are not sent to the judge. A prompt without a verdict is invalid. After a kill, the job asks
only the questions that have no answer yet.
"""

import argparse
import hashlib
import json
import random
import re
import sys
from collections import Counter
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from typing import Any, NamedTuple

from pipeline.evaluation.judge_client import Judge, JudgeError, PromptTooLong, check_url, read_key
from pipeline.evaluation.named_predictions import read_named_predictions
from pipeline.evaluation.predictions import Prediction
from pipeline.files.finished_rows import FinishedRows
from pipeline.files.json_files import run_digest
from pipeline.graph.code_of import code_of
from pipeline.models.channels import split_channels
from pipeline.settings.model_words import METAVAR, read_single_files
from pipeline.settings.stage import stage_parser

JUDGEMENTS = "judgements.jsonl"  # inside --out
PROMPT = Path(__file__).parents[1] / "pipeline" / "evaluation" / "judge_prompt.txt"
MARK = "{mark}"
ROUNDS = ("first", "second")
ASKED = 3  # times that a verdict is asked for, before it counts as invalid
VERDICT = re.compile(r"\W*verdict\W*\b(A|B|tie)\W*", re.IGNORECASE)
REMINDER = "End with one line that is exactly one of these: Verdict: A, Verdict: B, Verdict: tie"


class Question(NamedTuple):
    """A question to the judge: the number of the prompt, and the models whose answers are A and B."""

    number: int
    round: str
    order: tuple[str, str]
    messages: list[dict[str, str]]

    @property
    def key(self) -> str:
        """Return a name for it."""
        return f"{self.number} {self.round}"


def write_question(instruction: str, prompt: list[dict[str, str]], answers: tuple[str, str]) -> list[dict[str, str]]:
    """Return the messages to the judge. The mark is a hash of all texts, so no text can contain it."""
    turns = "\n\n".join(f"[{message['role']}]\n{without_thinking(message)}" for message in prompt)
    parts = {"REQUEST": turns, "ANSWER A": answers[0], "ANSWER B": answers[1]}
    mark = hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:16]
    shown = "\n\n".join(f"=== {name} {mark} ===\n{text}\n=== END OF {name} {mark} ===" for name, text in parts.items())
    return [
        {"role": "system", "content": instruction.replace(MARK, mark)},
        {"role": "user", "content": shown},
    ]


def without_thinking(message: dict[str, str]) -> str:
    """Return the text of a turn; of an earlier answer, its final."""
    final = split_channels(message["content"])[1] if message["role"] == "assistant" else None
    return message["content"] if final is None else final


def list_questions(found: dict[str, list[Prediction]], numbers: list[int], instruction: str) -> list[Question]:
    """Return two questions for each prompt to which the two models have different answers."""
    one, other = found
    return [
        Question(n, round_, order, write_question(instruction, found[one][n].messages, answers))
        for n in numbers
        if found[one][n].counted != found[other][n].counted
        for round_, order in zip(ROUNDS, ((one, other), (other, one)), strict=True)
        for answers in [(found[order[0]][n].counted, found[order[1]][n].counted)]
    ]


def read_verdict(said: str) -> str:
    """Return A, B or tie if the last line says so, else invalid."""
    last = said.strip().rpartition("\n")[2]
    match = VERDICT.fullmatch(last)
    return "invalid" if not match else "tie" if match[1].lower() == "tie" else match[1].upper()


def ask_judge(judge: Judge, question: Question) -> dict[str, Any]:
    """Return the judge's verdict; if its last line is not a verdict, remind it."""
    messages, said, verdict = question.messages, "", "invalid"
    for _ in range(ASKED):
        try:
            said = judge.ask(messages)
        except PromptTooLong as error:
            said = str(error)
            break
        if (verdict := read_verdict(said)) != "invalid":
            break
        reply = {"role": "assistant", "content": said or "…"}
        messages = [*question.messages, reply, {"role": "user", "content": REMINDER}]
    return {"order": list(question.order), "verdict": verdict, "said": said}


def ask_all(judge: Judge, questions: list[Question], parallel: int, finished: FinishedRows) -> None:
    """Ask several questions at a time, and keep each answer; JudgeError when a question cannot be asked."""

    def ask(question: Question) -> None:
        finished.add({question.key: ask_judge(judge, question)})

    with ThreadPoolExecutor(parallel) as pool:
        asked = [pool.submit(ask, question) for question in questions]
        try:
            for done in as_completed(asked):
                done.result()
                print(f"{len(finished)} judgements", flush=True)
        except BaseException:
            pool.shutdown(
                wait=False, cancel_futures=True
            )  # requests that have started are finished, and their answers kept
            raise


def find_winner(rounds: list[dict[str, Any]]) -> str:
    """Return the model that won both times, else tie; invalid where there was no verdict."""
    verdicts = [found["verdict"] for found in rounds]
    if "invalid" in verdicts:
        return "invalid"
    winners = {found["order"]["AB".index(found["verdict"])] if found["verdict"] != "tie" else "tie" for found in rounds}
    return winners.pop() if len(winners) == 1 else "tie"


def to_row(prediction: Prediction, models: list[str], rounds: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """Return a row of the judgements; two equal answers have no rounds."""
    for round_, order in zip(ROUNDS, (models, models[::-1]), strict=True):
        rounds.setdefault(round_, {"order": order, "verdict": "tie", "said": ""})
    return prediction.name | rounds | {"winner": find_winner([rounds[round_] for round_ in ROUNDS])}


def say_result(models: list[str], winners: Counter[str]) -> str:
    """Return a line with the counts. A tie is half a win; invalid prompts are left out of the rate."""
    one, other = models
    judged = winners.total() - winners["invalid"]
    rate = f"{(winners[other] + winners['tie'] / 2) / judged:.3f}" if judged else "none"
    counts = ", ".join(f"{name} {winners[name]}" for name in (one, other, "tie", "invalid"))
    return f"{winners.total()} prompts: {counts}; win rate of {other} over {one}: {rate}"


def choose_prompts(count: int, limit: int | None, seed: int) -> list[int]:
    """Return the numbers of the prompts to judge: all, or `limit` of them drawn at random, in order."""
    return sorted(random.Random(seed).sample(range(count), limit)) if limit and limit < count else list(range(count))


def read_instruction(path: Path) -> str:
    """Return the judge's instruction; stop with one line if it lacks the mark."""
    if not path.is_file():
        sys.exit(f"{path}: no such file; evaluate.judge.prompt: null takes the judge prompt of this project")
    instruction = path.read_text(encoding="utf-8")
    if MARK not in instruction:
        sys.exit(
            f"{path}: has no {MARK}, by which the judge knows where an answer ends; "
            "see pipeline/evaluation/judge_prompt.txt"
        )
    return instruction


def parse_arguments(argv: list[str] | None) -> argparse.Namespace:
    """Return the command line."""
    parser = stage_parser(__doc__, out="the judgements, a row a prompt")
    parser.add_argument(
        "predictions", nargs=2, metavar=METAVAR, help="predictions.jsonl of two models, the one to beat first"
    )
    parser.add_argument("--parallel", type=int, default=4, help="number of requests at a time")
    parser.add_argument("--timeout", type=float, default=300, help="seconds without a byte from the server")
    args = parser.parse_args(argv)
    if not args.settings["evaluate"]["judge"]:
        sys.exit("evaluate.judge: null, so there is no judge to ask; name its server and its model (docs/judge.md)")
    return args


def main(argv: list[str] | None = None) -> None:
    args = parse_arguments(argv)
    settings, files = args.settings["evaluate"]["judge"], read_single_files(args.predictions)
    instruction, found = read_instruction(Path(settings["prompt"] or PROMPT)), read_named_predictions(files, Prediction)
    models, predictions = list(found), next(iter(found.values()))
    numbers = choose_prompts(len(predictions), settings["limit"], args.settings["evaluate"]["seed"])
    questions = list_questions(found, numbers, instruction)
    state = [*models, settings["url"], settings["model"], instruction, *code_of("judge_answers")]
    args.out.mkdir(parents=True, exist_ok=True)
    finished = FinishedRows(args.out / JUDGEMENTS, run_digest(state, *files.values()))
    try:
        judge = Judge(check_url(settings["url"]), settings["model"], read_key(settings["key_variable"]), args.timeout)
        ask_all(judge, [question for question in questions if question.key not in finished], args.parallel, finished)
    except JudgeError as error:
        sys.exit(str(error))
    rows = [to_row(predictions[n], models, pick_rounds(finished, n)) for n in numbers]
    finished.publish(rows)
    print(say_result(models, Counter(row["winner"] for row in rows)))


def pick_rounds(finished: FinishedRows, number: int) -> dict[str, dict[str, Any]]:
    """Return the judge's answers about a prompt, by round."""
    return {round_: finished.rows[key] for round_ in ROUNDS if (key := f"{number} {round_}") in finished}


if __name__ == "__main__":
    main()
