"""When compiling pays."""

from __future__ import annotations

import pytest

from bench.model.compile_price import FLOPS, RATES, TIMES, worth_compiling

BERT_LARGE = 303_000_000  # parameters of its layers
EPOCHS = 10 * 2490 * 128  # tokens: ten epochs of RTE


@pytest.mark.parametrize(("cells", "pays"), [(1, False), (40, True)])
def test_on_a_gpu_a_grid_is_worth_it_and_a_cell_alone_is_not(cells: int, pays: bool) -> None:
    assert worth_compiling("cuda", BERT_LARGE, cells * EPOCHS) is pays


def test_the_saving_must_be_several_times_the_price() -> None:
    rate = RATES["cuda"]
    tokens = TIMES * rate.price * rate.flops / (rate.saved * FLOPS * BERT_LARGE)
    assert not worth_compiling("cuda", BERT_LARGE, int(0.99 * tokens))
    assert worth_compiling("cuda", BERT_LARGE, int(1.01 * tokens))


def test_what_is_not_known_to_pay_is_not_done() -> None:
    assert not worth_compiling("mps", BERT_LARGE, 10**15)
