"""What every method inherits by being registered: the rules of `bench check`, with every head it can be asked for."""

from __future__ import annotations

import pytest

from bench.check.finding import Skipped, in_words
from bench.check.methods import CHECKS, settings_are_possible
from bench.check.rig import Rig
from bench.registry import methods
from tests.conftest import Workshop

CASES = [  # the rules of a method one after another: they ask about one training
    pytest.param(method, head, rule, id=f"{method}, {head}: {in_words(rule)}")
    for method in methods()
    for head in ("linear", "verbalizer")
    for rule in CHECKS
]


@pytest.fixture(scope="module")
def rig(workshop: Workshop) -> Rig:
    return workshop.rig()


@pytest.mark.parametrize(("method", "head", "rule"), CASES)
def test_a_method_keeps_the_rules(rig, method, head, rule):
    try:
        rule(rig, method, "rte", head)
    except Skipped as reason:
        pytest.skip(str(reason))


@pytest.mark.parametrize("method", list(methods()))
def test_its_settings_are_possible_and_it_has_a_space(method):
    assert settings_are_possible(method) == "", "every method here declares what --trials may draw"


@pytest.mark.parametrize("method", list(methods()))
def test_its_docstrings_name_a_source(method):
    module = __import__(methods()[method].__module__, fromlist=["__doc__"])
    assert "arXiv:" in module.__doc__
    assert methods()[method].__doc__
