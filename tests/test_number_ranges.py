"""A number that nothing can be calculated with is refused where it is given: of every setting, budget and flag."""

from __future__ import annotations

import json
import typing
from pathlib import Path
from typing import Any

import pytest

from bench.bounds import LARGEST, MOST, MOST_SEED, SMALLEST, in_range
from bench.cell import Budget
from bench.errors import UsageError
from bench.fields import Request
from bench.own.task_file import TaskFile
from bench.registry import build, methods
from bench.request import CheckRequest, PredictRequest, ReportRequest, RunRequest

BEYOND = (1e39, -1e39, 1e-39, 5e-324, 1.7e308, 1e999, -1e999, float("nan"), 10**400)  # single precision
UNCOUNTED = (2**31, 2**64, -(2**63), 10**5000)  # of whole numbers alone
REQUESTS: tuple[type[Request], ...] = (RunRequest, CheckRequest, PredictRequest, ReportRequest, TaskFile)


def _is_number(annotation: Any) -> bool:
    return bool({int, float} & {annotation, *typing.get_args(annotation)})


def _beyond(annotation: Any) -> tuple[Any, ...]:
    return BEYOND + (UNCOUNTED if int in (annotation, *typing.get_args(annotation)) else ())


SETTINGS = [(kind, name) for kind in methods().values() for name, field in kind.model_fields.items()
            if _is_number(field.annotation)]  # fmt: skip
FLAGS = [(kind, name) for kind in REQUESTS for name, field in kind.model_fields.items()
         if _is_number(field.annotation)]  # fmt: skip


def test_there_are_settings_and_flags_to_try() -> None:
    assert len(SETTINGS) > 6 * len(methods())
    assert {name for _, name in FLAGS} >= {"epochs", "lanes", "token_budget", "margin", "share", "samples"}


@pytest.mark.parametrize(("kind", "name"), SETTINGS, ids=[f"{kind.name}.{name}" for kind, name in SETTINGS])
def test_a_setting_beyond_single_precision_is_refused_in_a_line(kind: Any, name: str) -> None:
    for value in _beyond(kind.model_fields[name].annotation):
        with pytest.raises(UsageError) as refused:
            build(kind, {name: value})
        assert str(refused.value).startswith(f"{kind.name}.{name}")
        assert "\n" not in str(refused.value)
        assert len(str(refused.value)) < 400


@pytest.mark.parametrize(("kind", "name"), FLAGS, ids=[f"{kind.__name__}.{name}" for kind, name in FLAGS])
def test_a_flag_or_key_beyond_what_is_counted_in_is_refused_in_a_line(
    kind: type[Request], name: str, tmp_path: Path
) -> None:
    file = tmp_path / "file.toml"
    for value in _beyond(kind.model_fields[name].annotation):
        with pytest.raises(UsageError) as as_flag:
            kind.read({name: value})
        assert "\n" not in str(as_flag.value)
        assert len(str(as_flag.value)) < 400
        if value != 10**5000:  # which Python does not write
            file.write_text(f"{name} = {value!r}\n")
            with pytest.raises(UsageError) as in_file:
                kind.read({}, file)
            assert str(in_file.value).startswith(str(file))


@pytest.mark.parametrize("name", Budget.model_fields)
def test_a_budget_beyond_what_is_counted_in_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match=f"{name}"):
        Budget(**{name: MOST + 1})


def test_the_edges_are_possible() -> None:
    edges = [LARGEST, -LARGEST, SMALLEST, 0.0, -0.0, 0, MOST, -MOST, "1e39", None, True]
    assert in_range(edges) is not edges
    assert in_range(edges) == edges
    assert in_range(MOST_SEED, MOST_SEED) == MOST_SEED
    assert in_range({"a": {"b": (1, 2.0)}}) == {"a": {"b": (1, 2.0)}}
    for beyond in ({"a": [1e39]}, [(2**31,)], {"a": {"b": float("nan")}}):
        with pytest.raises(ValueError, match="it must be"):
            in_range(beyond)


@pytest.mark.parametrize("value", ["1e39", "-1e39", "1e-39", "1e999", "NaN", "9" * 400])
def test_it_is_refused_before_anything_is_planned(bench: Any, value: str, tmp_path: Path) -> None:
    for flags in (("--set", f"finetune.learning_rate={value}"), ("--sweep", f"finetune.learning_rate=0.1,{value}")):
        error = bench.refuses(
            "--suite",
            "smoke",
            "--tasks",
            "sentiment",
            "--methods",
            "finetune",
            "--models",
            "tiny",
            *flags,
            "--out",
            tmp_path,
        )
        assert "finetune.learning_rate=" in error
        assert "is not possible: " in error
    assert not (tmp_path / "out").exists()
    assert json.loads("1e39") > LARGEST
