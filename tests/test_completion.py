"""Completion, through the words that a shell hands over."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from bench.store.store import Store

ROOT = Path(__file__).parent.parent


@pytest.fixture
def complete(bench: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """What bash is told for a line as typed, the last word being the one that is completed."""

    def completions(*pieces: str) -> list[str]:
        monkeypatch.setenv("_BENCH_COMPLETE", "complete_bash")
        monkeypatch.setenv("COMP_WORDS", "\n".join(["bench", *pieces]))
        monkeypatch.setenv("COMP_CWORD", str(len(pieces)))
        code, out, err = bench()
        assert (code, err) == (0, "")
        return out.split()

    return completions


KNOWN = [
    (["sta"], ["status"]),
    (["run", "--meth"], ["--methods"]),
    (["run", "--methods", "pr"], ["prefix_tuning", "prompt_tuning", "prompting"]),
    (["run", "--methods", "al"], ["all"]),
    (["run", "--methods", "ptv2,fi"], ["ptv2,finetune"]),
    (["run", "--methods", "ptv2,pt"], ["ptv2,ptuning_v1"]),
    (["run", "--suite", "s"], ["smoke", "srl", "superglue"]),
    (["run", "--suite", "superglue", "--tasks", "rte,w"], ["rte,wic", "rte,wsc"]),
    (["run", "--tasks", "ent"], ["entailment", "entities"]),
    (["run", "--models", "tiny,ro"], ["tiny,roberta-large"]),
    (["run", "--models", "pythia", ":", "1."], ["1.4b"]),
    (["run", "--suite", "=", "sm"], ["smoke"]),
    (["run", "--methods", "ptv2", "--set", "ptv2.le"], ["ptv2.learning_rate=", "ptv2.length="]),
    (["run", "--set", "ia3.feed"], ["ia3.feedforward="]),
    (["run", "--sweep", "budget.ep"], ["budget.epochs="]),
    (["run", "--vary", "init,o"], ["init,order"]),
    (["run", "--precision", "b"], ["bf16"]),
    (["run", "--protocol", ""], ["holdout", "paper"]),
    (["report", "--format", "md,h"], ["md,html"]),
    (["list", "m"], ["methods", "models"]),
    (["check", "--methods", "bit"], ["bitfit"]),
]  # fmt: skip


@pytest.mark.parametrize(("typed", "wanted"), KNOWN, ids=[" ".join(typed) for typed, _ in KNOWN])
def test_names_are_completed(complete: Any, typed: list[str], wanted: list[str]) -> None:
    assert complete(*typed) == wanted


def test_ids_of_cells_are_completed_from_all_results_or_those_named(complete: Any) -> None:
    for folder, names in (("results/a", ["00aa", "01bb"]), ("results/b", ["00cc", "00aa"]), ("other", ["00dd"])):
        store = Store.create(Path(folder))
        for name in names:
            store.cell_folder(name).mkdir(parents=True)
    assert complete("show", "00") == ["00aa", "00cc"]
    assert complete("show", "--in", "other", "") == ["00dd"]
    assert complete("export", "--to", "there", "01") == ["01bb"]
    assert complete("status", "results/") == ["results/a", "results/b"]
    assert complete("report", "results/b") == ["results/b"]


def test_a_shell_gets_it_from_a_process_of_its_own_that_loads_nothing_heavy() -> None:
    words = {"COMP_WORDS": "bench\nrun\n--set\nptv2.len", "COMP_CWORD": "3", "_BENCH_COMPLETE": "complete_bash"}
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-c", "from bench.cli import main; main()"],
        env=os.environ | words, cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout.split()) == (0, ["ptv2.length="])
    loaded = {line.rsplit("|", 1)[1].strip() for line in done.stderr.splitlines() if "|" in line}
    assert "typer" in loaded
    assert loaded & {"torch", "transformers", "datasets", "pandas", "numpy", "rich.console"} == set()


@pytest.mark.parametrize(("shell", "mark"), [("zsh", "_TYPER_COMPLETE_ARGS"), ("fish", "_TYPER_COMPLETE_ARGS")])
def test_other_shells_are_told_what_a_cell_is(
    bench: Any, monkeypatch: pytest.MonkeyPatch, shell: str, mark: str
) -> None:
    assert bench.run("--out", "results/a")[0] == 0
    (record,) = Store.open(Path("results/a")).records()
    monkeypatch.setenv("_BENCH_COMPLETE", f"complete_{shell}")
    monkeypatch.setenv(mark, f"bench show {record.id[:3]}")
    monkeypatch.setenv("_TYPER_COMPLETE_FISH_ACTION", "get-args")
    out = bench()[1]
    assert record.id in out
    assert "rte · ptv2 · seed 0" in out
