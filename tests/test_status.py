"""`bench status` beside a run in another process: while it trains, when it is killed, when it has ended."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from rich.console import Console

from bench.cell import Budget
from bench.commands.status_json import tree
from bench.commands.status_text import blocks
from bench.execute.worker import Noted
from bench.report.read.outcomes import outcomes
from bench.store.reading import Broken
from bench.store.record import Record
from bench.store.standing import Observer
from bench.store.store import Store
from bench.store.workers import Presence, new_identity, workers_of
from bench.train.loop import Progress
from tests.conftest import Quiet
from tests.store.test_standing import NEVER, age, at_work, elsewhere
from tests.store.test_store import make_cell, make_record
from tests.test_resume import IMPORTS

Bench = Callable[..., tuple[int, str, str]]

SLOW = """
import time
from pathlib import Path

import torch

from bench.data.slots import Slots
from bench.model.attachment import SlotPrompts
from bench.registry import method
from bench.tuning import Method


class Slowly(SlotPrompts):
    def make(self):
        if Path("slow").exists():
            time.sleep(0.2)
        return super().make()


@method("slowly")
class SlowMethod(Method):
    "As slow as a file says."

    def slots(self):
        return Slots(2)

    def attach(self, backbone, task):
        return Slowly(torch.randn(2, backbone.geometry.hidden))
"""
STEPS = 200
GRID = ("--plugin", "slow.py", "--methods", "slowly", "--steps", str(STEPS), "--evaluations", "1")


def told(bench: Bench) -> dict[str, Any]:
    code, out, err = bench("status", "out", "--json")
    assert (code, err) == (0, "")
    tree: dict[str, Any] = json.loads(out)
    return tree


def counts(tree: dict[str, Any]) -> dict[str, int]:
    return {state: count for state, count in tree["cells"].items() if count}


def waited_for(bench: Bench, condition: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    deadline = time.monotonic() + 120
    while not condition(tree := told(bench)):
        assert time.monotonic() < deadline, tree
        time.sleep(0.1)
    return tree


def test_a_run_is_seen_while_it_trains_when_it_is_killed_and_when_it_has_ended(
    bench: Any, forks: Callable[..., Any]
) -> None:
    Path("slow.py").write_text(SLOW)
    assert bench.run(*GRID)[0] == 0
    Path("slow").touch()
    run = forks(IMPORTS, "main()", "run", *bench.base, *GRID, "--seeds", "3", "--lanes", "2")
    child = run.start()
    tree = waited_for(bench, lambda tree: bool(tree["groups"] and tree["groups"][0]["tokens_per_second"]))
    assert counts(tree) == {"planned": 3, "done": 1, "running": 2}
    (group,), (worker,) = tree["groups"], tree["workers"]
    assert {cell["seed"] for cell in group["cells"]} == {"seed 1", "seed 2"}
    assert (group["state"], group["device"], group["worker"]) == ("alive", "cpu", worker["worker"])
    assert (worker["process"], worker["devices"]) == (child, ["cpu"])
    assert (0 < group["step"] < group["num_steps"], group["num_steps"]) == (True, STEPS)
    assert group["seconds_left"] > 0.2 * (STEPS - group["step"]), "a step takes a fifth of a second and more"
    assert tree["seconds_left"] == group["seconds_left"]

    code, out, _ = bench("status", "out")
    assert code == 0
    assert out.splitlines()[0] == "out: 3 cells: 1 done, 2 running"
    assert re.search(r"^1 worker on \S+, about .* left for 1 worker$", out, re.MULTILINE)
    assert re.search(
        r"^  tiny-bert · rte · slowly · 2 cells\n    .* cpu, for [\d.]+ (s|min), step \d+ of 200, ", out, re.MULTILINE
    )
    code, out, err = bench("report", "out", "--format", "csv")
    assert (code, err) == (0, "")
    assert [outcome.record is not None for outcome in outcomes([Store.open(Path("out"))])] == [True, False, False]

    os.kill(child, signal.SIGKILL)
    assert run.end() == -signal.SIGKILL
    tree = told(bench)
    assert counts(tree) == {"planned": 3, "done": 1, "free": 2}
    assert ([each["ended"] for each in tree["free"]], tree["groups"]) == ([1, 1], [])
    out = bench("status", "out")[1]
    assert "nobody is at work" in out
    assert "tiny-bert · rte · slowly · 2 cells: 1 worker ended in training them" in out

    Path("slow").unlink()
    assert bench.run(*GRID, "--seeds", "3")[0] == 0
    assert counts(told(bench)) == {"planned": 3, "done": 3}
    code, out, _ = bench("status", "out", "--watch")
    assert (code, "nothing is left to run; next: bench report out" in out) == (0, True)


def test_a_report_beside_a_run_counts_finished_cells_alone(bench: Any, forks: Callable[..., Any]) -> None:
    grid = [
        *bench.base,
        "--methods",
        "ptuning_v1,ptv2,prompt_tuning",
        "--set",
        "prompt_tuning.length=4",
        "--steps",
        "1",
    ]
    assert bench("run", *grid)[0] == 0
    run = forks(IMPORTS, "main()", "run", *grid, "--lanes", "1", "--seeds", "6")
    child = run.start()
    counted: set[int] = set()
    while 18 not in counted and len(counted) < 4:
        code, _, err = bench("report", "out", "--format", "csv")
        assert (code, re.findall(r"left out|no record", err)) == (0, [])
        found = [outcome.record for outcome in outcomes([Store.open(Path("out"))])]
        assert all(record.status == "done" and record.scores for record in found if record is not None)
        counted.add(sum(record is not None for record in found))
    with suppress(ProcessLookupError):
        os.kill(child, signal.SIGKILL)
    assert run.end() in (0, -signal.SIGKILL)


def test_a_worker_notes_its_pace_from_the_end_of_a_loops_first_step(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [100.0]
    monkeypatch.setattr("bench.execute.worker.time", SimpleNamespace(monotonic=lambda: now[0]))
    cells = [make_cell(0), make_cell(1)]
    store = Store.create(tmp_path / "out")

    def noted_pace(presence: Presence) -> tuple[int, int, float, float]:
        presence._write()
        ((doing,),) = (worker.doing for worker in workers_of(store.path))
        return doing.step, doing.num_steps, doing.seconds_per_step, doing.tokens_per_second

    with Presence(store.path, new_identity(), ["cuda:1"], {}, NEVER) as presence:
        noted = Noted(Quiet(), presence)
        with noted.doing([cells[0].id], "cuda:1"), noted.loop(cells):
            for at, step in ((100.0, 1), (101.0, 2), (104.0, 3), (105.0, 4)):
                now[0] = at
                lanes = [SimpleNamespace(cell=cell, step=step, num_steps=5 * (cell.seed + 1)) for cell in cells]
                noted.step(Progress(lanes, [0.0, 0.0], tokens=1000, seconds=1e-6))
                if step == 1:
                    assert noted_pace(presence) == (1, 10, 0.0, 0.0)
            assert noted_pace(presence) == (3, 10, 2.0, 500.0), "the longest way; launched kernels are not done ones"
            with noted.loop(cells):
                noted.step(Progress(lanes, [0.0, 0.0], tokens=1000, seconds=1e-6))
            assert noted_pace(presence)[2:] == (0.0, 0.0), "another loop has its own"


def test_failures_are_told_by_reason_and_the_newest_folder_is_shown(bench: Bench) -> None:
    store = Store.create(Path("results/mine"))
    cells = [make_cell(seed) for seed in range(6)]
    store.write_plan(cells)
    for cell in cells[:5]:
        store.write(make_record(cell, status="failed", reason="RuntimeError: no\nluck", scores={}))
    store.write(make_record(cells[5], status="diverged", reason="the loss was nan at step 1", scores={}))
    code, out, _ = bench("status")
    lines = out.splitlines()
    assert (code, lines[0]) == (0, "results/mine: 6 cells: 0 done, 6 failed")
    assert lines[1].startswith("nothing is left to run; what failed is tried again by the same bench run")
    at = lines.index("failed")
    assert lines[at + 1] == "  5 cells failed: RuntimeError: no luck"
    assert lines[at + 2] == f"    small · rte · ptv2 · seed 0 · {cells[0].id}"
    assert lines[at + 5 : at + 7] == ["    and 2 more", "  1 cell diverged: the loss was nan at step 1"]


def test_a_silent_worker_of_another_machine_is_told_with_what_is_known(tmp_path: Path) -> None:
    store = Store.create(tmp_path / "out")
    cells = [make_cell(seed) for seed in range(2)]
    store.write_plan(cells)
    with at_work(store, cells, elsewhere()):
        age(store, elsewhere(), 7175)
        lines = [
            line
            for block in blocks(Path("out"), Observer(store).look(patience=0), None, 120)
            for line in str(block).splitlines()
        ]
    assert lines[:2] == [
        "out: 2 cells: 0 done, 2 without a sign",
        "nobody shows a sign of work, nothing is known yet of the time left",
    ]
    at = lines.index("without a sign")
    assert lines[at + 1] == "  small · rte · ptv2 · 2 cells"
    assert re.fullmatch(
        r"    node0 cuda:1, last sign 2 h ago by the clock here, none in \d\.\d s of watching; "
        r"90 s without one free its cells",
        lines[at + 2],
    )


def test_a_long_grid_is_counted_by_model_and_few_records_are_read(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = Store.create(Path("out"))
    fields = [(f"model-{model}", f"method{method}", f"task{task}") for model in range(5) for method in range(20)
              for task in range(10)]  # fmt: skip
    cells = [
        make_cell(model=f"org/{model}", model_fingerprint=model, method=method, task=task)
        for model, method, task in fields
    ]
    store.write_plan(cells)
    for cell in cells[::20]:
        store.write(make_record(cell))
    read: list[str] = []
    records_of = Store.records_of

    def noted(self: Store, ids: Iterable[str], broken: Broken | None = None) -> dict[str, Record]:
        read.extend(ids := list(ids))
        return records_of(self, ids, broken)

    monkeypatch.setattr(Store, "records_of", noted)
    monkeypatch.setattr("bench.plan.remaining.MOST_READ", 7)
    code, out, _ = bench("status", "out")
    assert (code, out.splitlines()[0]) == (0, "out: 1,000 cells: 50 done, 950 to run")
    rows = re.findall(r"^(\S+) +200 +10 +190 *$", out, re.MULTILINE)
    assert rows == [f"model-{number}" for number in range(5)]
    assert 0 < len(read) <= 7


def test_a_terminal_of_80_columns_holds_the_table(tmp_path: Path) -> None:
    store = Store.create(tmp_path / "out")
    long = {"given": {"learning_rate": 0.005, "length": 40, "reparam": "mlp"}, "model": "org/roberta-large"}
    cells = [make_cell(seed, budget=Budget(epochs=epochs), **long) for seed in range(3) for epochs in (5, 10)]
    store.write_plan(cells)
    console = Console(width=80, force_terminal=True, color_system=None, record=True)
    for block in blocks(Path("out"), Observer(store).look(), None, 80):
        console.print(block)
    text = console.export_text()
    assert max(map(len, text.splitlines())) <= 80
    assert re.search(r"roberta-large +ptv2 \(learning_rate=0.005.* 6 +· +6", text)


def test_what_is_no_results_folder_is_refused(bench: Any) -> None:
    assert "nowhere is not a results folder" in bench.refusal(*bench("status", "nowhere"))
    assert "no results folder under results/" in bench.refusal(*bench("status"))
    Store.create(Path("out"))
    assert "give one of them" in bench.refusal(*bench("status", "out", "--json", "--watch"))
    assert bench("status", "out")[1].splitlines()[0] == "out: 0 cells: 0 done"


def test_every_key_for_programs_has_its_line(tmp_path: Path) -> None:
    store = Store.create(tmp_path / "out")
    cells = [make_cell(seed) for seed in range(4)]
    store.write_plan(cells)
    store.write(make_record(cells[0], status="failed", reason="no luck", scores={}))
    with at_work(store, cells[1:2]), at_work(store, cells[2:3], elsewhere()):
        standing = Observer(store).look()
    whole = tree(store.path, replace(standing, ended={cells[3].id: 1}), None)
    page = (Path(__file__).parent.parent / "results" / "README.md").read_text()
    section = page.partition("\n## How a folder stands\n")[2].partition("\n## ")[0]
    keys = set(re.findall(r'"(\w+)":', json.dumps(whole)))
    assert {"cells", "ended", "reason", "step", "host", "to_run", "line"} <= keys
    assert [key for key in sorted(keys) if f"`{key}`" not in section] == []


def test_watching_ends_with_ctrl_c(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(seconds: float) -> None:
        raise KeyboardInterrupt

    Store.create(Path("out")).write_plan([make_cell()])
    monkeypatch.setattr("bench.commands.status.time.sleep", interrupted)
    code, out, err = bench("status", "out", "--watch")
    assert (code, err, "out: 1 cell: 0 done, 1 to run" in out) == (0, "", True)


def test_status_loads_neither_torch_nor_pandas(tmp_path: Path) -> None:
    store = Store.create(tmp_path / "out")
    store.write_plan([make_cell()])
    store.write(make_record(make_cell(1)))
    command = [sys.executable, "-X", "importtime", "-m", "bench", "status", str(store.path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    loaded = {line.rsplit("|", 1)[1].strip() for line in done.stderr.splitlines() if "|" in line}
    assert "bench.store.standing" in loaded
    assert loaded & {"torch", "transformers", "datasets", "pandas", "numpy", "matplotlib"} == set()


def test_results_on_the_hub_are_none_that_can_be_filled(bench: Any) -> None:
    said = bench.refusal(*bench("status", "hub:us/ours"))
    assert said == "error: hub:us/ours is on the hub; `bench report` and `bench.load` read it, here it must be a folder"
