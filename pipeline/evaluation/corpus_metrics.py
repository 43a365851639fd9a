"""BLEU, chrF and TER of answers against the chosen ones. The scores and signatures are sacrebleu's own.

Papineni et al. 2002, Popović 2015, Snover et al. 2006; Post 2018 for the signatures.
"""

import logging
import random
from collections import defaultdict
from collections.abc import Sequence
from itertools import chain, count
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sacrebleu.metrics.bleu import BLEU
from sacrebleu.metrics.chrf import CHRF
from sacrebleu.metrics.ter import TER

from pipeline.evaluation.ngrams import Texts, count_overlaps
from pipeline.evaluation.side_by_side import SideBySide

Statistics = NDArray[np.float64]
# sacrebleu's advice for text that has no spaces; characters, where its own tokenizer needs packages or a download.
TOKENIZERS = {"zh": "zh", "ja": "char", "ko": "char", "th": "char"}
TER_ROWS = 1000
# sacrebleu warns of texts that look tokenised; answers are as the model wrote them.
logging.getLogger("sacrebleu").setLevel(logging.ERROR)


class Bleu:
    """BLEU of a corpus, tokenised for its language."""

    unit = "0 to 100"

    def __init__(self, language: str) -> None:
        self.metric = BLEU(tokenize=TOKENIZERS.get(language, "13a"))
        self.numbers: dict[str, int] = defaultdict(count().__next__)

    def statistics(self, rows: SideBySide, model: str) -> Statistics:
        """Return, rows x 10: the lengths, the n-grams found in the chosen answer, all n-grams."""
        order = self.metric.max_ngram_order
        one, two = (self.number_tokens(texts) for texts in (rows.answers[model], rows.chosen))
        total, _, common = count_overlaps(one, two, order)
        return np.hstack([one.lengths[:, None], two.lengths[:, None], common, total]).astype(np.float64)

    def number_tokens(self, texts: Sequence[str]) -> Texts:
        """Return the tokens of each text as numbers; the same word has the same one in all texts."""
        words = [self.metric._preprocess_segment(text).split() for text in texts]
        return as_texts([list(map(self.numbers.__getitem__, text)) for text in words])

    def score(self, sums: Statistics) -> float:
        """Return the score of a corpus with these sums."""
        return float(self.metric._compute_score_from_stats(list(sums)).score)


class Chrf:
    """chrF of a corpus: 6-grams of characters, recall counting twice."""

    unit = "0 to 100"

    def __init__(self) -> None:
        self.metric = CHRF()

    def statistics(self, rows: SideBySide, model: str) -> Statistics:
        """Return, rows x 18: for each length, n-grams of the answer, of the chosen one, and of both."""
        one, two = (as_characters(texts) for texts in (rows.answers[model], rows.chosen))
        hypothesis, reference, common = count_overlaps(one, two, self.metric.char_order)
        hypothesis[reference == 0] = 0  # sacrebleu counts no n-grams if the reference has none
        return np.stack([hypothesis, reference, common], axis=2).reshape(len(rows.ids), -1).astype(np.float64)

    def score(self, sums: Statistics) -> float:
        """Return the score of a corpus with these sums, or of a row."""
        return float(self.metric._compute_f_score(list(sums)))


class Ter:
    """TER of a corpus: edits to get from the answer to the chosen one. If there are many rows, a sample is used."""

    unit = "edits per 100 words; less is better"

    def __init__(self, seed: int) -> None:
        self.metric = TER()
        self.seed = seed

    def statistics(self, rows: SideBySide, model: str) -> Statistics:
        """Return, rows x 2: edits, and words of the chosen answer; NaN for a row that is not in the sample.

        With its shifts, sacrebleu takes seconds for a hundred long sentences.
        """
        numbers = range(len(rows.ids))
        sample = (
            sorted(random.Random(self.seed).sample(numbers, TER_ROWS)) if len(numbers) > TER_ROWS else list(numbers)
        )
        one, two = ([texts[i] for i in sample] for texts in (rows.answers[model], rows.chosen))
        found = np.full((len(numbers), 2), np.nan)
        found[sample] = self.metric._extract_corpus_statistics(one, [two])
        return found

    def score(self, sums: Statistics) -> float:
        """Return the score of a corpus with these sums."""
        return float(self.metric._compute_score_from_stats(list(sums)).score)


def as_texts(numbers: Sequence[Sequence[int]]) -> Texts:
    """Return texts whose tokens are numbers."""
    lengths = np.array([len(text) for text in numbers], np.int64)
    return Texts(np.fromiter(chain.from_iterable(numbers), np.uint64, int(lengths.sum())), lengths)


def as_characters(texts: Sequence[str]) -> Texts:
    """Return texts whose tokens are characters, without spaces."""
    bare = ["".join(text.split()) for text in texts]
    data = "".join(bare).encode("utf-32-le", "surrogatepass")
    return Texts(np.frombuffer(data, np.uint32).astype(np.uint64), np.array([len(text) for text in bare], np.int64))


def signature(metric: Any) -> str:
    """Return sacrebleu's signature of a metric."""
    metric.num_refs = 1
    return str(metric.get_signature())
