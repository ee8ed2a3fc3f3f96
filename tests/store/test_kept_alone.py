"""Measurements of cells alone, beside the records: written whole, read or left out by name."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from bench.store.alone import Alone, alone_key, keep_alone, kept_alone
from bench.store.seal import sealed
from tests.report.conftest import make_cell as cell


def measurement(key: str = "0123456789abcdef", **changes: Any) -> Alone:
    fields: dict[str, Any] = {
        "key": key, "device": "here", "steps": 9, "num_steps": 90, "train_seconds": 1.5, "evaluate_seconds": 0.5,
        "peak_bytes": 10**9, "measured": "2026-01-01T00:00:00+00:00",
    }  # fmt: skip
    return Alone(**(fields | changes))


def test_what_was_kept_is_read_again(tmp_path: Path) -> None:
    keep_alone(tmp_path, measurement())
    keep_alone(tmp_path, measurement("f" * 16))
    assert kept_alone(tmp_path) == ({"0123456789abcdef": measurement(), "f" * 16: measurement("f" * 16)}, [])


def test_cells_that_differ_by_their_seeds_have_one_key() -> None:
    assert alone_key(cell(seed=3)) == alone_key(cell(seed=4)) == alone_key(cell(seed=0, streams={"order": 3}))
    assert alone_key(cell(seed=3)) != alone_key(cell(seed=3, settings={"length": 8}))


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("{", "no measurement that can be read here"),
        ('{"format": 3}', "format"),
        (json.dumps(measurement().model_dump() | {"peak_bytes": -1}), "peak_bytes"),
        (json.dumps(measurement().model_dump() | {"train_seconds": float("inf")}), "train_seconds"),
        (json.dumps(measurement().model_dump() | {"train_seconds": float("nan")}), "train_seconds"),
        (json.dumps(measurement().model_dump() | {"peak_bytes": 10**400}), "peak_bytes"),
        ('{"format": 2, "peak_bytes": ' + "9" * 5_000 + "}", "no measurement that can be read here"),
        (json.dumps([1]), "no measurement that can be read here"),
        (json.dumps(measurement().model_dump() | {"command": "rm"}), "command"),
        (json.dumps(measurement().model_dump()), "no checksum"),
        (sealed(measurement("f" * 16).model_dump_json(indent=1)), "of another cell"),
        (sealed(measurement("f" * 16).model_dump_json(indent=1)).replace("f", "e"), "its checksum is another one"),
        ("\udcff", "cannot be read"),
    ],
)
def test_what_cannot_be_read_is_left_out_and_named(tmp_path: Path, text: str, reason: str) -> None:
    keep_alone(tmp_path, measurement("a" * 16))
    path = tmp_path / "alone" / "0123456789abcdef.json"
    path.write_bytes(text.encode(errors="surrogateescape"))
    found, (problem,) = kept_alone(tmp_path)
    assert set(found) == {"a" * 16}
    assert str(path) in str(problem)
    assert reason in str(problem)
