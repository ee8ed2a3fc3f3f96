"""Ids are the same on any machine and Python: literal ones, made by a formula that is written out a second time here.

A change of these numbers makes every results folder's cells new ones; it must go along with `RESULTS_VERSION`.
"""

from __future__ import annotations

from typing import Any

import pytest

from bench.cell import Budget, Cell, JointTask

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
    "composed": {"task": "caf\u00e9"},
    "decomposed": {"task": "cafe\u0301"},
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
IDS: dict[str, str] = {}
SEEDS: dict[tuple[object, ...], int] = {}


def made(name: str) -> Cell:
    return Cell(**BASE | CHANGES[name])


@pytest.mark.parametrize("name", CHANGES)
def test_the_id_of_a_cell_is_this_one(name: str) -> None:
    assert made(name).id == IDS[name]
