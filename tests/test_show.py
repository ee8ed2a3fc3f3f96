"""`bench show`: readable at a terminal, a record for programs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from bench.escaping.terminal import Screen
from bench.store.record import Record
from bench.store.store import Store


def shown(bench: Any, monkeypatch: pytest.MonkeyPatch, *words: str, width: int = 80) -> str:
    """What a terminal of that width shows."""

    def terminal(**settings: Any) -> Screen:
        settings = {"width": width, "force_terminal": True, "color_system": None, **settings}
        return Screen(**settings)

    monkeypatch.setattr("bench.commands.show.Screen", terminal)
    code, out, _ = bench("show", *words)
    assert code == 0
    return str(out)


@pytest.mark.parametrize("width", [80, 60])
def test_a_terminal_shows_what_a_cell_came_to(bench: Any, monkeypatch: pytest.MonkeyPatch, width: int) -> None:
    assert bench.run("--steps", "6", "--set", "ptv2.length=4")[0] == 0
    (record,) = Store.open(Path("out")).records()
    text = shown(bench, monkeypatch, record.id[:6], "--in", "out", width=width)
    lines = [line.rstrip() for line in text.splitlines()]
    assert max(map(len, lines)) <= width
    assert lines[0] == f"{record.cell.model} · superglue rte · ptv2 (length=4) · seed 0"
    assert lines[1] == f"accuracy {record.scores['accuracy']:.1f} (trivial {record.trivial['accuracy']:.1f})"
    said = " ".join(text.split())
    for words in (
        f"cell {record.id} in out", "length=4", "6 steps × batch 4", "holdout, fp32",
        f"{record.counts.train:,} trained on", f"{record.parameters.trained:,} trained", "tokens/s", "MB at most",
        record.finished,
    ):  # fmt: skip
        assert words in said
    rows = [line.split() for line in lines if line.endswith("chosen")]
    assert [row[0] for row in rows] == [str(record.selected_step)]
    assert sum(line.split()[:1] == [str(point.step)] for line in lines for point in record.curve) == len(record.curve)


def test_programs_get_the_record_whatever_the_terminal(bench: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    assert bench.run()[0] == 0
    (record,) = Store.open(Path("out")).records()
    assert Record.model_validate(json.loads(bench("show", record.id, "--in", "out")[1])) == record
    assert Record.model_validate(json.loads(shown(bench, monkeypatch, record.id, "--in", "out", "--json"))) == record


def test_a_failed_cell_says_why(bench: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("no luck today")

    monkeypatch.setattr("bench.methods.ptv2.PTuningV2.attach", broken)
    assert bench.run()[0] == 1
    (record,) = Store.open(Path("out")).records()
    assert "failed: RuntimeError: no luck today" in shown(bench, monkeypatch, record.id, "--in", "out")
