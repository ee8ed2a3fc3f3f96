"""The page as a file: it needs nothing else, shows every number's cells, and takes nothing from data sets as markup."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from bench.escaping.unseen import visible
from bench.report.files import collect, write
from bench.report.page import html
from bench.report.page.cells import MOST_POINTS
from bench.report.tables.report import Report
from bench.store.examples import examples_key, write_examples
from bench.store.predictions import write_predictions
from bench.store.record import CurvePoint, Record
from bench.store.store import Store

HOSTILE = "<script>alert(1)</script><img src=x onerror=alert(2)><!-- \u2028 ]]>"
NAMED = HOSTILE.replace("/", "|").replace("\u2028", "")  # as far as names of methods and tasks can be
NAMESPACE = "http://www.w3.org/2000/svg"  # a name, which nothing fetches


def add(store: Store, record: Record, texts: Mapping[str, str], label: str = "yes", said: str = "no") -> None:
    """A finished cell with predictions of the examples `texts` (by id), which are kept too."""
    ids = list(texts)
    empty: dict[str, Any] = {name: [None] * len(ids) for name in ("group", "query", "null_margin")}
    table = {"id": ids, "label": [[label]] * len(ids), "predicted": [[said]] * len(ids), **empty}
    table |= {"candidates": [[]] * len(ids), "probabilities": [[1.0]] * len(ids)}
    store.write(record, {"predictions.parquet": lambda path: write_predictions(path, table)})
    fields = [[("text", text)] for text in texts.values()]
    kept = {"id": ids, "fields": fields, "words": [[]] * len(ids), "candidates": [[]] * len(ids)}
    store.write_examples(
        examples_key(record.cell), lambda path: write_examples(path, kept, record.cell.task, "classification")
    )


def written(report: Report, to: Path, samples: int = 10) -> str:
    (path,) = write(report, {"html"}, to=to, samples=samples)
    assert path.name == "report.html"
    return path.read_text(encoding="utf-8")


def page_of(store: Store, samples: int = 10) -> str:
    """The page without its figures, which take most of the time."""
    return html.page(collect([store.path], {}), (), samples)


def drawn_page_of(store: Store) -> str:
    return written(collect([store.path], {}), store.path / "report")


def data_of(page: str) -> Any:
    (found,) = re.findall(r'<script type="application/json" id="data">(.*?)</script>', page, re.S)
    return json.loads(found)


def cells_of(page: str) -> list[dict[str, Any]]:
    data = data_of(page)
    return [dict(zip(data["columns"], row, strict=False)) for row in data["rows"]]


class Reader(HTMLParser):
    """The elements of a page with their attributes, and its text."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attributes)))

    def handle_data(self, data: str) -> None:
        self.text.append(data)

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]


def test_the_page_asks_for_nothing_from_elsewhere(cell: Any, record: Any, store: Any) -> None:
    page = drawn_page_of(store([record(cell(model=model), 60.0) for model in ("small", "large")]))
    assert set(re.findall(r"\w+://[^\s\"'<>;)]*", page)) <= {NAMESPACE}
    assert not re.search(r"@import|@font-face|url\((?!#)", page)
    read = Reader(page)
    for _, attributes in read.elements:
        targets = [attributes.get(name) for name in ("src", "href", "action", "data", "poster", "srcset")]
        assert all(target is None or target.startswith("#") for target in targets), attributes
        assert not [name for name in attributes if name.startswith("on")]
    assert len(read.all("script")) == 2
    (policy,) = [meta["content"] for meta in read.all("meta") if meta.get("http-equiv") == "Content-Security-Policy"]
    assert policy is not None
    assert policy.startswith("default-src 'none';")
    assert "script-src 'sha256-" in policy


def test_ids_are_unique_and_every_reference_has_its_id(cell: Any, record: Any, store: Any) -> None:
    records = [record(cell(task, model), 60.0) for task in ("rte", "cb") for model in ("small", "large")]
    page = drawn_page_of(store(records))
    read = Reader(page)
    ids = [attributes["id"] for _, attributes in read.elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    wanted = set(re.findall(r'(?:href="#|url\(#)([^")]+)', page))
    assert wanted
    assert wanted - set(ids) == set()


def test_text_from_data_settings_and_errors_stays_text(cell: Any, record: Any, store: Any) -> None:
    made = store(
        [
            record(cell(model=HOSTILE, method=NAMED, given={"length": HOSTILE}), 60.0),
            record(cell(task=NAMED, seed=1, settings={"head": HOSTILE}), None, "failed", f"ValueError: {HOSTILE}"),
        ]
    )
    add(made, record(cell(seed=7), 50.0), {HOSTILE: HOSTILE}, HOSTILE, HOSTILE)
    page = drawn_page_of(made)
    read = Reader(page)
    assert [name for name, _ in read.elements if name in ("img", "iframe", "object")] == []
    assert len(read.all("script")) == 2
    assert "<!--" not in page
    assert "\u2028" not in page[page.index('id="data"') :].split("</script>")[0]
    assert any(visible(HOSTILE) in text for text in read.text)  # the failure's reason, as text
    data = data_of(page)
    (examples,) = data["examples"].values()
    assert examples == [
        {"id": HOSTILE, "label": [HOSTILE], "fields": [["text", HOSTILE]], "words": [], "candidates": []}
    ]
    (said,) = [one["said"] for one in cells_of(page) if one.get("said")]
    assert said == [[HOSTILE]]


def test_every_number_opens_the_cells_behind_it(cell: Any, record: Any, store: Any) -> None:
    records = [record(cell(task, method=method, seed=seed), 60.0 + seed)
               for task in ("rte", "cb") for method in ("ptv2", "finetune") for seed in (0, 1)]  # fmt: skip
    page = page_of(store(records))
    data, cells = data_of(page), cells_of(page)
    buttons = [button for button in Reader(page).all("button") if "data-metric" in button]
    assert len(buttons) == 2 * 3  # two lines; two tasks and the average
    for button in buttons:
        entry = data["entries"][int(button["data-entry"] or "")]
        parts = [data["entries"][part] for part in entry.get("parts", [])] or [entry]
        for part in parts:
            behind = [cells[number] for number in part["cells"]]
            assert [one["seed"] for one in behind] == [0, 1]
            assert [one["scores"] for one in behind] == [[60], [61]]
            assert {one["id"] for one in behind} == {
                each.id for each in records if (each.cell.task, each.cell.method) == (part["task"], part["method"])
            }
        assert len(parts) == (2 if entry["task"] == "average" else 1)


def test_failed_and_missing_cells_are_listed(cell: Any, record: Any, store: Any) -> None:
    cells = [cell(seed=seed) for seed in range(4)]
    made = store(
        [record(cells[0], 60.0), record(cells[1], None, "failed", "RuntimeError: it broke"),
         record(cells[2], None, "diverged", "the loss was nan at step 3")], planned=cells,
    )  # fmt: skip
    page = page_of(made)
    text = " ".join(Reader(page).text)
    for line in ("failed, seed 1: RuntimeError: it broke", "diverged, seed 2: the loss was nan", "missing, seed 3"):
        assert f"small · ptv2 · rte: {line}" in text
    assert "3 of 4 cells have no score" in text
    assert [one["status"] for one in cells_of(page)] == ["done", "failed", "diverged", "missing"]


def test_one_seed_gives_a_page_without_intervals(cell: Any, record: Any, store: Any) -> None:
    page = page_of(store([record(cell(), 60.0), record(cell(method="finetune"), 61.0)]))
    for entry in data_of(page)["entries"]:
        for stats in entry["stats"]:
            assert (stats["low"], stats["high"], stats["sd"]) == (None, None, None)
    assert not re.search(r"\bnan\b", page.split("<script", 1)[0], re.I)


def test_empty_results_give_a_page_that_says_so(store: Any) -> None:
    page = page_of(store())
    assert "<h1>Nothing was measured</h1>" in page
    assert data_of(page)["rows"] == []


def test_a_cell_shows_what_it_was_measured_with(cell: Any, record: Any, store: Any) -> None:
    points = [CurvePoint(step=n, epoch=n, train_loss=1 / n, scores={"accuracy": float(n)}) for n in range(1, 101)]
    made = record(cell(), 60.0).model_copy(
        update={"curve": points, "selected_step": 37, "provenance": {"command": ["bench", "run", "--seeds", "1 2"]}}
    )
    page = page_of(store([made]))
    data, (one,) = data_of(page), cells_of(page)
    assert data["settings"][one["settings"]] == {"length": 20, "head": "linear"}
    assert data["setups"][one["setup"]]["protocol"] == "holdout"
    costs = dict(zip(data["fields"]["costs"], one["costs"], strict=True))
    assert (costs["train_seconds"], costs["steps"]) == (60, 780)
    steps, losses, scores = one["curve"]
    assert {1, 37, 100} <= set(steps)
    assert len(steps) <= MOST_POINTS
    assert (losses[0], scores[-1]) == (1, 100)
    assert "bench run --seeds &#39;1 2&#39;" in page


def test_a_chosen_cell_shows_the_trials_its_settings_were_chosen_from(cell: Any, record: Any, store: Any) -> None:
    tried = [cell(seed=9, stage="trial", settings={"length": n}, drawn={"length": n}) for n in (8, 20, 40)]
    scored = cell(trials=3, drawn={"length": 20}, tried=tuple(trial.id for trial in tried))
    done = [record(trial, 0.0).model_copy(update={"selection_score": 50.0 + n}) for n, trial in enumerate(tried[:2])]
    page = page_of(store([*done, record(tried[2], None, "diverged", "the loss was nan"), record(scored, 60.0)]))
    (one,) = cells_of(page)  # trials are no lines of a table
    assert data_of(page)["trials"][one["tried"]] == [
        [tried[0].id, {"length": 8}, 50, "done"],
        [tried[1].id, {"length": 20}, 51, "done"],
        [tried[2].id, {"length": 40}, None, "diverged"],
    ]
    assert "<h3>Chosen settings</h3>" in page


def test_samples_are_the_same_examples_for_every_cell_of_a_task(cell: Any, record: Any, store: Any) -> None:
    made = store()
    texts = {str(number): f"text {number}" for number in range(100)}
    for seed, said in ((0, "yes"), (1, "no")):
        add(made, record(cell(seed=seed), 60.0), texts, "yes", said)
    page = page_of(made, samples=4)
    (examples,) = data_of(page)["examples"].values()
    assert [example["id"] for example in examples] == ["12", "37", "62", "87"]
    assert examples[0]["fields"] == [["text", "text 12"]]
    assert [(one["said"][0], one["right"]) for one in cells_of(page)] == [(["yes"], [1] * 4), (["no"], [0] * 4)]


def test_without_samples_no_text_of_the_data_is_on_the_page(cell: Any, record: Any, store: Any) -> None:
    made = store()
    add(made, record(cell(), 60.0), {"1": "a licensed text"})
    assert "a licensed text" in page_of(made)
    page = page_of(made, samples=0)
    assert "a licensed text" not in page
    assert "All predictions, as was asked for" in page


def test_a_page_does_without_texts_and_with_files_that_are_broken(cell: Any, record: Any, store: Any) -> None:
    made = store()
    add(made, record(cell(), 60.0), {"1": "the text"})
    add(made, record(cell(seed=1), 60.0), {"1": "the text"})
    (kept,) = made.path.glob("examples/*.parquet")
    kept.write_bytes(b"half")
    (made.cell_folder(cell(seed=1).id) / "predictions.parquet").write_bytes(b"")
    page = page_of(made)
    (examples,) = data_of(page)["examples"].values()
    assert (examples[0]["id"], examples[0]["fields"], examples[0]["label"]) == ("1", [], ["yes"])
    assert ["said" in one and one["said"] is not None for one in cells_of(page)] == [True, False]


def test_many_cells_lose_curves_and_samples_and_the_page_says_so(
    cell: Any, record: Any, store: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bench.report.page.cells.MOST_SAMPLED", 2)
    monkeypatch.setattr("bench.report.page.cells.MOST_CURVES", 3)
    made = store()
    curve = [CurvePoint(step=n, epoch=n, train_loss=1, scores={"accuracy": 1}) for n in (1, 2)]
    for task in ("rte", "cb"):
        for seed in range(2):
            done = record(cell(task, seed=seed), 60.0).model_copy(update={"curve": curve})
            add(made, done, {"1": "text"})
    page = page_of(made)
    entries, cells = data_of(page)["entries"], cells_of(page)
    sampled = {(entries[one["entry"]]["task"], one["seed"]) for one in cells if one.get("said")}
    assert sampled == {("cb", 0), ("rte", 0)}  # every entry's first seed before any second
    assert sum("curve" in one and one["curve"] is not None for one in cells) == 3
    text = " ".join(Reader(page).text)
    assert "The samples of predictions of 2 of 4 cells" in text
    assert "The curves of 1 of 4 cells" in text
