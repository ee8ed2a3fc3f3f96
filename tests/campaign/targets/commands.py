"""What somebody types: flags of every command, good ones, odd ones, and those that do not go together."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from bench.request import RunRequest
from tests.campaign import finished_folder
from tests.campaign.fuzzing import made, reading, samples, tomls
from tests.campaign.fuzzing.command import refused
from tests.campaign.fuzzing.target import Case, Target

ALWAYS = {  # that nothing is trained, sent or looked for on the network
    "run": ("--plan", "--no-probe"), "push": ("--dry-run",), "report": (), "status": (), "show": (), "predict": (),
    "export": (), "list": (), "check": ("--tasks", "cola"),
}  # fmt: skip
NEVER = {"--watch", "--help", "-h", "--plan", "--probe", "--dry-run", "--install-completion", "--show-completion"}
GOOD = (
    "tiny", "smoke", "glue", "ptv2,finetune", "all", "data.csv", "task.toml", "grid.toml", "label", "text", "5", "1,2",
    "cpu", "fp32", "auto", "ptv2.length=8", "ptv2.length=8,32", "budget.epochs=5,40", "init,order", "slurm", "gpus=1",
    "methods", "results", "md", "csv,png", "out", "0", "1", "cpu:4", "0,1", "ray", "hub:a/b", "hub:a/b@c:d",
    "classification", "finetune.clip=1", "prompt_tuning.init=vocab", "pythia", "wandb", "tensorboard",
)  # fmt: skip
GRID = b"""suite = "smoke"
methods = ["ptv2", "linear_probe"]
models = ["tiny"]
seeds = [11, 44]
steps = 20
batch-size = 8
[set.ptv2]
length = 4
learning_rate = 1e-3
[sweep.ptv2]
dropout = [0.0, 0.1]
"""
OTHER_GRID = b"""data = "data.csv"
label = "label"
trials = 2
seeds = 3
vary = ["init"]
sweep = {budget = {epochs = [5, 10]}}
slurm = {partition = "gpu", sbatch = {exclusive = true}}
"""
VALUES = (
    "smoke", "ptv2", ["ptv2", "finetune"], ["tiny"], "tiny", 2, [11, 44], 1e-3, True, "data.csv", "label", ["text"], 8,
    {"ptv2": {"length": 4}}, {"ptv2": {"length": [4, 8]}}, {"budget": {"epochs": [5]}}, {"lora": {"r": 1e39}},
    {"partition": "gpu"}, ["init"], "cpu", "fp32", "holdout", "paper", "local", "off",
)  # fmt: skip
WORDS = ([], [], [], ["--seeds", "1"], ["--set", "ptv2.length=2"], ["--methods", "lora"], ["--steps", "3"])
SETTINGS = ("learning_rate", "length", "dropout", "warmup", "clip", "head", "layers", "r", "weight_decay", "shots", "x")


def _typed() -> SearchStrategy[str]:
    """A word as a shell hands it over: no NUL, and no surrogates but those that stand for bytes that are no text."""
    number = made.numbers().filter(lambda value: abs(value) < 10**300 or value != value).map(str)
    setting = st.builds(
        "{}.{}={}".format, st.sampled_from(("ptv2", "lora", "finetune", "budget", "prompt_tuning", "")),
        st.sampled_from(SETTINGS), number | made.texts(),
    )  # fmt: skip
    words = st.one_of(*[st.sampled_from(GOOD)] * 3, number, setting, made.texts(), st.just("9" * 5000))
    return words.filter(_is_word)


def _is_word(text: str) -> bool:
    try:
        return b"\0" not in os.fsencode(text)
    except UnicodeEncodeError:
        return False


def _cases() -> SearchStrategy[Case]:
    from typer.main import get_command

    from bench.cli import app

    known: Any = get_command(app)
    return st.one_of([_of(name, command.params) for name, command in known.commands.items() if name in ALWAYS])


def _of(name: str, parameters: Any) -> SearchStrategy[Case]:
    pieces = []
    for parameter in parameters:
        spellings = [each for each in (*parameter.opts, *parameter.secondary_opts) if each not in NEVER]
        if parameter.param_type_name == "argument":
            pieces.append(_typed().map(lambda word: [word]))
        elif spellings and parameter.is_flag:
            pieces.append(st.sampled_from(spellings).map(lambda flag: [flag]))
        elif spellings:
            pieces.append(st.tuples(st.sampled_from(spellings), _typed()).map(list))
    pieces += [_typed().map(lambda word: [word])] * (len(pieces) // 8 + 1)
    words = st.lists(st.one_of(pieces), min_size=1, max_size=5).map(
        lambda parts: [word for part in parts for word in part]
    )
    return st.fixed_dictionaries({"command": st.just(name), "words": words})


def _run(case: Case, folder: Path) -> None:
    reading.write({"data.csv": samples.TABLE, "task.toml": b'data = "data.csv"\n', "grid.toml": b"seeds = 2\n"}, folder)
    refused(case["command"], *ALWAYS[case["command"]], *case["words"])


def _prepare() -> None:
    """What the commands load, and a plan, whose model is proved once."""
    reading.prepare()
    import bench.commands.check
    import bench.commands.measure
    import bench.commands.predict
    import bench.commands.push
    import bench.commands.report  # noqa: F401

    said = finished_folder.bench("run", "--plan", "--no-probe")
    assert said.code == 0, said.err


def _grids() -> SearchStrategy[Case]:
    return st.fixed_dictionaries(
        {"text": tomls.of(RunRequest, VALUES, GRID, OTHER_GRID), "words": st.sampled_from(WORDS)}
    )


def _plan(case: Case, folder: Path) -> None:
    reading.write({"data.csv": samples.TABLE, "grid.toml": case["text"]}, folder)
    refused("run", "--plan", "--no-probe", "-c", "grid.toml", *case["words"])


TARGETS = (
    Target("flags", _cases, _run, _prepare, share=2),
    Target("grid_files", _grids, _plan, _prepare, share=2),
)
