"""The command line: what it lists and shows, that --plan only plans, and that a grid file says the same as flags."""

from __future__ import annotations

import io
import json
import re
import subprocess
import sys
from collections.abc import Callable
from importlib.metadata import EntryPoint
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from rich.console import Console

from bench.cell import Budget, Cell
from bench.commands.progress import PlainProgress, RichProgress, progress
from bench.commands.tally import Tally
from bench.store.record import Costs, Record
from bench.store.store import Store

Bench = Callable[..., tuple[int, str, str]]


def test_help_works_and_loads_no_torch() -> None:
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "bench.cli", "--help"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0
    assert "Compare ways of tuning pretrained language models." in done.stdout
    loaded = {line.rsplit("|", 1)[1].strip() for line in done.stderr.splitlines() if "|" in line}
    assert {"typer", "pydantic"} <= loaded  # a flag is a field of a request
    assert loaded & {"torch", "transformers", "datasets", "pandas", "numpy"} == set()


def test_bench_alone_shows_the_help(bench: Bench) -> None:
    code, out, err = bench()
    assert code == 2
    assert "Commands" in out + err


@pytest.mark.parametrize(
    ("what", "named"),
    [
        ("methods", ["finetune", "prompt_tuning", "ptuning_v1", "ptv2", "length=20"]),
        ("suites", ["smoke", "superglue", "boolq, cb"]),
        ("tasks", ["boolq", "cb", "rte", "aps/super_glue/rte", "macro_f1"]),
        ("models", ["bert-large-cased", "roberta-large"]),
    ],
)
def test_list_names_what_a_flag_may_say(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, what: str, named: list[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "250")
    code, out, _ = bench("list", what)
    assert code == 0
    assert [name for name in named if name not in out] == []


def test_list_refuses_what_it_does_not_know(bench: Bench) -> None:
    assert "unknown listing 'method'; did you mean 'methods'?" in bench.refusal(*bench("list", "method"))


def test_a_mistyped_command_is_one_line(bench: Bench) -> None:
    assert "did you mean 'run'?" in bench.refusal(*bench("runs"))


def test_a_plugin_is_listed_and_planned(bench: Bench) -> None:
    Path("mine.py").write_text(
        "from bench.registry import method\nfrom bench.tuning import Method\n"
        "@method('mine')\nclass Mine(Method):\n    'My own method.'\n"
    )
    assert "My own method." in bench("list", "methods", "--plugin", "mine.py")[1]
    assert "1 to run" in bench.run("--plugin", "mine.py", "--methods", "mine", "--plan")[1]
    assert "unknown method 'mine'" not in bench("list", "methods")[1]


# --- plan and show


def test_plan_runs_nothing_and_writes_nothing(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*_: object, **__: object) -> None:
        raise AssertionError("--plan must not come here")

    monkeypatch.setattr("bench.commands.measure.measure", never)
    before = sorted(Path().iterdir())
    code, out, _ = bench.run("--plan", "--tasks", "rte,cb", "--seeds", "2")
    assert code == 0
    assert out.splitlines()[0] == "4 cells: 1 methods × 2 tasks × 1 models × 2 seeds; 4 to run → out"
    assert len(re.findall(r"[0-9a-f]{16} .* to run", out)) == 4
    assert sorted(Path().iterdir()) == before


def test_plan_tells_what_is_done(bench: Bench) -> None:
    bench.run()
    out = bench.run("--plan", "--seeds", "2")[1]
    assert "2 seeds; 1 to run → out" in out
    assert len(re.findall(r"[0-9a-f]{16} .* done", out)) == 1


def test_show_prints_the_record_of_a_cell_by_how_its_id_begins(bench: Bench) -> None:
    bench.run("--seeds", "2")
    first, second = Store.open(Path("out")).records()
    code, out, _ = bench("show", first.id[:12], "--in", "out")
    assert code == 0
    assert Record.model_validate(json.loads(out)) == first
    said = bench.refusal(*bench("show", "", "--in", "out"))
    assert f"2 cells in out have an id starting with '': {first.id}, {second.id}" in said
    assert "no cell in out has an id starting with 'zz'" in bench.refusal(*bench("show", "zz", "--in", "out"))


# --- a grid file


def planned(bench: Bench, *flags: str) -> list[str]:
    code, out, err = bench("run", "--plan", *flags)
    assert code == 0, err
    return re.findall(r"[0-9a-f]{16}", out)


def test_a_grid_file_says_the_same_as_flags(bench: Bench, tiny_bert: Path, superglue: Path) -> None:
    Path("grid.toml").write_text(
        f'suite = "superglue"\nmethods = ["ptv2", "ptuning_v1"]\ntasks = "rte,cb"\nmodels = ["{tiny_bert}"]\n'
        f'data = "{superglue}"\nseeds = [11, 44]\nsteps = 3\nmax-length = 24\nbatch_size = 4\nprecision = "fp32"\n'
        "backbone_dropout = true\n[set.ptv2]\nlength = 7\nlearning_rate = 1e-2\n"
    )
    flags = [
        "--suite", "superglue", "--methods", "ptv2,ptuning_v1", "--tasks", "rte,cb", "--models", str(tiny_bert),
        "--data", str(superglue), "--seeds", "11,44", "--steps", "3", "--max-length", "24", "--batch-size", "4",
        "--precision", "fp32", "--backbone-dropout", "--set", "ptv2.length=7", "--set", "ptv2.learning_rate=0.01",
    ]  # fmt: skip
    cells = planned(bench, *flags)
    assert len(cells) == 8
    assert planned(bench, "-c", "grid.toml") == cells
    assert planned(bench, "-c", "grid.toml", "--seeds", "44", "--tasks", "rte") == planned(
        bench, *flags, "--seeds", "44", "--tasks", "rte"
    )
    length = ("--set", "ptv2.length=8")
    assert planned(bench, "-c", "grid.toml", *length) == planned(bench, *flags, *length)
    assert planned(bench, "-c", "grid.toml", *length) != cells


def test_budgets_are_swept_by_flag_and_file_and_the_plan_counts_them(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "160")
    at = bench.base.index("--steps")
    base = [*bench.base[:at], *bench.base[at + 2 :], "--methods", "ptv2,linear_probe"]
    Path("grid.toml").write_text("[sweep.budget]\nsteps = [3, 6]\nbatch_size = [4]\n")
    del base[base.index("--batch-size") : base.index("--batch-size") + 2]
    flags = ("--sweep", "budget.steps=3,6", "--sweep", "budget.batch_size=4")
    cells = planned(bench, *base, *flags)
    assert planned(bench, *base, "-c", "grid.toml") == cells
    code, out, _ = bench("run", "--plan", *base, *flags)
    words = " ".join(out.split())
    assert (code, len(cells)) == (0, 4)
    assert "4 cells: 2 methods × 1 tasks × 1 models × 1 seeds × 2 budgets; 4 to run" in words
    assert "3 steps × batch 4" in words


def test_a_grid_file_sweeps_varies_and_tries_as_flags_do(bench: Bench) -> None:
    Path("grid.toml").write_text(
        'trials = 2\nvary = ["init", "order"]\nseeds = 2\n[sweep.ptv2]\nlength = [2, 8]\nlayers = ["1-2", 1]\n'
    )
    at = bench.base.index("--seeds")
    base = bench.base[:at] + bench.base[at + 2 :]
    flags = ["--sweep", "ptv2.length=2,8", "--sweep", "ptv2.layers=1-2,1", "--seeds", "2"]
    vary = ["--trials", "2", "--vary", "init,order"]
    cells = planned(bench, *base, *flags, *vary)
    assert len(cells) == 8
    assert planned(bench, *base, "-c", "grid.toml") == cells
    changed = ("--sweep", "ptv2.length=4", "--trials", "1")
    assert planned(bench, *base, "-c", "grid.toml", *changed) == planned(
        bench, *base, *vary, "--sweep", "ptv2.length=4", "--sweep", "ptv2.layers=1-2,1", "--seeds", "2", "--trials", "1"
    )


def test_auto_is_planned_with_the_precision_of_the_device(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    known = {name: planned(bench, *bench.base, "--precision", name, "--trials", "2") for name in ("bf16", "fp32")}
    assert not set(known["bf16"]) & set(known["fp32"])
    for has_bf16, precision in ((True, "bf16"), (False, "fp32")):
        monkeypatch.setattr("bench.model.device.has_bf16", lambda device, answer=has_bf16: answer)
        assert planned(bench, *bench.base, "--precision", "auto", "--trials", "2") == known[precision]


def test_a_precision_that_the_processor_lacks_is_said_before_the_run_and_not_refused(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bench.model.device.has_bf16", lambda device: False)
    said = {name: bench.run("--plan", "--precision", name) for name in ("bf16", "fp32", "auto")}
    assert [code for code, _, _ in said.values()] == [0, 0, 0]
    assert {name: "350 times slower than fp32" in out for name, (_, out, _) in said.items()} == {
        "bf16": True, "fp32": False, "auto": False
    }  # fmt: skip


# --- progress


def make_cell(seed: int = 0) -> Cell:
    return Cell(
        suite="superglue", task="rte", task_version=1, data_fingerprint="d", model="small", model_fingerprint="m",
        method="ptv2", settings={"length": 20}, seed=seed, budget=Budget(), protocol="holdout", precision="fp32",
        given={"length": 20},
    )  # fmt: skip


def make_record(cell: Cell, **changes: Any) -> Record:
    costs = Costs(seconds=2.0, tokens_per_second=1234.0)
    fields = {"id": cell.id, "cell": cell, "status": "done", "main_metric": "accuracy", "scores": {"accuracy": 61.25}}
    return Record(**(fields | {"costs": costs} | changes))


def make_step(cells: list[Cell], step: int) -> Any:
    lanes = [SimpleNamespace(cell=cell, step=step, num_steps=40) for cell in cells]
    return SimpleNamespace(lanes=lanes, losses=[0.5 + cell.seed for cell in cells], tokens=4000, seconds=2.0)


def test_progress_is_plain_lines_when_the_output_is_no_terminal() -> None:
    screen = io.StringIO()
    with progress(Console(file=screen, width=60), Tally(3)) as shown:
        assert isinstance(shown, PlainProgress)
        with shown.loop([make_cell()]):
            shown.step(make_step([make_cell()], 10))
        shown.finished(make_record(make_cell()))
        shown.finished(make_record(make_cell(1), status="diverged", reason="the loss was nan at step 2", scores={}))
    first, second = screen.getvalue().splitlines()
    assert re.fullmatch(
        r"\[1/3, 0\.0 s left\] small · rte · ptv2 \(length=20\) · seed 0: accuracy 61\.2 \(2\.0 s, 1,234 tokens/s\)",
        first,
    )
    assert second.endswith("seed 1: DIVERGED: the loss was nan at step 2")
    assert "\x1b" not in screen.getvalue()


def test_cells_of_a_loop_that_end_together_are_counted_by_their_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr("bench.commands.tally.time", SimpleNamespace(monotonic=lambda: now[0]))
    screen, cells = io.StringIO(), [make_cell(seed) for seed in range(8)]
    tally = Tally(16)
    shown = PlainProgress(Console(file=screen), tally)
    assert tally.left is None
    with shown.loop(cells):
        now[0] = 50.0
        shown.step(make_step(cells, 20))
        assert tally.left == 150.0  # a quarter of the steps of all sixteen
        now[0] = 100.0
        shown.step(make_step(cells, 40))
    shown.finished(make_record(cells[0]))
    assert screen.getvalue().startswith("[1/16, 1.7 min left] ")  # 100 s: the other seven are at their end
    assert (tally.over, tally.done) == (1, 8.0)


def test_plain_progress_speaks_up_once_a_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    now = iter(range(0, 10_000, 25))
    monkeypatch.setattr("bench.commands.progress.time", SimpleNamespace(monotonic=lambda: next(now)))
    screen = io.StringIO()
    shown = PlainProgress(Console(file=screen), Tally(1))
    with shown.loop([make_cell()]):
        for step in range(1, 7):
            shown.step(make_step([make_cell()], step))
    lines = screen.getvalue().splitlines()
    assert lines[0] == "  … small · rte · ptv2 (length=20) · seed 0: step 3/40, loss 0.500, 2,000 tokens/s"
    assert len(lines) == 2
    cells = [make_cell(seed) for seed in range(32)]
    with shown.loop(cells):
        for step in range(1, 4):
            shown.step(make_step(cells, step))
    together = "  … small · rte · ptv2 · 32 cells: step 3/40, mean loss 16.000, 2,000 tokens/s"
    assert screen.getvalue().splitlines()[2:] == [together]


def test_a_terminal_shows_the_grid_and_each_running_cell() -> None:
    screen = io.StringIO()
    console = Console(file=screen, force_terminal=True, width=160, legacy_windows=False)
    cells = [make_cell(0), make_cell(1)]
    with progress(console, Tally(4)) as shown:
        assert isinstance(shown, RichProgress)
        with shown.loop(cells):
            for step in range(1, 11):
                shown.step(make_step(cells, step))
            shown._bars.refresh()
            text = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", screen.getvalue())
        for cell in cells:
            shown.finished(make_record(cell))
    last = text[text.rindex("grid") :]
    assert re.search(r"grid +[━╺╸]+ +0/4 +cells", last)
    assert re.search(r"rte · ptv2 \(length=20\) · small · seed 0 .* 10/40 loss 0\.500 2,000 tokens/s", last)
    assert re.search(r"seed 1 .* 10/40 loss 1\.500 2,000 tokens/s +\d:\d\d:\d\d +(\d|-):(\d\d|--):(\d\d|--)", last)
    end = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", screen.getvalue())
    assert re.search(r"2/4 +cells", end)
    assert "seed 1: accuracy 61.2 (2.0 s, 1,234 tokens/s)" in end


# --- stopping, and other packages' plugins


def test_an_interrupt_says_that_nothing_is_lost(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("bench.runner.Runner.run", interrupted)
    code, _, err = bench.run()
    assert code == 130
    assert "stopped; finished cells are kept, the same command goes on from there" in err


def test_another_packages_broken_plugin_is_left_out_with_a_warning(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = EntryPoint("theirs", "nowhere_to_be_found.methods", "tuning_bench.methods")
    monkeypatch.setattr("bench.registry._loaded", set())
    monkeypatch.setattr("bench.registry.entry_points", lambda group: [broken] if group == broken.group else [])
    code, out, err = bench("list", "methods")
    assert (code, "ptv2" in out) == (0, True)
    assert "warning: the plugin 'theirs' (nowhere_to_be_found.methods) is left out: ModuleNotFoundError" in err


def test_a_report_draws_layers_that_were_swept_in_both_directions(bench: Bench) -> None:
    for layers in ("1-1", "1-2", "2-2"):
        assert bench.run("--set", f"ptv2.layers={layers}")[0] == 0
    assert {record.provenance["layers"] for record in Store.open(Path("out")).records()} == {2}
    code, out, _ = bench("report", "out", "--format", "svg,tex")
    assert code == 0
    for name in ("ablation-superglue-layers.svg", "cost-superglue.svg", "paper-superglue.tex"):
        assert f"wrote out/report/{name}" in out
    text = Path("out/report/ablation-superglue-layers.svg").read_text()
    for words in ("ptv2, from the first layer up", "ptv2, from the last layer down", "number of layers"):
        assert words in text


def test_a_record_says_what_its_roundings_depend_on(bench: Any) -> None:
    assert bench.run("--token-budget", "96")[0] == 0
    (record,) = Store.open(Path("out")).records()
    shown = [record.provenance[name] for name in ("micro_batches", "token_budget", "deterministic")]
    assert shown == ["own", 96, True]
