"""plugins/fast/pair_layout.py: pairs in one row, and which token sees which."""

import pytest
import torch

from plugins.fast.pair_layout import CHOSEN, REJECTED, SHARED, lay_out_pairs, visible

pytestmark = pytest.mark.training_environment

PAD = 99
# Two pairs: a prompt of 2 tokens and answers that begin alike; a prompt of 1 token, and a chosen answer of token 0.
CHOSEN_ROWS = [[1, 2, 3, 4, 5], [1, 0]]
REJECTED_ROWS = [[1, 2, 3, 6], [1, 8, 9]]
PROMPTS = [2, 1, 2, 1]


@pytest.fixture
def layout():
    rows = CHOSEN_ROWS + REJECTED_ROWS
    ids = torch.tensor([row + [PAD] * (5 - len(row)) for row in rows])
    mask = torch.tensor([[1] * len(row) + [0] * (5 - len(row)) for row in rows])
    places = torch.arange(5).expand(4, 5)
    labels = ids.masked_fill((places < torch.tensor(PROMPTS)[:, None]) | (mask == 0), -100)
    return lay_out_pairs(ids, labels, mask, PAD)


def test_what_both_sequences_begin_with_stands_once(layout):
    assert layout.ids[0, :10].tolist() == [1, 2, 3, 4, 5, 6, 1, 0, 8, 9]
    assert layout.part[:6].tolist() == [SHARED] * 3 + [CHOSEN] * 2 + [REJECTED]
    assert layout.pair[:10].tolist() == [0] * 6 + [1] * 4


def test_all_of_a_layout_goes_to_another_device(layout):
    assert {tensor.device.type for tensor in vars(layout.to("meta")).values()} == {"meta"}


def test_each_token_keeps_its_position_in_its_own_sequence(layout):
    assert layout.positions[0, :10].tolist() == [0, 1, 2, 3, 4, 3, 0, 1, 1, 2]


def test_a_token_of_an_answer_is_predicted_by_the_one_before_it_in_its_own_sequence(layout):
    found = zip(layout.rows.tolist(), layout.sources.tolist(), layout.targets.tolist(), strict=True)
    of_chosen = [(0, 1, 3), (0, 2, 4), (0, 3, 5), (1, 6, 0)]
    of_rejected = [(2, 1, 3), (2, 2, 6), (3, 6, 8), (3, 8, 9)]
    assert list(found) == of_chosen + of_rejected


def test_the_row_is_filled_up_with_padding_that_sees_no_pair(layout):
    assert layout.ids.shape == (1, 128)
    assert set(layout.ids[0, 10:].tolist()) == {PAD}
    sees = visible(layout, None)
    assert not any(bool(sees(None, None, torch.tensor(20), torch.tensor(place))) for place in range(10))


@pytest.mark.parametrize("window", [None, 2])
def test_a_token_sees_what_it_would_see_in_a_row_of_its_own(layout, window):
    sees = visible(layout, window)
    places = [[0, 1, 2, 3, 4], [6, 7], [0, 1, 2, 5], [6, 8, 9]]
    for own in places:
        for number, place in enumerate(own):
            seen = [other for other in range(10) if bool(sees(None, None, torch.tensor(place), torch.tensor(other)))]
            assert seen == own[max(0, number + 1 - window) if window else 0 : number + 1]
