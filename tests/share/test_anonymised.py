"""`bench report --anonymous`: no byte of it says whose results they are."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow.parquet as pq
import pytest
from PIL import Image

from bench.store.alone import Alone, alone_key, keep_alone
from bench.store.declarations import keep_suite
from bench.store.predictions import write_predictions
from bench.store.record import CurvePoint, Record
from bench.store.store import Store
from bench.task import Suite
from tests.report.conftest import RTE, make_cell, make_predicted

CANARY = re.compile(rb"(?i)canary[-_ a-z0-9]*|20(?:25|26)-\d\d-\d\d")
TRACES = (
    "/srv/canary-user/work", "canary-host", "https://canary-user:canary-token@git.example/canary-team/fork.git",
    "canary-env", "gpu-canary-4242-0a1b2c3d", "CANARY_VARIABLE=canary-value",
)  # fmt: skip
LINE = ", ".join(TRACES)


def bytes_of(folder: Path) -> Iterator[tuple[str, bytes]]:
    """Every file's bytes, of Parquet what they come to, and the words in a PNG."""
    for path in sorted(folder.rglob("*")):
        if path.suffix == ".parquet":
            table = pq.read_table(path)
            yield path.name, f"{table.to_pylist()} {table.schema.metadata}".encode()
        elif path.suffix == ".png":
            yield path.name, str(Image.open(path).info).encode()
        elif path.is_file():
            yield path.name, path.read_bytes()
        yield "names", path.name.encode()


def traces(folder: Path) -> dict[str, set[str]]:
    """By file what of the canaries, and which dates, are in it."""
    found: dict[str, set[str]] = {}
    for name, content in bytes_of(folder):
        words = {match.decode() for match in CANARY.findall(content)}
        if words:
            found.setdefault(name, set()).update(words)
    return found


def sung(cell: Any, wrong: int) -> tuple[Record, dict[str, Any]]:
    """A finished record that says all that a record can say of a machine, and more."""
    record, rows = make_predicted(cell, wrong, 60)
    provenance = {
        "command": ["bench", "run", "--models", "/srv/canary-user/canary-bert", "--out", "canary-results"],
        "platform": "Linux-6.8.0-canary-host-x86_64-with-glibc2.36", "git_commit": "c0ffee" * 6 + "+canary",
        "device": "cpu", "python": "3.11.7", "packages": {"tuning-bench": "0.9.0+canary", "torch": "2.8.0+cu128"},
        "proof": {"attention": "interface", "seconds": 1.0}, "environment": LINE, "layers": 2,
    }  # fmt: skip
    changes = {
        "provenance": provenance, "started": "2026-01-02T03:04:05+00:00", "finished": "2026-01-02T03:05:05+00:00",
        "found": {"trigger": "in /srv/canary-user/work/canary.txt"}, "selected_step": 2,
        "curve": [CurvePoint(step=n, epoch=n, train_loss=1 / n, scores={"accuracy": 50.0 + n}) for n in (1, 2)],
    }  # fmt: skip
    rows["id"] = [f"canary row {number}" for number in range(60)]
    rows["group"] = [f"canary group {number // 2}" for number in range(60)]
    return record.model_copy(update=changes), rows


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Results of an own model on an own task, and of a hub's model on a known one; one failed, one missing."""
    store = Store.create(tmp_path / "canary-results")
    own = Suite(name="canary-mails", tasks=(RTE.model_copy(update={"name": "canary-task", "fields": {}}),))
    keep_suite(store.path, own)
    places = {"model_path": "/srv/canary-user/models/canary-bert", "data_path": "/srv/canary-user/canary.csv"}
    known = {"model_path": f"canary-owner/bert@{'a' * 40}", "data_path": "/srv/canary-user/superglue"}
    cells = [
        *(make_cell("canary-task", "canary-bert", method, seed, suite="canary-mails", **places,
                    data_fingerprint="canary-data", model_fingerprint="canary-weights",
                    settings={"length": 20, "head": "linear", "file": "/srv/canary-user/canary"})
          for method in ("finetune", "ptv2") for seed in (0, 1, 2)),
        *(make_cell("rte", "canary-owner/bert", method, seed, **known)
          for method in ("finetune", "ptv2") for seed in (0, 1, 2)),
    ]  # fmt: skip
    store.write_plan([*cells, make_cell("rte", "canary-owner/bert", "bitfit", 0, **known)])
    for number, cell in enumerate(cells[:-1]):
        record, rows = sung(cell, 5 + number)
        store.write(record, {"predictions.parquet": lambda path, rows=rows: write_predictions(path, rows)})
    failed = sung(cells[-1], 3)[0].model_copy(
        update={
            "status": "failed", "scores": {}, "reason": f"ValueError: {LINE} (canary.py:12)",
            "traceback": f'File "/srv/canary-user/canary.py", line 12\nValueError: {LINE}',
        }
    )  # fmt: skip
    store.write(failed)
    keep_alone(store.path, Alone(key=alone_key(cells[0]), device="cpu", steps=3, num_steps=9, train_seconds=1.0,
                                 evaluate_seconds=1.0, peak_bytes=10**8, measured="2026-01-02T03:04:05"))  # fmt: skip
    return store.path


def test_no_byte_says_whose_results_they_are(bench: Any, folder: Path, tmp_path: Path) -> None:
    code, out, err = bench("report", folder, "--anonymous", "--to", tmp_path / "blind")
    assert code == 0, err
    assert traces(tmp_path / "blind") == {}
    assert CANARY.findall(f"{out}{err}".replace(str(tmp_path), "").encode()) == []
    names = {path.name for path in (tmp_path / "blind").iterdir()}
    assert {"report.html", "table-superglue.csv", "table-suite 1.csv", "scale-suite 1.png"} <= names
    page = (tmp_path / "blind" / "report.html").read_text()
    ids = {path.name for path in (folder / "cells").iterdir()}
    assert [cell_id for cell_id in ids if cell_id in page] == []
    assert "bench report results --format html" in page


def test_the_numbers_are_those_of_the_report_with_names(bench: Any, folder: Path, tmp_path: Path) -> None:
    for to, words in (("named", ()), ("blind", ("--anonymous",))):
        assert bench("report", folder, "--to", tmp_path / to, "--format", "csv", *words)[0] == 0
    for kind in ("table", "verdicts", "recommendation", "costs"):
        for suite, alias in (("superglue", "superglue"), ("canary-mails", "suite 1")):
            named, blind = (
                pd.read_csv(tmp_path / to / f"{kind}-{name}.csv") for to, name in (("named", suite), ("blind", alias))
            )
            numbers = named.select_dtypes("number").columns
            pd.testing.assert_frame_equal(named[numbers], blind[numbers])
    blind = pd.read_csv(tmp_path / "blind" / "table-suite 1.csv")
    assert (set(blind["model"]), set(blind["task"])) == ({"model 1"}, {"task 1", "average"})
    assert set(pd.read_csv(tmp_path / "blind" / "table-superglue.csv")["model"]) == {"bert"}


def test_what_cannot_be_read_is_counted_and_not_named(bench: Any, folder: Path, tmp_path: Path) -> None:
    first = next((folder / "cells").iterdir())
    (first / "record.json").write_text(f"{{{LINE}")
    code, _, err = bench("report", folder, "--anonymous", "--to", tmp_path / "blind")
    assert (code, err.count("left out: a file of results that cannot be read")) == (0, 1)
    assert traces(tmp_path / "blind") == {}


def test_a_notebook_writes_the_same(folder: Path, tmp_path: Path) -> None:
    import bench

    bench.load(folder).report(tmp_path / "blind", anonymous=True)
    assert traces(tmp_path / "blind") == {}


def test_two_folders_are_two_numbers(bench: Any, folder: Path, tmp_path: Path) -> None:
    other = folder.with_name("canary-other")
    folder.rename(other)
    Store.create(folder)
    code, _, err = bench("report", folder, other, "--anonymous", "--to", tmp_path / "blind", "--format", "html")
    assert code == 0, err
    assert "bench report &#39;results 1&#39; &#39;results 2&#39;" in (tmp_path / "blind" / "report.html").read_text()
