"""The slice held out of train."""

from __future__ import annotations

from collections import Counter

import pytest

from bench.data.content import EQUAL, with_equal_texts_grouped
from bench.data.split import first_rows, held_out
from bench.errors import UsageError
from bench.registry import find_suite
from bench.task import Example

RTE = find_suite("superglue").task("rte")


def rows(count: int, label=lambda at: at % 2, group=lambda at: None) -> list[Example]:
    return [Example(id=str(at), labels=(label(at),), group=group(at)) for at in range(count)]


def test_a_tenth_is_held_out_with_each_labels_share():
    train, selection = held_out(RTE, rows(500, label=lambda at: int(at % 5 == 0)))
    assert Counter(example.labels[0] for example in selection) == {0: 40, 1: 10}
    assert len(train) == 450
    assert not {example.id for example in train} & {example.id for example in selection}


def test_at_most_a_thousand_are_held_out():
    assert len(held_out(RTE, rows(30_000))[1]) == 1000


def test_groups_stay_whole():
    train, selection = held_out(RTE, rows(400, group=lambda at: f"passage{at // 8}"))
    assert not {example.group for example in train} & {example.group for example in selection}
    assert 32 <= len(selection) <= 48


def test_the_slice_is_fixed_per_task_and_differs_between_tasks():
    again = [held_out(RTE, rows(300))[1] for _ in range(2)]
    other = held_out(RTE.model_copy(update={"name": "other"}), rows(300))[1]
    assert again[0] == again[1]
    assert again[0] != other


def test_first_rows_is_a_fixed_sample_in_the_sources_order():
    sample = first_rows(RTE, rows(100), 10, "train")
    assert sample == first_rows(RTE, rows(100), 10, "train")
    assert [int(example.id) for example in sample] == sorted(int(example.id) for example in sample)
    assert [int(example.id) for example in sample] != list(range(10))


# --- groups, their parts, and equal texts


def said(text: str, at: int, **fields) -> Example:
    return Example(id=str(at), texts={"text": text}, labels=(0,), **fields)


def test_equal_texts_without_a_group_stay_together_spaces_and_capitals_aside():
    texts = [f"text {at // 2}" if at % 2 else f"Text  {at // 2} " for at in range(200)]
    grouped = with_equal_texts_grouped([said(text, at) for at, text in enumerate(texts)])
    assert [example.group for example in grouped[:4]] == [f"{EQUAL}0", f"{EQUAL}0", f"{EQUAL}2", f"{EQUAL}2"]
    train, selection = held_out(RTE, grouped)
    assert len(selection) == 20
    assert not {example.group for example in train} & {example.group for example in selection}


def test_a_text_that_stands_once_has_no_group_and_empty_ones_are_not_alike():
    rows = [said("a", 0), said("b", 1), said(" ", 2), said("", 3)]
    assert with_equal_texts_grouped(rows) == rows


def test_a_row_joins_the_group_of_one_that_says_the_same_and_declared_groups_stay_apart():
    rows = [said("a", 0), said("a", 1, group="x"), said("a", 2, group="y"), said("a", 3)]
    assert [example.group for example in with_equal_texts_grouped(rows)] == ["x", "x", "y", "x"]


def test_whole_content_counts_candidates_and_words_too():
    def choice(at: int, *candidates: str) -> Example:
        return Example(id=str(at), texts={"q": "a"}, choices=tuple({"choice": one} for one in candidates), labels=(0,))

    rows = [choice(0, "b", "c"), choice(1, "b", "d"), choice(2, "b", "c")]
    assert [example.group for example in with_equal_texts_grouped(rows)] == [f"{EQUAL}0", None, f"{EQUAL}0"]
    tagged = [Example(id=str(at), words=words, labels=(0,) * 2) for at, words in enumerate([("a", "b"), ("A", "b")])]
    assert [example.group for example in with_equal_texts_grouped(tagged)] == [f"{EQUAL}0"] * 2


def test_what_also_stands_in_train_is_not_selected_on_and_train_keeps_it():
    rows = [said("Thanks." if at % 4 == 0 else f"text {at}", at, group=f"document{at // 4}") for at in range(400)]
    train, selection = held_out(RTE, rows)
    assert not {example.group for example in train} & {example.group for example in selection}
    assert (len(train), len(selection)) == (360, 30)
    assert not {example.texts["text"] for example in train} & {example.texts["text"] for example in selection}


def test_rows_of_which_each_says_what_another_group_says_cannot_be_held_out():
    rows = [said("Thanks.", at, group=str(at)) for at in range(20)]
    with pytest.raises(UsageError, match="the 2 of 20 train rows that could be held out say what others of them say"):
        held_out(RTE, rows)


def parts(groups: int, parts_each: int, rows_each: int) -> list[Example]:
    return [
        said(f"{group} {part} {at}", at, group=f"g{group}", part=f"g{group} p{part}")
        for group in range(groups) for part in range(parts_each) for at in range(rows_each)
    ]  # fmt: skip


def test_groups_are_held_out_whole_and_not_their_parts_where_there_are_enough():
    train, selection = held_out(RTE, parts(20, 5, 2))
    assert len(selection) == 20
    assert not {example.group for example in train} & {example.group for example in selection}


def test_groups_larger_than_the_slice_are_divided_into_their_parts():
    train, selection = held_out(RTE, parts(4, 25, 2))
    assert len(selection) == 20
    assert not {example.part for example in train} & {example.part for example in selection}
    assert {example.group for example in train} & {example.group for example in selection}


def test_a_group_of_most_rows_is_not_the_one_held_out():
    rows = [said(str(at), at, group="most" if at < 900 else str(at // 4)) for at in range(1000)]
    train, selection = held_out(RTE, rows)
    assert 48 <= len(selection) <= 52  # half of the rows of other groups
    assert {example.group for example in train} > {"most"}


def test_of_two_large_groups_the_smaller_is_held_out():
    train, selection = held_out(RTE, [said(str(at), at, group="ab"[at < 20]) for at in range(50)])
    assert ({example.group for example in train}, {example.group for example in selection}) == ({"a"}, {"b"})


def test_rows_that_all_say_the_same_are_held_out_with_a_warning():
    with pytest.warns(UserWarning, match="task 'rte': all 40 train rows have the same texts; so do those held out"):
        train, selection = held_out(RTE, with_equal_texts_grouped([said("a", at) for at in range(40)]))
    assert (len(train), len(selection)) == (36, 4)


NOTHING = {
    "one row": (RTE, [said("a", 0)], "1 train row; give it more"),
    "one passage": (
        RTE.model_copy(update={"clusters": "passage"}), [said(str(at), at, group="p1") for at in range(40)],
        "40 train rows: all are of one passage ('p1'), which stays together; give it rows of others",
    ),
    "one group of which the task has no word": (
        RTE.model_copy(update={"clusters": ""}), [said(str(at), at, group="p1") for at in range(40)],
        "40 train rows: all are of one group ('p1'), which stays together; give it rows of others",
    ),
    "one part": (
        find_suite("qa").task("squad1"), [said(str(at), at, group="Ulm", part="p1") for at in range(40)],
        "40 train rows: all are of one article ('Ulm') and one passage of it, which stays together; give it rows of "
        "others",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("task", "rows", "message"), NOTHING.values(), ids=NOTHING)
def test_why_nothing_can_be_held_out_is_named(task, rows, message):
    with pytest.raises(UsageError) as error:
        held_out(task, rows)
    assert str(error.value) == f"task {task.name!r}: nothing can be held out of {message}"
