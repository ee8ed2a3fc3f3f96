"""Ids are the same on any machine and Python: literal ones, made by a formula that is written out a second time here.

A change of these numbers makes every results folder's cells new ones; it must go along with `RESULTS_VERSION`.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import subprocess
import sys
from typing import Any

import pytest

from bench.cell import Budget, Cell, JointTask
from bench.seeds import derive
from bench.tuning import Method

BASE: dict[str, Any] = {
    "suite": "s", "task": "rte", "task_version": 1, "data_fingerprint": "d", "model": "m", "model_fingerprint": "f",
    "method": "ptv2", "settings": {"learning_rate": 0.005, "length": 20}, "seed": 0, "budget": Budget(),
    "protocol": "holdout", "precision": "fp32", "results_version": 5,
}  # fmt: skip
CHANGES: dict[str, dict[str, Any]] = {
    "plain": {},
    "small float": {"settings": {"learning_rate": 1e-05}},
    "smaller float": {"settings": {"learning_rate": 1e-07, "decay": 5e-324}},
    "large float": {"settings": {"learning_rate": 1e22, "other": 123456789012345680.0}},
    "whole float": {"settings": {"alpha": 16.0}},
    "whole number": {"settings": {"alpha": 16}},
    "third": {"settings": {"rate": 1 / 3, "sum": 0.1 + 0.2}},
    "minus nothing": {"settings": {"rate": -0.0}},
    "big number": {"settings": {"length": 2**70}},
    "truth and nothing": {"settings": {"tune": True, "hidden": None}},
    "lists": {"settings": {"layers": [0, 1, 11], "config": {"peft_type": "LORA", "r": 8}}},
    "order of settings": {"settings": {"length": 20, "learning_rate": 0.005}},
    "letters": {"task": "Überprüfung", "settings": {"init_text": "naïve – 文字 🙂"}},
    "marks": {"settings": {"init_text": 'a "quoted" \\ line\n\ttab\x7f\u2028'}},
    "composed": {"task": "\u00e9"},
    "decomposed": {"task": "e\u0301"},
    "seed below nothing": {"seed": -1},
    "large seed": {"seed": 2**63},
    "streams": {"streams": {"order": 3, "init": 0}},
    "streams in another order": {"streams": {"init": 0, "order": 3}},
    "trial": {"stage": "trial", "seed": 990017},
    "chosen": {"trials": 4},
    "steps": {"budget": Budget(steps=7, batch_size=8, train_rows=40, backbone_dropout=True)},
    "bf16": {"precision": "bf16", "protocol": "paper"},
    "joint": {"joint": (JointTask(task="cb", task_version=2, data_fingerprint="e", max_length=64),)},
    "places": {"suite": "t", "model": "n", "model_path": "x/y", "data_path": "z", "given": {"a": 1}},
}
IDS = {
    "plain": "0e647cd2612a678b",
    "small float": "9a2c83679ecffc66",
    "smaller float": "643cd3184b81c3bc",
    "large float": "68415fc0ea55a114",
    "whole float": "8e36bad2b7467f4a",
    "whole number": "41a1da9a4d8c146f",
    "third": "4a64a76db4ab3495",
    "minus nothing": "be2420e3e14835c6",
    "big number": "d1aef131bdb59484",
    "truth and nothing": "c87ff1778b078473",
    "lists": "7ec91c69bdd96376",
    "order of settings": "0e647cd2612a678b",
    "letters": "fcac71342bcf8b72",
    "marks": "9a1a01fc7de0084e",
    "composed": "2d28599463decc47",
    "decomposed": "90902d093388f915",
    "seed below nothing": "6d1eab5ff9ad4412",
    "large seed": "278f58b0df3567d6",
    "streams": "6c0094096a97e66b",
    "streams in another order": "6c0094096a97e66b",
    "trial": "67dc39a7547aeec7",
    "chosen": "c7bb4e86fc17db9d",
    "steps": "3ddcbebf45f38e97",
    "bf16": "76e454ba98a406d7",
    "joint": "7e848a3a895dd96b",
    "places": "0e647cd2612a678b",
}
SEEDS = {
    ("init", 0, "head"): 6054895803587900975,
    ("order", 3, "rte"): 6129888255782099856,
    ("order", 0, "Überprüfung"): 4582697233408965246,
    ("dropout", 0, "rte", 17): 6911448683369426624,
    ("split", "rte"): 1377420683443751427,
}


def made(name: str) -> Cell:
    return Cell(**BASE | CHANGES[name])


def shortest(number: float) -> str:
    """The fewest digits that read back as the number; with an exponent below 1e-4 and from 1e16 on."""
    sign, size = "-" if math.copysign(1, number) < 0 else "", abs(number)
    written = next(text for text in (f"{size:.{places}e}" for places in range(17)) if float(text) == size)
    digits, exponent = written.replace(".", "").split("e")[0].rstrip("0") or "0", int(written.split("e")[1])
    if not -4 <= exponent < 16:
        fraction = f".{digits[1:]}" if digits[1:] else ""
        return f"{sign}{digits[0]}{fraction}e{'-' if exponent < 0 else '+'}{abs(exponent):02}"
    digits = "0" * -exponent + digits.ljust(exponent + 1, "0")
    whole = max(exponent, 0) + 1
    return f"{sign}{digits[:whole]}.{digits[whole:] or '0'}"


def quoted(text: str) -> str:
    """Between marks; what is not printable ASCII by its UTF-16 units."""
    short = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t", "\b": "\\b", "\f": "\\f"}
    parts = []
    for letter in text:
        units = letter.encode("utf-16-be").hex()
        wide = "".join(f"\\u{units[at : at + 4]}" for at in range(0, len(units), 4))
        parts.append(short.get(letter, letter if " " <= letter <= "~" else wide))
    return f'"{"".join(parts)}"'


def canonical(value: Any) -> str:
    """JSON without spaces, names in the order of their code points."""
    if isinstance(value, dict):
        return "{" + ",".join(f"{quoted(name)}:{canonical(value[name])}" for name in sorted(value)) + "}"
    if isinstance(value, list | tuple):
        return "[" + ",".join(map(canonical, value)) + "]"
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, str):
        return quoted(value)
    return shortest(value) if isinstance(value, float) else str(value)


def of_rule(name: str) -> str:
    """The id by results/README.md: what a number depends on, and no names or places."""
    values: dict[str, Any] = {"stage": "score", "trials": 0, "streams": {}} | BASE | CHANGES[name]
    values["budget"] = vars(values["budget"])
    values |= {"joint": [vars(task) for task in values["joint"]]} if "joint" in values else {}
    for left_out in ("suite", "model", "model_path", "data_path", "given"):
        values.pop(left_out, None)
    return hashlib.sha256(canonical(values).encode("ascii")).hexdigest()[:16]


@pytest.mark.parametrize("name", CHANGES)
def test_the_id_of_a_cell_is_this_one(name: str) -> None:
    assert made(name).id == IDS[name] == of_rule(name)


def test_seeds_of_random_streams_are_these() -> None:
    assert {parts: derive(*parts) for parts in SEEDS} == SEEDS


def test_an_id_is_read_back_from_a_record() -> None:
    for name in CHANGES:
        assert Cell.model_validate_json(made(name).model_dump_json()).id == IDS[name], name


ASKED = """
import decimal, json, locale, sys
try:
    locale.setlocale(locale.LC_ALL, "")
except locale.Error:
    pass
decimal.getcontext().prec = 3
from tests.test_cell_ids import CHANGES, made
json.dump({name: made(name).id for name in reversed(CHANGES)}, sys.stdout)
"""


@pytest.mark.parametrize(
    "world",
    [{"PYTHONHASHSEED": "1", "LC_ALL": "C", "PYTHONUTF8": "0"}, {"PYTHONHASHSEED": "2", "LC_ALL": "de_DE.UTF-8"}],
    ids=["plain", "german"],
)
def test_another_process_has_the_same_ids(world: dict[str, str]) -> None:
    answered = subprocess.run(
        [sys.executable, "-c", ASKED], env={**os.environ, **world}, capture_output=True, check=True
    )
    assert json.loads(answered.stdout) == IDS


def test_a_set_among_settings_has_one_order_in_every_process() -> None:
    """Its own is another one in each."""

    class Chosen(Method):
        words: frozenset[str] = frozenset("to be or not that is the question whether nobler in mind".split())
        layers: frozenset[int] = frozenset({70, 3, 11, 0})

        def attach(self, backbone: Any, task: Any) -> Any: ...

    dumped = Chosen().model_dump(mode="json")
    assert dumped["words"] == "be in is mind nobler not or question that the to whether".split()
    assert dumped["layers"] == [0, 11, 3, 70]  # as text
    assert Chosen(**dumped) == Chosen()
