"""The slice held out of train."""

from __future__ import annotations

from collections import Counter

from bench.data.split import first_rows, held_out
from bench.registry import find_suite
from bench.spec import Example

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
