"""A grid becomes cells: what the suite says, what was asked, what is skipped and why."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bench.errors import UsageError
from bench.model.source import find_model
from bench.plan import Grid, plan
from bench.registry import build, find_method, find_suite
from bench.spec import Plan


@pytest.fixture
def planned(tiny_bert: Path, fixed_superglue: Path) -> Any:
    def make(**changes: Any) -> Plan:
        fields: dict[str, Any] = {
            "suite": "superglue", "tasks": ("rte",), "methods": ("ptv2",), "models": (str(tiny_bert),), "seeds": (0,),
            "budget": {"max_length": 32}, "data": fixed_superglue,
        }  # fmt: skip
        return plan(Grid(**(fields | changes)))

    return make


def test_every_combination_is_one_cell(planned: Any) -> None:
    cells = planned(tasks=("rte", "cb"), methods=("ptv2", "finetune"), seeds=(11, 44)).cells
    assert [(cell.task, cell.method, cell.seed) for cell in cells] == [
        (task, method, seed) for task in ("rte", "cb") for method in ("ptv2", "finetune") for seed in (11, 44)
    ]
    assert len({cell.id for cell in cells}) == 8


def test_the_same_twice_is_one_cell(planned: Any) -> None:
    assert len(planned(seeds=(0, 0), tasks=("rte", "rte"), methods=("ptv2", "ptv2")).cells) == 1


def test_what_is_not_asked_for_is_the_suites(planned: Any) -> None:
    short = {"prompt_tuning": {"length": 5}}
    cells = planned(tasks=(), methods=(), seeds=(), settings=short).cells
    assert {cell.task for cell in cells} == {task.name for task in find_suite("superglue").tasks}
    assert {cell.method for cell in cells} == {"finetune", "prompt_tuning", "ptuning_v1", "ptv2"}
    assert {cell.seed for cell in cells} == {0, 1, 2}


def test_a_cell_has_every_setting_and_remembers_the_given_ones(planned: Any) -> None:
    (cell,) = planned(settings={"ptv2": {"length": 7}}).cells
    assert cell.settings == build(find_method("ptv2"), {"length": 7}).model_dump(mode="json")
    assert cell.given == {"length": 7}
    assert cell.label == "ptv2 (length=7)"


def test_epochs_asked_for_take_the_place_of_steps(planned: Any) -> None:
    (cell,) = planned(budget={"max_length": 32, "epochs": 2}).cells
    assert (cell.budget.epochs, cell.budget.steps) == (2, None)


def test_a_number_in_text_and_a_number_are_one_setting(planned: Any) -> None:
    (as_number,) = planned(settings={"ptv2": {"layers": 2}}).cells
    (as_text,) = planned(settings={"ptv2": {"layers": "2"}}).cells
    assert as_number.settings["layers"] == "2"
    assert as_number.id == as_text.id


@pytest.mark.parametrize("name", ["finetune", "prompt_tuning", "ptuning_v1", "ptv2"])
@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("learning_rate", 0), ("learning_rate", -1.0), ("learning_rate", float("inf")), ("weight_decay", -0.1),
        ("warmup", 1.0), ("warmup", -0.1), ("dropout", 1.0), ("clip", 0), ("optimizer", "sgd"), ("schedule", "cosine"),
    ],
)  # fmt: skip
def test_every_method_checks_the_settings_all_methods_have(name: str, setting: str, value: object) -> None:
    with pytest.raises(UsageError, match=f"^{name}.{setting}="):
        build(find_method(name), {setting: value})


def test_a_combination_that_cannot_be_is_skipped_with_its_reason(
    planned: Any, tiny_bert: Path, tiny_encoder: Path
) -> None:
    found = planned(models=(str(tiny_bert), str(tiny_encoder)), methods=("ptv2", "ptuning_v1"))
    assert [(cell.model, cell.method) for cell in found.cells] == [
        ("tiny-bert", "ptv2"), ("tiny-bert", "ptuning_v1"), ("tiny-encoder", "ptv2"),
    ]  # fmt: skip
    (skip,) = found.skips
    assert (skip.task, skip.model, skip.method) == ("rte", "tiny-encoder", "ptuning_v1")
    assert skip.reason == "model 'tiny-encoder' has no language-model head for a verbalizer"


def test_slots_and_text_may_fill_the_positions_exactly(planned: Any) -> None:
    asked = {"methods": ("prompt_tuning",), "budget": {"max_length": 32}}
    assert len(planned(settings={"prompt_tuning": {"length": 32}}, **asked).cells) == 1
    with pytest.raises(UsageError, match="33 prompt positions"):
        planned(settings={"prompt_tuning": {"length": 33}}, **asked)


def test_a_cell_names_the_commit_of_its_hub_data(tiny_bert, monkeypatch):
    monkeypatch.setattr("bench.data.hub.resolve", lambda *_, **__: "0123abcd")
    (cell,) = plan(Grid(suite="superglue", tasks=("rte",), methods=("ptv2",), models=(str(tiny_bert),), seeds=(0,),
                        budget={"max_length": 32})).cells  # fmt: skip
    assert (cell.data_revision, cell.data_path) == ("0123abcd", None)


def test_a_family_is_its_models_in_order_and_what_cannot_be_loaded_is_skipped(planned, tiny_bert, monkeypatch):
    tiny = find_model(str(tiny_bert))
    monkeypatch.setattr("bench.plan.find_model", lambda name: replace(tiny, name=name, path=name, fingerprint=name))
    found = planned(models=("paper", "roberta-large", "pythia:14m..31m"))
    assert [cell.model for cell in found.cells] == [
        "bert-large-cased", "roberta-large", "EleutherAI/pythia-14m", "EleutherAI/pythia-31m",
    ]  # fmt: skip
    assert [(skip.model, skip.method, skip.task) for skip in found.skips] == [
        (name, "every method", "every task") for name in ("THUDM/glm-2b", "THUDM/glm-10b")
    ]
    assert "needs code of its own" in found.skips[0].reason


def test_a_prefix_that_moves_the_text_counts_towards_the_positions(planned):
    fitting = {"ptv2": {"length": 40}}
    assert planned(settings=fitting).cells
    with pytest.raises(UsageError, match=r"40 prompt positions \+ 32 text tokens = 72"):
        planned(settings={"ptv2": {"length": 40, "offset_positions": True}})
