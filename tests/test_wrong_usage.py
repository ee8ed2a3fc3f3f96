"""What is typed wrong is answered in one line that says what to type."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

WRONG = [
    (["rum"], "unknown command 'rum'; did you mean 'run'? known: check, "),
    (["superglue"], "unknown command 'superglue'; known: "),
    (["run", "superglue"], "bench run cannot take 'superglue' alone: it is a suite; give --suite superglue; see "),
    (["run", "--methods", "ptv2", "finetune"], "a method; give --methods finetune, several with commas between them"),
    (["run", "rte"], "it is a task; give --tasks rte, several with commas between them"),
    (["run", "pythia"], "it is a model; give --models pythia"),
    (["run", "grid.toml"], "bench run cannot take 'grid.toml' alone; give --config grid.toml"),
    (["run", "mine.py"], "give --plugin mine.py"),
    (["run", "nowhere.toml"], "bench run cannot take 'nowhere.toml': it takes no such argument"),
    (["run", "–methods", "ptv2"], "bench run cannot take '–methods': a flag begins with two hyphens: --methods"),
    (["run", "-methods", "ptv2"], "unknown flag -methods of bench run; did you mean --methods? see bench run --help"),
    (["run", "--max_length", "3"], "unknown flag --max_length of bench run; did you mean --max-length?"),
    (["run", "--method=ptv2"], "unknown flag --method of bench run; did you mean --methods?"),
    (["report", "--formats", "md"], "unknown flag --formats of bench report; did you mean --format? see bench report"),
    (["report", "--watch"], "unknown flag --watch of bench report; bench status can have it; see bench report --help"),
    (["--methods", "ptv2"], "unknown flag --methods of bench; bench run and bench check can have it; see bench --help"),
    (["run", "--frobnicate"], "unknown flag --frobnicate of bench run; see bench run --help"),
    (["run", "--methods"], "--methods needs a value: --methods NAME,…; see bench run --help"),
    (["run", "--methods", "--plan"], "--methods needs a value before --plan: --methods NAME,…; see bench run --help"),
    (["run", "--tasks", "rte"], "unknown task of suite 'smoke' 'rte'; known: consequence, entailment, entities, "),
    (["run", "--tasks", "rte"], "sentiment. It is a task of glue, superglue, universal: --suite glue."),
    (["run", "--tasks", "entailmnet"], "did you mean 'entailment'?"),
    (["run", "--epochs", "x"], "--epochs: it must be a whole number; see bench run --help"),
    (["report", "--margin", "x"], "--margin: it must be a number; see bench report --help"),
    (["run", "--plan=yes"], "'--plan' does not take a value; see bench run --help"),
    (["show"], "bench show needs CELL: Id, or how it begins; see bench show --help"),
    (["list", "method"], "unknown listing 'method'; did you mean 'methods'?"),
    (["show", "00", "01"], "bench show cannot take '01': it takes no such argument"),
]  # fmt: skip


@pytest.mark.parametrize(("typed", "line"), WRONG, ids=[" ".join(typed) for typed, _ in WRONG])
def test_wrong_usage_is_one_line_with_what_to_type(bench: Any, typed: list[str], line: str) -> None:
    Path("grid.toml").write_text("seeds = 1\n")
    Path("mine.py").write_text("")
    assert line in bench.refusal(*bench(*typed))


def test_a_word_of_any_length_is_refused_in_a_line_that_is_read(bench: Any) -> None:
    for word in ("–" + "x" * 5_000, "-" + "x" * 5_000, "x" * 5_000, "--" + "x" * 5_000):
        assert len(bench.refusal(*bench("run", word))) < 500


@pytest.mark.parametrize("typed", [["show", "00"], ["export", "00", "--to", "there"], ["status"], ["report"]])
def test_a_place_without_results_is_told_what_makes_some(bench: Any, typed: list[str]) -> None:
    assert "no results folder under results/; make one with `bench run`" in bench.refusal(*bench(*typed))


def test_a_model_that_is_nowhere_is_answered_with_the_one_that_was_meant(bench: Any) -> None:
    assert "did you mean 'roberta-large'?" in bench.refuses("--models", "roberta-lrge")
    assert "did you mean 'pythia:70m'?" in bench.refuses("--models", "pythai:70m")
    assert "did you mean 'tiny'?" in bench.refuses("--models", "tinny")
    for another in ("roberta-base", "xlnet-large-cased"):
        assert "did you mean" not in bench.refuses("--models", another)
