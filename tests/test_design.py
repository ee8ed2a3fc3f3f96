"""Which settings a method's trials have: balanced at every number of them, other ones first on each model and task."""

from __future__ import annotations

import random
from collections import Counter
from itertools import product
from typing import Any, ClassVar

import pytest

from bench.errors import UsageError
from bench.plan.design import draw
from bench.registry import methods
from bench.tuning import Method

PLACES = [(f"weights-{number}", task) for number in range(3) for task in ("rte", "boolq", "squad1")]


class Spaced(Method):
    name: ClassVar[str] = "spaced"
    space: ClassVar[dict[str, tuple[Any, ...]]] = {
        "clip": (1.0, 2.0), "learning_rate": (1e-3, 1e-2, 1e-1), "warmup": (0.0, 0.1),
    }  # fmt: skip


def settings_of(found: list[Method]) -> list[tuple[Any, ...]]:
    return [tuple(getattr(method, name) for name in type(method).space) for method in found]


def tried(found: list[Method], name: str) -> list[int]:
    """How often each value of a setting's space was tried."""
    counts = Counter(getattr(method, name) for method in found)
    return [counts[value] for value in type(found[0]).space[name]]


@pytest.mark.parametrize("name", sorted(methods()))
@pytest.mark.parametrize("place", PLACES, ids="-".join)
def test_every_value_of_every_setting_is_tried_equally_often_wherever_trials_end(
    name: str, place: tuple[str, str]
) -> None:
    kind = methods()[name]
    whole = draw(kind, {}, (), 99, place)
    for number in range(1, len(whole) + 1):
        for setting in kind.space:
            times = tried(whole[:number], setting)
            assert max(times) - min(times) <= 1, (number, setting, times)
    assert len(whole) == len({*map(str, whole)}) == len(list(product(*kind.space.values())))


@pytest.mark.parametrize("name", sorted(methods()))
@pytest.mark.parametrize("number", range(1, 9))
def test_fewer_settings_are_the_first_of_more_and_the_first_is_the_one_without_trials(name: str, number: int) -> None:
    kind = methods()[name]
    found = draw(kind, {}, (), number, PLACES[0])
    assert found == draw(kind, {}, (), 8, PLACES[0])[:number]
    assert found[0] == kind()


@pytest.mark.parametrize("name", ["finetune", "ptv2", "prompt_tuning", "ptuning_v1"])
def test_the_order_is_another_on_other_models_and_tasks_and_always_the_same_on_one(name: str) -> None:
    kind = methods()[name]
    orders = [settings_of(draw(kind, {}, (), 4, place)) for place in PLACES]
    assert len(set(map(str, orders))) > len(PLACES) / 2
    assert orders == [settings_of(draw(kind, {}, (), 4, place)) for place in PLACES]


def test_no_values_turn_comes_systematically_early() -> None:
    """Over many models and tasks each rate but the default is the second one tried about equally often."""
    kind = methods()["finetune"]
    second = Counter(draw(kind, {}, (), 2, (f"weights-{number}", "rte"))[1].learning_rate for number in range(400))
    assert set(second) == set(kind.space["learning_rate"]) - {kind().learning_rate}
    assert min(second.values()) > 70  # 100 expected, 4 standard deviations are 35


def test_no_methods_space_has_a_setting_that_hardly_matters() -> None:
    assert [name for name, kind in methods().items() if "warmup" in kind.space] == []


def test_what_is_drawn_stays_what_it_is() -> None:
    """The rule is part of what `--trials` means: a change makes other choices."""
    assert settings_of(draw(Spaced, {}, (), 5, ("weights", "rte"))) == [
        (1.0, 1e-3, 0.0), (2.0, 1e-1, 0.1), (1.0, 1e-2, 0.0), (2.0, 1e-3, 0.1), (1.0, 1e-1, 0.0),
    ]  # fmt: skip


def test_a_first_setting_outside_the_space_counts_for_what_it_shares_with_it() -> None:
    found = draw(Spaced, {"learning_rate": 0.5}, (), 99)
    assert (len(found), settings_of(found)[0]) == (13, (1.0, 0.5, 0.0))
    for number in range(1, 14):
        assert max(tried(found[:number], "learning_rate")) - min(tried(found[:number], "learning_rate")) <= 1
    assert tried(found[:4], "learning_rate") == [1, 1, 1]
    assert tried(found[:4], "warmup") == tried(found[:4], "clip") == [2, 2]


def test_fixed_settings_are_not_drawn_over() -> None:
    found = draw(Spaced, {"warmup": 0.3}, ("warmup",), 99)
    assert (len(found), {method.warmup for method in found}) == (6, {0.3})


@pytest.mark.parametrize("seed", range(20))
def test_what_does_not_serve_is_passed_over_and_no_rate_is_repeated_while_a_fresher_one_is_left(seed: int) -> None:
    chance = random.Random(seed)
    space = list(product(*Spaced.space.values()))
    good = {space[0], *chance.sample(space, 6)}
    serves = lambda method: method if settings_of([method])[0] in good else None  # noqa: E731
    found = settings_of(draw(Spaced, {}, (), 99, (str(seed),), serves))
    assert (set(found), len(found)) == (good, len(good))
    for number in range(1, len(found)):
        rates = Counter(rate for _, rate, _ in found[:number])
        left = {rate for _, rate, _ in good - set(found[:number])}
        assert rates[found[number][1]] == min(rates[rate] for rate in left)


def test_combinations_that_a_rule_forbids_are_passed_over() -> None:
    kind = methods()["prompt_tuning"]
    found = draw(kind, {"init": "text", "init_text": "yes"}, ("init", "init_text"), 99)
    assert {getattr(method, "init") for method in found} == {"text"}  # noqa: B009
    assert len(draw(kind, {"init_text": "yes", "init": "text"}, (), 99)) == 1  # another init clashes with the text


def test_what_fit_makes_of_two_settings_alike_is_tried_once() -> None:
    plain = lambda method: method.model_copy(update={"clip": 1.0})  # noqa: E731
    assert len(draw(Spaced, {}, (), 99, (), plain)) == 6


def test_a_space_with_an_unknown_setting_is_an_error() -> None:
    class Misspelt(Spaced):
        space: ClassVar[dict[str, tuple[Any, ...]]] = {"learning_rat": (1, 2)}

    with pytest.raises(UsageError, match="unknown setting in the space of spaced 'learning_rat'; did you mean"):
        draw(Misspelt, {}, (), 2)
