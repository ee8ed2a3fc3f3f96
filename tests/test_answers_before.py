"""Wrong input is answered before heavy libraries are loaded; what this machine knows, before the network is asked."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Bench

ROOT = Path(__file__).parent.parent
HEAVY = {"torch", "transformers", "datasets", "pandas", "matplotlib"}
SUPERGLUE = ("--suite", "superglue", "--tasks", "rte")
RUN: dict[str, tuple[tuple[str, ...], str]] = {
    "method": (("--methods", "ptv3"), "unknown method 'ptv3'"),
    "setting": (("--set", "ptv2.lengths=3"), "unknown setting of ptv2 'lengths'"),
    "value of a setting": (("--set", "ptv2.length=0"), "ptv2.length=0 is not possible"),
    "suite": (("--suite", "supergleu"), "unknown suite 'supergleu'"),
    "task": (("--tasks", "x"), "unknown task of suite 'smoke' 'x'"),
    "model folder": (("--models", "./nowhere"), "--models ./nowhere: no such folder"),
    "data folder": ((*SUPERGLUE, "--data", "nowhere"), "--data nowhere: no such folder"),
    "data file": ((*SUPERGLUE, "--data", "."), "the train split of task 'rte' is missing"),
    "device": (("--device", "tpu"), "--devices 'tpu' is not possible"),
    "precision": (("--precision", "fp16"), "unknown precision 'fp16'"),
    "protocol": (("--protocol", "papr"), "unknown protocol 'papr'"),
    "key of a file": (("-c", "wrong.toml"), "unknown key in wrong.toml 'method'"),
    "file": (("-c", "nowhere.toml"), "cannot read nowhere.toml"),
    "plugin": (("--plugin", "nowhere.py"), "--plugin nowhere.py: no such file"),
    "folder of something else": (("--out", "."), ". exists and is not a results folder; choose another --out"),
    "length": (("--max-length", "5000"), "5000 text tokens"),
}


WRONG = {name: (("run", *flags), message) for name, (flags, message) in RUN.items()} | {
    "results folder": (("report", "nowhere"), "nowhere is not a results folder"),
    "no results folder": (("report",), "no results folder under results/"),
    "format": (("report", "nowhere", "--format", "cvs"), "unknown report format 'cvs'"),
    "plugin of a report": (("report", "nowhere", "--plugin", "nowhere.py"), "--plugin nowhere.py: no such file"),
    "samples": (("report", "nowhere", "--samples", "-1"), "--samples -1 is not possible: it must be at least 0"),
    "cell's folder": (("export", "0", "--to", "adapter", "--in", "nowhere"), "nowhere is not a results folder"),
}


# Each command in a fork of one process, which has loaded what a plan takes and nothing else.
COMMANDS = """
import json, os, sys
import bench.commands.run, bench.plan.cells
from bench.cli import main
for name, arguments in json.load(sys.stdin).items():
    child = os.fork()
    if not child:
        os.dup2(os.open(f"{name}.err", os.O_WRONLY | os.O_CREAT), 2)
        sys.argv, code = ["bench", *arguments], 0
        try:
            main()
        except SystemExit as stop:
            code = stop.code
        with open(f"{name}.json", "w") as file:
            json.dump([code, sorted(sys.modules)], file)
        sys.stderr.flush()
        os._exit(0)
    os.waitpid(child, 0)
"""
Answer = tuple[int, str, set[str]]  # exit code, standard error, what was loaded


@pytest.fixture(scope="module")
def answers(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Answer]:
    """What wrong commands come to, by their names."""
    here = tmp_path_factory.mktemp("answers")
    (here / "wrong.toml").write_text('method = ["ptv2"]\n')
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "HF_HUB_OFFLINE": "1"}
    asked = json.dumps({name: arguments for name, (arguments, _) in WRONG.items()})
    command = [sys.executable, "-c", COMMANDS]
    subprocess.run(command, cwd=here, env=environment, input=asked, text=True, stdout=subprocess.DEVNULL, check=True)
    found = {}
    for name in WRONG:
        code, loaded = json.loads((here / f"{name}.json").read_text())
        found[name] = code, (here / f"{name}.err").read_text(), set(loaded)
    return found


@pytest.mark.parametrize("name", WRONG)
def test_wrong_input_is_answered_before_a_heavy_library_is_loaded(answers: dict[str, Answer], name: str) -> None:
    code, said, loaded = answers[name]
    assert (code, WRONG[name][1] in said) == (2, True), said
    assert "bench.cli" in loaded
    assert loaded & HEAVY == set()


@pytest.fixture
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """The hub is said to be there, and whoever asks for anything ends the test."""
    import socket

    from huggingface_hub import constants

    def refused(*_: Any, **__: Any) -> None:
        pytest.fail("the network was asked")

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(socket.socket, "connect", refused)
    monkeypatch.setattr(socket, "getaddrinfo", refused)


HUB = ("--models", "somebody/some-model")
LOCAL: dict[str, tuple[tuple[str, ...], str]] = {
    "data folder": ((*HUB, "--data", "nowhere"), "--data nowhere: no such folder"),
    "data file": ((*HUB, "--tasks", "rte,cb"), "the dev split of task 'cb' is missing"),
    "data of a first stage": ((*HUB, "--methods", "mpt2"), "the train split of task 'wic' is missing"),
    "folder beside a model of the hub": (("--models", "somebody/some-model,./nowhere"), "--models ./nowhere: no such"),
}


@pytest.mark.usefixtures("no_network")
@pytest.mark.parametrize(("flags", "message"), LOCAL.values(), ids=LOCAL)
def test_what_this_machine_knows_is_said_before_the_hub_is_asked(
    bench: Bench, superglue: Path, flags: tuple[str, ...], message: str
) -> None:
    (superglue / "CB/val.jsonl").unlink()
    (superglue / "WiC/train.jsonl").unlink()
    assert message in bench.refuses(*flags)


@pytest.mark.usefixtures("no_network")
def test_a_missing_model_folder_is_said_before_the_hub_is_asked_for_data(bench: Bench) -> None:
    at = bench.base.index("--data")
    del bench.base[at : at + 2]
    assert "--models ./nowhere: no such folder" in bench.refuses("--models", "./nowhere")


@pytest.mark.usefixtures("no_network")
def test_data_that_no_hub_has_is_said_before_the_hub_is_asked_for_a_model(bench: Bench) -> None:
    said = bench.refusal(*bench("run", "--suite", "srl", "--tasks", "srl_ewt", *HUB))
    assert "is not on the hub: give --data DIR" in said
