"""Demonstrations: which train rows they are, how they are laid, and what is done when they do not fit."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from transformers import AutoTokenizer

from bench.data.context import demonstrations, lay_context
from bench.data.slots import Slots
from bench.data.specials import Reader, special
from bench.data.tokens import TokenStore
from bench.errors import UsageError
from bench.registry import find_suite
from bench.task import Example
from tests.data.encoder import encoder

SUPERGLUE = find_suite("superglue")
RTE, CB, COPA = (SUPERGLUE.task(name) for name in ("rte", "cb", "copa"))


@pytest.fixture(scope="module")
def tokenizer(tiny_bert: Path):
    return AutoTokenizer.from_pretrained(tiny_bert)


def rte(number: int, label: int = 0, hypothesis: str = "word3.") -> Example:
    return Example(id=str(number), texts={"premise": "word1 word2.", "hypothesis": hypothesis}, labels=(label,))


def laid(tokenizer, task, chosen, length=32, room=None, causal=False):
    return lay_context(special(tokenizer, Reader(causal=causal)), TokenStore(), task, chosen, length, room)


def words(tokenizer, ids) -> str:
    return " ".join(tokenizer.convert_ids_to_tokens(list(ids)))


def test_a_demonstration_is_the_pattern_with_the_label_word_at_the_mask(tokenizer):
    context = laid(tokenizer, RTE, [rte(0, 0), rte(1, 1)])
    text = "word1 word2 . question : word3 ? answer : {} . [SEP]"
    assert words(tokenizer, context.ids) == f"{text.format('yes')} {text.format('no')}"
    assert (context.laid, context.cut, context.dropped) == (2, 0, 0)


def test_a_demonstration_of_a_pair_has_the_separator_and_of_a_choice_the_right_candidate(tokenizer):
    pair = Example(id="0", texts={"premise": "word1.", "hypothesis": "word2."}, labels=(2,))
    assert words(tokenizer, laid(tokenizer, CB, [pair]).ids) == "word1 . [SEP] word2 ? answer : maybe [SEP]"
    choices = tuple({"choice": f"word{at} is.", "choice1": "word4", "choice2": "word5"} for at in (4, 5))
    cause = Example(id="0", texts={"premise": "It was", "connective": "because"}, choices=choices, labels=(1,))
    assert words(tokenizer, laid(tokenizer, COPA, [cause]).ids) == ("word4 or word5 ? it was because word5 is . [SEP]")


def test_a_query_comes_after_the_context_and_is_read_at_its_own_mask(tokenizer):
    context = laid(tokenizer, RTE, [rte(0, 0)])
    lay = encoder(tokenizer, RTE, "cloze", Slots(2), 32, context=context.ids)
    (row,) = lay([rte(1)])[0].rows
    assert words(tokenizer, row.ids) == (
        "[PAD] [PAD] [CLS] word1 word2 . question : word3 ? answer : yes . [SEP] "
        "word1 word2 . question : word3 ? answer : [MASK] . [SEP]"
    )
    assert (row.slots, row.read) == ([0, 1], [row.ids.index(tokenizer.mask_token_id)])
    assert len(row.types) == len(row.ids)


def test_max_length_is_that_of_the_query_alone(tokenizer):
    context = laid(tokenizer, RTE, [rte(at) for at in range(3)])
    plain, with_context = (
        encoder(tokenizer, RTE, "cloze", Slots(), 14, context=ids)([rte(9, hypothesis="word3 " * 9)])[0]
        for ids in ((), context.ids)
    )
    assert plain.cut
    assert with_context.cut
    assert with_context.rows[0].ids[-13:] == plain.rows[0].ids[1:]  # all but [CLS]


def test_where_the_next_token_is_scored_the_demonstrations_are_whole_and_the_query_ends_before_the_mask(tokenizer):
    context = laid(tokenizer, RTE, [rte(0, 1)], causal=True)
    assert words(tokenizer, context.ids) == "word1 word2 . question : word3 ? answer : no ."
    lay = encoder(tokenizer, RTE, "cloze", Slots(), 32, reader=Reader(causal=True), context=context.ids)
    (row,) = lay([rte(1)])[0].rows
    assert words(tokenizer, row.ids).endswith("answer : no . word1 word2 . question : word3 ? answer :")
    assert row.read == [len(row.ids) - 1]


def test_a_decoder_with_line_breaks_in_its_vocabulary_gets_a_blank_line(tmp_path):
    from tests.model.families import FAMILIES

    tokenizer = AutoTokenizer.from_pretrained(FAMILIES["qwen2"](tmp_path / "qwen2"))
    context = laid(tokenizer, RTE, [rte(0, 1)], causal=True)
    assert tokenizer.decode(context.ids) == "word1 word2. Question: word3? Answer: no.\n\n"


def test_classes_take_turns_and_a_seed_draws_its_own(tokenizer):
    examples = [rte(at, label=int(at >= 30)) for at in range(36)]  # 30 of one class, 6 of the other
    for count, sizes in ((4, [2, 2]), (7, [3, 4]), (20, [6, 14])):
        drawn = demonstrations(RTE, examples, count, seed=0)
        assert sorted(Counter(each.labels for each in drawn).values()) == sizes
    first, again, other = (demonstrations(RTE, examples, 6, seed=seed) for seed in (0, 0, 1))
    assert first == again != other
    assert demonstrations(RTE, examples, 4, seed=0) == first[:4]
    assert len(demonstrations(RTE, examples, 99, seed=0)) == 36


def test_a_demonstration_longer_than_a_text_may_be_is_cut_and_keeps_its_answer(tokenizer):
    context = laid(tokenizer, RTE, [rte(0, 1, hypothesis="word3 " * 30)], length=16)
    assert (context.laid, context.cut) == (1, 1)
    assert words(tokenizer, context.ids).endswith("answer : no . [SEP]")
    assert len(context.ids) <= 16


def test_those_after_the_first_that_does_not_fit_are_dropped_and_counted(tokenizer):
    short, long = rte(0), rte(1, hypothesis="word3 " * 10)
    size = len(laid(tokenizer, RTE, [short]).ids)
    context = laid(tokenizer, RTE, [short, long, short], room=2 * size)
    assert (context.laid, context.dropped) == (1, 2)
    exact = laid(tokenizer, RTE, [short, short, short], room=2 * size)
    assert (exact.laid, exact.dropped, len(exact.ids)) == (2, 1, 2 * size)


def test_when_none_fits_it_is_an_error(tokenizer):
    with pytest.raises(UsageError, match="no demonstration fits in the 5 positions beside a text; lower --max-length"):
        laid(tokenizer, RTE, [rte(0)], room=5)
