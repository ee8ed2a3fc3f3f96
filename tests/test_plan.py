"""A request becomes cells: what the suite says, what was asked, what is skipped and why."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bench.cell import TRIAL_SEED, Plan
from bench.errors import UsageError
from bench.model.source import find_model
from bench.plan.cells import plan
from bench.registry import build, find_method, find_suite
from bench.request import RunRequest


@pytest.fixture
def planned(tiny_bert: Path, fixed_superglue: Path) -> Any:
    def make(**changes: Any) -> Plan:
        fields: dict[str, Any] = {
            "suite": "superglue", "tasks": ("rte",), "methods": ("ptv2",), "models": (str(tiny_bert),), "seeds": (0,),
            "max_length": 32, "data": fixed_superglue,
        }  # fmt: skip
        return plan(RunRequest(**(fields | changes)), "fp32")

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
    cells = planned(tasks=(), methods=(), seeds=(), set=short).cells
    assert {cell.task for cell in cells} == {task.name for task in find_suite("superglue").tasks}
    assert {cell.method for cell in cells} == {"finetune", "prompt_tuning", "ptuning_v1", "ptv2"}
    assert {cell.seed for cell in cells} == {0, 1, 2}


def test_a_cell_has_every_setting_and_remembers_the_given_ones(planned: Any) -> None:
    (cell,) = planned(set={"ptv2": {"length": 7}}).cells
    assert cell.settings == build(find_method("ptv2"), {"length": 7}).model_dump(mode="json")
    assert cell.given == {"length": 7}
    assert cell.label == "ptv2 (length=7)"


def test_epochs_asked_for_take_the_place_of_steps(planned: Any) -> None:
    (cell,) = planned(epochs=2).cells
    assert (cell.budget.epochs, cell.budget.steps) == (2, None)


def test_a_number_in_text_and_a_number_are_one_setting(planned: Any) -> None:
    (as_number,) = planned(set={"ptv2": {"layers": 2}}).cells
    (as_text,) = planned(set={"ptv2": {"layers": "2"}}).cells
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
    asked = {"methods": ("prompt_tuning",), "max_length": 32}
    assert len(planned(set={"prompt_tuning": {"length": 32}}, **asked).cells) == 1
    with pytest.raises(UsageError, match="33 prompt positions"):
        planned(set={"prompt_tuning": {"length": 33}}, **asked)


def test_a_cell_names_the_commit_of_its_hub_data(tiny_bert, monkeypatch):
    monkeypatch.setattr("bench.data.hub.resolve", lambda *_, **__: "0123abcd")
    request = RunRequest(suite="superglue", tasks=("rte",), methods=("ptv2",), models=(str(tiny_bert),), max_length=32)
    cell = plan(request, "fp32").cells[0]
    assert (cell.data_revision, cell.data_path) == ("0123abcd", None)


def test_a_family_is_its_models_in_order_and_what_cannot_be_loaded_is_skipped(planned, tiny_bert, monkeypatch):
    tiny = find_model(str(tiny_bert))
    monkeypatch.setattr(
        "bench.plan.models.find_model", lambda name: replace(tiny, name=name, path=name, fingerprint=name)
    )
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
    assert planned(set=fitting).cells
    with pytest.raises(UsageError, match=r"40 prompt positions \+ 32 text tokens = 72"):
        planned(set={"ptv2": {"length": 40, "offset_positions": True}})


# --- sweeps


def swept(cells: Any, *settings: str) -> list[tuple[Any, ...]]:
    return [tuple(cell.settings[name] for name in settings) for cell in cells]


def test_sweeps_of_one_method_are_their_product_and_each_variant_a_line(planned: Any) -> None:
    cells = planned(sweep={"ptv2": {"length": (2, 8), "layers": ("1", "1-2")}}, seeds=(0, 1)).cells
    assert swept(cells, "length", "layers") == [
        values for values in ((2, "1"), (2, "1-2"), (8, "1"), (8, "1-2")) for _ in (0, 1)
    ]
    assert list(dict.fromkeys(cell.label for cell in cells)) == [
        "ptv2 (layers=1, length=2)", "ptv2 (layers=1-2, length=2)",
        "ptv2 (layers=1, length=8)", "ptv2 (layers=1-2, length=8)",
    ]  # fmt: skip


def test_a_sweep_stands_beside_what_is_set_and_leaves_other_methods_alone(planned: Any) -> None:
    cells = planned(
        methods=("ptv2", "finetune"), set={"ptv2": {"dropout": 0.0}}, sweep={"ptv2": {"length": (2, 8)}}
    ).cells
    assert [(cell.method, cell.given) for cell in cells] == [
        ("ptv2", {"dropout": 0.0, "length": 2}), ("ptv2", {"dropout": 0.0, "length": 8}), ("finetune", {}),
    ]  # fmt: skip


def test_a_swept_cell_is_the_cell_that_set_would_give(planned: Any) -> None:
    assert {cell.id for cell in planned(sweep={"ptv2": {"length": (2, 8)}}).cells} == {
        planned(set={"ptv2": {"length": length}}).cells[0].id for length in (2, 8)
    }


def test_the_same_value_twice_is_one_line(planned: Any) -> None:
    assert len(planned(sweep={"ptv2": {"length": (8, 8)}}).cells) == 1


def test_a_variant_that_cannot_serve_a_model_is_skipped_and_the_others_run(planned: Any) -> None:
    found = planned(sweep={"ptv2": {"layers": ("1-2", "2-3")}})
    assert swept(found.cells, "layers") == [("1-2",)]
    (skip,) = found.skips
    assert (skip.method, skip.reason) == (
        "ptv2 (layers=2-3)", "ptv2.layers=2-3, but model 'tiny-bert' has 2 layers"
    )  # fmt: skip


def test_heads_are_swept_and_a_task_without_a_cloze_form_skips_the_verbalizer(planned: Any) -> None:
    found = planned(sweep={"ptv2": {"head": ("linear", "verbalizer")}})
    assert swept(found.cells, "head") == [("linear",), ("verbalizer",)]
    tagging = plan(RunRequest(suite="smoke", tasks=("entities",), methods=("ptv2",), models=("tiny",), seeds=(0,),
                              sweep={"ptv2": {"head": ("linear", "verbalizer")}}), "fp32")  # fmt: skip
    assert swept(tagging.cells, "head") == [("linear",)]
    assert [skip.method for skip in tagging.skips] == ["ptv2 (head=verbalizer)"]


# --- budgets


def lengths(cells: Any) -> list[tuple[Any, ...]]:
    return [(cell.method, cell.budget.epochs, cell.budget.steps) for cell in cells]


def test_a_swept_budget_is_every_methods_and_each_value_a_cell_of_its_own(planned: Any) -> None:
    found = planned(methods=("ptv2", "finetune"), sweep={"budget": {"steps": (100, 200)}, "ptv2": {"length": (2, 8)}})
    assert lengths(found.cells) == [
        ("ptv2", 10, 100), ("ptv2", 10, 200), ("ptv2", 10, 100), ("ptv2", 10, 200),
        ("finetune", 10, 100), ("finetune", 10, 200),
    ]  # fmt: skip
    assert len({cell.id for cell in found.cells}) == 6
    assert {cell.label for cell in found.cells} == {"ptv2 (length=2)", "ptv2 (length=8)", "finetune"}
    (alone,) = planned(sweep={"budget": {"steps": (100,)}}).cells
    (plain,) = planned(steps=100).cells
    assert alone.id == plain.id


def test_swept_epochs_take_the_place_of_the_suites_steps(planned: Any) -> None:
    smoke = {"suite": "smoke", "tasks": ("sentiment",), "models": ("tiny",), "data": None, "max_length": None}
    assert lengths(planned(**smoke, sweep={"budget": {"epochs": (2, 3)}}).cells) == [
        ("ptv2", 2, None),
        ("ptv2", 3, None),
    ]


def test_several_fields_of_a_budget_are_swept_as_their_product(planned: Any) -> None:
    cells = planned(sweep={"budget": {"steps": (5, 9), "batch_size": (8, 16)}}).cells
    assert [(cell.budget.steps, cell.budget.batch_size) for cell in cells] == [(5, 8), (5, 16), (9, 8), (9, 16)]


def test_each_budget_has_trials_of_its_own_with_the_same_settings(planned: Any) -> None:
    found = planned(trials=3, sweep={"budget": {"steps": (5, 9)}})
    of = {steps: [trial for trial in found.trials if trial.budget.steps == steps] for steps in (5, 9)}
    assert [trial.settings for trial in of[5]] == [trial.settings for trial in of[9]]
    assert len({trial.id for trial in found.trials}) == 6
    assert {(cell.budget.steps, cell.tried) for cell in found.cells} == {
        (steps, tuple(trial.id for trial in trials)) for steps, trials in of.items()
    }


@pytest.mark.parametrize(
    ("sweep", "budget", "said"),
    [
        ({"epoch": (1, 2)}, {}, "unknown field of the budget to sweep 'epoch'; did you mean 'epochs'"),
        ({"max_length": (64, 128)}, {}, "unknown field of the budget to sweep 'max_length'"),
        ({"steps": (1, 2)}, {"steps": 3}, "the budget's steps are given by --steps and by --sweep"),
        ({"epochs": (1, 2)}, {"steps": 3}, "steps go before epochs"),
        ({"epochs": (1, 2), "steps": (5, 9)}, {}, "steps go before epochs"),
        ({"steps": (5, 0)}, {}, "budget.steps=0 is not possible: Input should be greater than or equal to 1"),
        ({"steps": ("many",)}, {}, "budget.steps='many' is not possible"),
        ({"steps": (True,)}, {}, "budget.steps=True is not possible: it is no switch"),
    ],
)
def test_a_budget_that_cannot_be_swept_is_refused(planned: Any, sweep: Any, budget: Any, said: str) -> None:
    with pytest.raises(UsageError) as error:
        planned(sweep={"budget": sweep}, **budget)
    assert said in str(error.value)


# --- trials


def test_cells_that_wait_for_trials_have_the_first_setting_and_name_the_trials(planned: Any) -> None:
    found = planned(trials=3, seeds=(0, 1), set={"ptv2": {"dropout": 0.0}})
    assert [trial.settings["dropout"] for trial in found.trials] == [0.0] * 3
    assert {(trial.stage, trial.seed, trial.trials) for trial in found.trials} == {("trial", TRIAL_SEED, 0)}
    assert {cell.tried for cell in found.cells} == {tuple(trial.id for trial in found.trials)}
    assert [(cell.stage, cell.seed, cell.trials, cell.drawn) for cell in found.cells] == [
        ("score", 0, 3, {}), ("score", 1, 3, {}),
    ]  # fmt: skip
    assert {tuple(trial.drawn) for trial in found.trials} == {("learning_rate", "length")}
    (plain,) = planned(set={"ptv2": {"dropout": 0.0}}).cells
    assert found.trials[0].settings == found.cells[0].settings == plain.settings


def test_a_drawn_setting_that_does_not_fit_is_left_out_with_the_reason(
    planned: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    suite = find_suite("superglue").model_copy(update={"settings": {"prompt_tuning": {"length": 20}}})
    monkeypatch.setattr("bench.plan.cells.find_suite", lambda _: suite)
    found = planned(methods=("prompt_tuning",), trials=36)
    assert {trial.settings["length"] for trial in found.trials} == {20}
    assert (len(found.trials), len(found.skips), found.cells[0].trials) == (12, 24, 36)
    assert {skip.reason.partition(";")[0] for skip in found.skips} == {
        f"prompt_tuning on rte: {length} prompt positions + 32 text tokens = {length + 32}, "
        "but model 'tiny-bert' has 64 positions" for length in (50, 100)
    }  # fmt: skip
    assert "prompt_tuning as learning_rate=0.1, length=100, init=vocab" in {skip.method for skip in found.skips}


def test_a_first_setting_beyond_the_positions_is_refused_as_without_trials(planned: Any) -> None:
    with pytest.raises(UsageError, match="100 prompt positions"):
        planned(methods=("prompt_tuning",), trials=3)


def test_a_space_that_holds_too_little_is_noted(planned: Any) -> None:
    found = planned(trials=12, sweep={"ptv2": {"length": (4, 8)}})
    assert found.notes == tuple(
        f"ptv2 (length={length}): its space holds 4 of the 12 settings that were asked for" for length in (4, 8)
    )
    assert {cell.trials for cell in found.cells} == {4}


def test_a_trial_is_the_same_cell_however_many_there_are_and_whoever_asks(planned: Any) -> None:
    few, many = planned(trials=2), planned(trials=5, seeds=(7, 8), methods=("finetune", "ptv2"))
    assert {trial.id for trial in few.trials} < {trial.id for trial in many.trials}


def test_trials_come_in_another_order_on_another_task_or_model(
    planned: Any, tiny_bert: Path, tiny_encoder: Path
) -> None:
    found = planned(
        methods=("finetune",), trials=5, tasks=("rte", "cb", "boolq"), models=(str(tiny_bert), str(tiny_encoder))
    )
    orders: dict[tuple[str, str], list[float]] = {}
    for trial in found.trials:
        orders.setdefault((trial.model, trial.task), []).append(trial.settings["learning_rate"])
    assert {tuple(sorted(order)) for order in orders.values()} == {(1e-5, 2e-5, 5e-5, 1e-4, 3e-4)}
    assert {order[0] for order in orders.values()} == {2e-5}
    assert len(set(map(tuple, orders.values()))) >= 4


def test_settings_that_do_not_fit_a_model_give_their_trial_to_others(
    planned: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    suite = find_suite("superglue").model_copy(update={"settings": {"prompt_tuning": {"length": 20}}})
    monkeypatch.setattr("bench.plan.cells.find_suite", lambda _: suite)
    found = planned(methods=("prompt_tuning",), trials=4)
    assert (len(found.trials), found.skips) == (4, ())
    assert sorted(trial.settings["learning_rate"] for trial in found.trials) == [0.01, 0.03, 0.1, 0.3]
    assert {trial.settings["length"] for trial in found.trials} == {20}
