"""One class says what can be asked for in flags, grid files and Python, and answers what is wrong in the same words."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import typer.main
from pydantic import ValidationError

from bench.cell import Budget
from bench.cli import app
from bench.errors import UsageError
from bench.fields import Request, written
from bench.request import ReportRequest, RunRequest

COMMANDS = {"run": RunRequest, "report": ReportRequest}
OF_THE_COMMAND = {
    "run": {"config", "plan", "probe", "dry_run"},
    "report": set(),
}  # how a request is given, and what is done with it


@pytest.mark.parametrize("name", COMMANDS)
def test_every_field_is_a_flag_with_its_help_and_there_is_no_other(name: str) -> None:
    command = typer.main.get_command(app).commands[name]  # type: ignore[attr-defined]
    helps = {parameter.name: parameter.help for parameter in command.params}
    assert helps.keys() == COMMANDS[name].model_fields.keys() | OF_THE_COMMAND[name]
    for field, info in COMMANDS[name].model_fields.items():
        assert helps[field].startswith(info.description)
        assert info.description


def test_every_field_of_a_budget_can_be_asked_for() -> None:
    assert Budget.model_fields.keys() <= RunRequest.model_fields.keys()
    assert RunRequest().budget == {}
    assert RunRequest(steps=3, limit=20, train_rows=8).budget == {"steps": 3, "train_rows": 8, "scored_rows": 20}


def test_a_request_is_made_of_keywords() -> None:
    request = RunRequest(
        suite="superglue", methods=["ptv2", "finetune"], tasks="rte,cb", models=[Path("~/m"), "some/one"], seeds=2,
        data="~/data", set={"ptv2": {"length": 4}}, sweep={"budget": {"steps": [5, 9]}}, lanes=2, plugin="mine.py",
    )  # fmt: skip
    assert (request.methods, request.tasks, request.seeds) == (("ptv2", "finetune"), ("rte", "cb"), (0, 1))
    assert (request.models, request.data) == ((str(Path.home() / "m"), "some/one"), Path.home() / "data")
    assert (request.set, request.sweep) == ({"ptv2": {"length": 4}}, {"budget": {"steps": (5, 9)}})
    assert (request.plugin, request.precision, request.out) == ((Path("mine.py"),), "auto", None)
    assert RunRequest(seeds=[5]).seeds == (5,)
    assert RunRequest(methods=None).methods == ()


def test_a_request_cannot_be_changed() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        RunRequest().lanes = 3  # type: ignore[misc]


AS_TEXT: dict[str, Any] = {
    "methods": "ptv2,finetune", "suite": "glue", "tasks": "rte", "models": "tiny", "seeds": "11,44", "trials": 2,
    "text": "body,title", "label": "team", "group": "who", "id": "no", "split_by": "part", "kind": "choice",
    "vary": "init", "data": Path("d"), "out": Path("o"), "protocol": "paper", "epochs": 1, "steps": 2, "batch_size": 3,
    "max_length": 9, "evaluations": 4, "train_rows": 5, "scored_rows": 6, "limit": 7, "backbone_dropout": True,
    "devices": "cuda:1", "precision": "bf16", "lanes": 4, "shard": 2, "token_budget": 9, "checkpointing": True,
    "trust_remote_code": True,
    "save_tuned": False, "compile": "on", "executor": "slurm", "address": "auto",
    "slurm": ["partition=gpu", "gpus=2", "sbatch.exclusive=true"],
    "plugin": [Path("p.py")], "set": ["ptv2.length=4"], "sweep": ["ptv2.dropout=0,0.1"], "track": "mlflow",
}  # fmt: skip
AS_TOML = {
    "methods": '["ptv2", "finetune"]', "seeds": "[11, 44]", "data": '"d"', "out": '"o"', "plugin": '"p.py"',
    "slurm": '{partition = "gpu", gpus = 2, sbatch = {exclusive = true}}', "set": "{ptv2 = {length = 4}}",
    "sweep": "{ptv2 = {dropout = [0, 0.1]}}",
}  # fmt: skip


@pytest.mark.parametrize("name", RunRequest.model_fields)
def test_a_flag_and_a_key_of_a_file_say_the_same(name: str, tmp_path: Path) -> None:
    file = tmp_path / "grid.toml"
    file.write_text(f"{name.replace('_', '-')} = {AS_TOML.get(name) or json.dumps(AS_TEXT[name])}\n")
    flag = RunRequest.read({name: AS_TEXT[name]})
    assert flag == RunRequest.read({}, file) == RunRequest(**{name: AS_TEXT[name]})
    assert flag.model_fields_set == {name}
    assert getattr(flag, name) != RunRequest.model_fields[name].default


def test_flags_go_before_the_file_and_of_tables_value_by_value(tmp_path: Path) -> None:
    file = tmp_path / "grid.toml"
    file.write_text(
        'methods = ["ptv2"]\nlanes = 4\nplugin = ["a.py"]\n[set.ptv2]\nlength = 4\ndropout = 0.0\n[sweep.finetune]\n'
        "warmup = [0.0, 0.1]\n"
    )
    request = RunRequest.read(
        {"lanes": 8, "plugin": [Path("b.py")], "set": ["ptv2.length=8", "finetune.clip=2"], "sweep": ["ptv2.clip=1,2"]},
        file,
    )
    assert (request.methods, request.lanes, request.plugin) == (("ptv2",), 8, (Path("b.py"),))
    assert request.set == {"ptv2": {"length": 8, "dropout": 0.0}, "finetune": {"clip": 2}}
    assert request.sweep == {"finetune": {"warmup": (0.0, 0.1)}, "ptv2": {"clip": (1, 2)}}


WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "a number of a switch": ({"lanes": True}, "{} is not possible: it must be a whole number"),
    "a number too small": ({"token_budget": 0}, "{} is not possible: it must be at least 1"),
    "a name of a few": ({"protocol": "papr"}, "unknown protocol 'papr'; did you mean 'paper'? known: holdout, paper."),
    "a budget": ({"max_length": 4}, "{} is not possible: Input should be greater than or equal to 8"),
    "a path": ({"data": 4}, "{} is not possible: it must be text"),
    "names": ({"tasks": ["rte", 4]}, "{} is not possible: it must be a list of names"),
    "seeds": (
        {"seeds": [1.5]},
        "{} is not possible: give a number of seeds (5, at most 1,000) or the seeds themselves (11,44)",
    ),
    "a device": (
        {"devices": "gpu"},
        "{} is not possible: use all, cpu or cuda, some GPUs like 0,2, or processes on the CPU like cpu:4",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("asked", "message"), WRONG.values(), ids=WRONG)
def test_what_is_wrong_is_said_in_the_same_words_wherever_it_was_asked(
    asked: dict[str, Any], message: str, tmp_path: Path
) -> None:
    ((name, value),) = asked.items()
    with pytest.raises(ValidationError) as in_python:
        RunRequest(**asked)
    assert in_python.value.errors()[0]["msg"].removeprefix("Value error, ") == message.format(f"{name}={value!r}")
    with pytest.raises(UsageError) as as_flag:
        RunRequest.read(asked)
    assert str(as_flag.value) == message.format(f"--{name.replace('_', '-')} {value!r}")
    file = tmp_path / "grid.toml"
    file.write_text(f"{name} = {json.dumps(value)}\n")
    with pytest.raises(UsageError) as in_file:
        RunRequest.read({}, file)
    shown = f"{name} = {json.dumps(value)}"
    assert str(in_file.value) == f"{file}: {message.format(shown)}"


def test_an_unknown_argument_names_the_nearest() -> None:
    with pytest.raises(ValidationError, match="unknown argument 'method'; did you mean 'methods'"):
        RunRequest(method="ptv2")


@pytest.mark.parametrize("kind", COMMANDS.values())
def test_what_a_value_must_be_is_known_for_every_field(kind: type[Request]) -> None:
    assert {name for name, field in kind.model_fields.items() if not written(field).must_be} == set()
