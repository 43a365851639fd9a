"""Write preference pairs in ms-swift's format for benchmarks: made-up texts, the same ones every time.

    python -m benchmarks.make_preferences pairs.jsonl --rows short --megabytes 100

The words are those of data/preferences.jsonl, the sentences are drawn at random: no prompt comes twice, and
few are alike. A rejected answer is the chosen one with other words in some places. `short` rows have about 0.5 KB,
`long` ones about 3 KB, `mixed` is half and half by size.
"""

import json
import random
import re
from collections import Counter
from itertools import accumulate
from pathlib import Path
from typing import Any

from pipeline.settings.stage import stage_parser

DATA = Path(__file__).parents[1] / "data" / "preferences.jsonl"
SEED = 17
BATCH = 500  # rows written at a time
SENTENCES = {"short": (1, 2), "long": (12, 16)}  # in a text, at least and at most
MIX = ("short",) * 6 + ("long",)

CHINESE = re.compile(r"[\u4e00-\u9fff]+")
NAME = re.compile(r"[A-Za-z0-9_./:{}$%-]+")  # of a product, a path, a placeholder
EDGES = ".,:;!?()[]\"'"

Sentence = list[str]


def chinese_words(texts: list[str]) -> list[str]:
    """Return every two and three characters that stand side by side, and every name."""
    runs = [run for text in texts for run in CHINESE.findall(text)]
    words = {run[start : start + size] for run in runs for size in (2, 3) for start in range(len(run) - size + 1)}
    return sorted(words | {name for text in texts for name in NAME.findall(text)})


def quote(word: str) -> str:
    """Put a word that is a name into quotation marks, which JSON escapes."""
    return f'"{word}"' if "_" in word or "/" in word else word


class Author:
    """Makes up pairs, one after the other, from the words of other pairs."""

    def __init__(self, pairs: list[dict[str, Any]], seed: str) -> None:
        self.random = random.Random(seed)
        self.systems = sorted({m["content"] for pair in pairs for m in pair["messages"] if m["role"] == "system"})
        questions = [m["content"] for pair in pairs for m in pair["messages"] if m["role"] == "user"]
        self.chinese = chinese_words(questions)
        answers = " ".join(pair["messages"][-1]["content"] for pair in pairs)
        words = Counter(quote(word) for raw in answers.split() if (word := raw.strip(EDGES)))
        self.english, counts = zip(*words.items(), strict=True)
        self.weights = list(accumulate(counts))

    def pair(self, kind: str, number: int) -> dict[str, Any]:
        """Return a pair."""
        prompt = "".join(self.question() for _ in range(self.random.randint(*SENTENCES[kind])))
        chosen = [self.words(self.random.randint(6, 14)) for _ in range(self.random.randint(*SENTENCES[kind]))]
        rejected = list(map(self.vary, chosen))
        while lower(rejected) == lower(chosen):
            rejected = list(map(self.vary, chosen))
        messages = [("system", self.random.choice(self.systems)), ("user", prompt), ("assistant", answer(chosen))]
        return {
            "id": f"{kind}-{number:08}",
            "messages": [{"role": role, "content": text} for role, text in messages],
            "rejected_response": answer(rejected),
        }

    def question(self) -> str:
        """Return a sentence that looks Chinese."""
        words = self.random.choices(self.chinese, k=self.random.randint(7, 11))
        words[4] += "，"
        return "".join(words) + "。"

    def words(self, count: int) -> Sentence:
        """Return English words, the frequent ones more often."""
        return self.random.choices(self.english, cum_weights=self.weights, k=count)

    def vary(self, sentence: Sentence) -> Sentence:
        """Return a sentence with some words replaced, and perhaps one more or one less."""
        varied = sentence.copy()
        for word in self.words(len(sentence) // 4 + 1):
            varied[int(self.random.random() * len(varied))] = word
        chance = self.random.random()
        if chance < 0.2:
            varied.pop()
        elif chance > 0.8:
            varied += self.words(1)
        return varied


def lower(sentences: list[Sentence]) -> list[str]:
    """Return all words in lower case."""
    return [word.lower() for sentence in sentences for word in sentence]


def answer(sentences: list[Sentence]) -> str:
    """Return sentences as text: a comma in long ones, a new line after every third."""
    written = []
    for number, words in enumerate(sentences, 1):
        text = f"{' '.join(words[:5])}, {' '.join(words[5:])}" if len(words) > 11 else " ".join(words)
        written.append(f"{text[0].upper()}{text[1:]}.{' ' if number % 3 else chr(10)}")
    return "".join(written).rstrip()


def write_pairs(path: Path, kind: str, size: int) -> None:
    """Write pairs until the file has `size` bytes."""
    with DATA.open(encoding="utf-8") as lines:
        author = Author([json.loads(line) for line in lines], f"{SEED} {kind}")
    kinds = MIX if kind == "mixed" else (kind,)
    number = written = 0
    with path.open("wb") as out:
        while written < size:
            rows = [author.pair(kinds[n % len(kinds)], n) for n in range(number + 1, number + BATCH + 1)]
            written += out.write("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows).encode())
            number += BATCH


def main() -> None:
    parser = stage_parser(__doc__, settings=False)
    parser.add_argument("out", type=Path)
    parser.add_argument("--rows", choices=[*SENTENCES, "mixed"], required=True)
    parser.add_argument("--megabytes", type=float, required=True)
    args = parser.parse_args()
    write_pairs(args.out, args.rows, int(args.megabytes * 1e6))


if __name__ == "__main__":
    main()
