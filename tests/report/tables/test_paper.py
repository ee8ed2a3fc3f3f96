"""LaTeX in the shape of the paper's tables: what stands where, what is bold, what is published, what is lacking."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pandas as pd
import pytest

from bench.report.files import collect
from bench.report.tables.paper import paper_table
from tests.report.conftest import write_report

AVERAGED = {"superglue": ("rte", "boolq", "cb")}
LARGE = "FacebookAI/roberta-large"


def latex_of(made: Any, ranks: pd.DataFrame | None = None) -> str:
    report = collect([made.path], AVERAGED)
    return paper_table(replace(report, ranks=report.ranks.head(0) if ranks is None else ranks), "superglue")


def lines(text: str) -> dict[str, list[str]]:
    """Per line of the table its first cell and the others."""
    cells = [line.removesuffix(r" \\").split(" & ") for line in text.splitlines() if line.endswith(r"\\")]
    return {first: rest for first, *rest in cells}


def sized(record: Any, cell: Any, score: float, size: int, **scores: float) -> Any:
    made = record(cell, score, **scores)
    return made.model_copy(update={"parameters": made.parameters.model_copy(update={"backbone": size})})


def test_models_go_down_by_size_tasks_across_and_methods_within_a_task(cell: Any, record: Any, store: Any) -> None:
    made = store(
        record(cell(task, model, method), 60.0)
        for task in ("cb", "wic", "rte")
        for model in ("org/large", "small", "medium")
        for method in ("lora", "ptv2")
    )
    text = latex_of(made)
    assert lines(text)[""] == [rf"\multicolumn{{2}}{{c}}{{{task} (accuracy)}}" for task in ("rte", "cb", "wic")]
    assert r"\cmidrule(lr){2-3}\cmidrule(lr){4-5}\cmidrule(lr){6-7}" in text
    assert lines(text)["model"] == ["lora", "ptv2"] * 3
    assert list(lines(text))[2:] == ["large (1M)", "small (20M)", "medium (110M)", "trivial"]
    assert lines(text)["trivial"] == [rf"\multicolumn{{2}}{{c}}{{{score}}}" for score in ("52.7", "50.0", "50.0")]


def test_an_entry_has_its_deviation_and_the_best_of_a_model_is_bold(cell: Any, record: Any, store: Any) -> None:
    made = store(
        record(cell(method=method, seed=seed), score + seed)
        for method, score in (("a", 59.0), ("b", 89.0), ("c", 88.96))
        for seed in range(3)
    )
    assert lines(latex_of(made, collect([made.path], AVERAGED).ranks))["small (20M)"] == [
        r"60.0\textsubscript{1.0}", r"\textbf{90.0}\textsubscript{1.0}", r"\textbf{90.0}\textsubscript{1.0}"
    ]  # fmt: skip


@pytest.mark.parametrize(("scores", "seeds"), [((69.0, 69.5), 3), ((40.0, 70.0), 1)])
def test_nothing_is_bold_where_nothing_is_told_apart(
    cell: Any, record: Any, store: Any, scores: tuple[float, float], seeds: int
) -> None:
    """Two lines within their spread, and two of one seed each, of which nothing is known."""
    made = store(
        record(cell(method=method, seed=seed), score + seed)
        for method, score in zip("ab", scores, strict=True)
        for seed in range(seeds)
    )
    assert r"\textbf" not in latex_of(made, collect([made.path], AVERAGED).ranks)


def test_one_method_alone_is_not_the_best(cell: Any, record: Any, store: Any) -> None:
    assert lines(latex_of(store([record(cell(), 60.0)])))["small (20M)"] == ["60.0"]


def test_what_is_not_told_apart_from_the_best_is_bold_too(cell: Any, record: Any, store: Any) -> None:
    made = store(record(cell(method=method), score) for method, score in (("a", 60.0), ("b", 69.0), ("c", 70.0)))
    ranks = pd.DataFrame(
        {"suite": "superglue", "task": "rte", "model": "small", "label": ["a", "b", "c"], "group": [2, 1, 1]}
    )
    text = latex_of(made, ranks)
    assert lines(text)["small (20M)"] == ["60.0", r"\textbf{69.0}", r"\textbf{70.0}"]
    assert "and what is not told apart from it" in text


def test_lacking_seeds_failures_and_what_nobody_asked_for_have_marks(cell: Any, record: Any, store: Any) -> None:
    records = [record(cell(), 60.0), record(cell(seed=1), status="failed", reason="x")]
    records += [record(cell("cb"), status="diverged", reason="y"), record(cell("cb", "medium"), 70.0)]
    text = latex_of(store(records))
    assert lines(text)["small (20M)"] == [r"60.0$^{\dagger}$", r"$\times$"]
    assert lines(text)["medium (110M)"] == ["--", "70.0"]
    assert r"$\dagger$: not all seeds are finished." in text


def test_published_numbers_are_a_row_under_the_model_they_are_of(cell: Any, record: Any, store: Any) -> None:
    made = store(
        sized(record, cell(task, model, method), 60.0, size)
        for task in ("rte", "wic")
        for model, size in ((LARGE, 355_000_000), ("other", 100))
        for method in ("ptv2", "lora")
    )
    text = latex_of(made)
    assert list(lines(text))[2:] == ["other (100)", "roberta-large (355M)", r"\quad published", "trivial"]
    assert lines(text)[r"\quad published"] == ["--", "89.5", "--", "73.4"]
    assert "Published: Liu et al. 2022" in text


def test_a_second_metric_has_columns_where_the_paper_gives_it(cell: Any, record: Any, store: Any) -> None:
    def answered(task: str) -> Any:
        made = record(cell(task), 80.0)
        return made.model_copy(update={"main_metric": "f1", "scores": {"f1": 80.0, "em": 70.0}})

    text = latex_of(store([answered("squad1"), answered("record")]))  # of ReCoRD the paper's table has F1 alone
    assert re.findall(r"\{c\}\{(\w+ \(\w+\))\}", text) == ["record (f1)", "squad1 (f1)", "squad1 (em)"]


def test_columns_beyond_the_page_go_into_blocks_below(cell: Any, record: Any, store: Any) -> None:
    made = store(record(cell(f"t{n}", method=method), 60.0) for n in range(7) for method in ("a", "b", "c", "d"))
    text = latex_of(made)
    assert re.findall(r"begin\{tabular\}\{(\w+)\}", text) == ["l" + "r" * 12, "l" + "r" * 12, "l" + "r" * 4]


@pytest.mark.parametrize(
    ("label", "expected", "key"),
    [("short", "short", False), ("prompt_tuning", r"\rotatebox{90}{prompt\_tuning}", False), ("m" * 40, "A", True)],
)
def test_long_headings_are_turned_and_very_long_ones_get_letters(
    label: str, expected: str, key: bool, cell: Any, record: Any, store: Any
) -> None:
    text = latex_of(store([record(cell(method=label), 60.0)]))
    assert lines(text)["model"] == [expected]
    assert (f"A: {label}." in text) is key


def test_the_caption_names_suite_protocol_budget_and_seeds_and_is_escaped(cell: Any, record: Any, store: Any) -> None:
    made = store(record(cell("a_b", suite="my_suite", seed=seed), 60.0) for seed in range(2))
    report = collect([made.path], {})
    text = paper_table(report, "my_suite")
    assert r"a\_b (accuracy)" in text
    for part in (
        r"\caption{Suite my\_suite. Protocol: holdout",
        r"Budget: 10 epochs $\times$ batch 32",
        "Seeds: 0--1.",
    ):
        assert part in text


def test_a_file_per_suite_is_written_beside_the_plain_table(cell: Any, record: Any, store: Any) -> None:
    made = store([record(cell(), 60.0), record(cell("ner", suite="tagging"), 60.0)])
    names = [path.name for path in write_report([made.path], {"tex"}, {})]
    kinds = ("recommendation", "table", "paper", "costs")
    assert names == [f"{kind}-{suite}.tex" for kind in kinds for suite in ("superglue", "tagging")]


def test_quotes_need_no_font_encoding(cell: Any, record: Any, store: Any) -> None:
    made = store([record(cell(), 60.0)])
    for path in write_report([made.path], {"tex"}, {}):
        assert "textquotedbl" not in path.read_text()  # LaTeX's default encoding lacks it
