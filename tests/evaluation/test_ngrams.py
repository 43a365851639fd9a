"""ngrams.py: the counts of common n-grams are the same as sacrebleu's."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from pipeline.evaluation.corpus_metrics import Bleu, Chrf
from pipeline.evaluation.ngrams import Texts, count_overlaps
from pipeline.evaluation.side_by_side import SideBySide

TEXT = st.text(alphabet="ab c.,1-你好 \u3000é%", max_size=30)
ROWS = st.lists(st.tuples(TEXT, TEXT), min_size=1, max_size=8)


def side_by_side(pairs: list[tuple[str, str]]) -> SideBySide:
    """Return answers and chosen answers."""
    answers, chosen = ([pair[side] for pair in pairs] for side in (0, 1))
    ids = [str(i) for i in range(len(pairs))]
    return SideBySide(ids, [""] * len(pairs), chosen, {"dpo": answers}, np.arange(len(pairs)))


@given(ROWS, st.sampled_from(["en", "zh", "ja"]))
def test_statistics_of_bleu_are_those_of_sacrebleu(pairs, language):
    bleu = Bleu(language)
    answers, chosen = zip(*pairs, strict=True)
    expected = bleu.metric._extract_corpus_statistics(list(answers), [list(chosen)])
    assert bleu.statistics(side_by_side(pairs), "dpo").tolist() == expected


@given(ROWS)
def test_statistics_of_chrf_are_those_of_sacrebleu(pairs):
    chrf = Chrf()
    answers, chosen = zip(*pairs, strict=True)
    expected = chrf.metric._extract_corpus_statistics(list(answers), [list(chosen)])
    assert chrf.statistics(side_by_side(pairs), "dpo").tolist() == expected


def test_more_rows_than_are_counted_at_once_are_counted_each_on_its_own():
    pairs = [(f"a b {i % 7}", f"b {i % 5} a") for i in range(9000)]
    found = Chrf().statistics(side_by_side(pairs), "dpo")
    assert np.array_equal(found, np.tile(found[:35], (258, 1))[:9000])


def test_half_of_a_character_of_two_is_counted_as_sacrebleu_counts_it():
    pairs = [("a\ud83db", "\ud83db"), ("", "\ud83d")]
    answers, chosen = zip(*pairs, strict=True)
    expected = Chrf().metric._extract_corpus_statistics(list(answers), [list(chosen)])
    assert Chrf().statistics(side_by_side(pairs), "dpo").tolist() == expected


def test_tens_of_thousands_of_different_ngrams_have_none_in_common():
    tokens = np.arange(40_000, dtype=np.uint64).reshape(2, -1)
    _, _, common = count_overlaps(*(Texts(own, np.array([len(own)])) for own in tokens), 4)
    assert common.tolist() == [[0, 0, 0, 0]]
