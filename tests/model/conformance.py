"""The rules of methods on a family's checkpoint, in one: for the test, and for the table of methods × families."""

from __future__ import annotations

from bench.check.methods import is_stored_whole, repeats_to_the_bit, trains_what_it_should
from bench.check.rig import Rig
from bench.model.needs import HeadKind

RULES = (trains_what_it_should, repeats_to_the_bit, is_stored_whole)  # in company: tests/train/test_company.py


def check(rig: Rig, method: str, head: HeadKind) -> None:
    """Hold a method to the rules on RTE. Broken names the rule; Skipped has the plan's reason for leaving it out."""
    for rule in RULES:
        rule(rig, method, "rte", head)
