"""The schema of a record is documented: every field has a line in results/README.md."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from pydantic import BaseModel

from bench.cell import Budget, Cell
from bench.store.record import Costs, Counts, CurvePoint, Parameters, Record

README = (Path(__file__).parents[2] / "results" / "README.md").read_text()
HEADINGS = {
    "field": Record, "field of `cell`": Cell, "field of `budget`": Budget, "field of a `curve` entry": CurvePoint,
    "field of `counts`": Counts, "field of `parameters`": Parameters, "field of `costs`": Costs,
}  # fmt: skip


@pytest.mark.parametrize(("heading", "kind"), HEADINGS.items(), ids=[kind.__name__ for kind in HEADINGS.values()])
def test_every_field_has_its_line_and_every_line_its_field(heading: str, kind: type[BaseModel]) -> None:
    table = README.partition(f"| {heading} | is |\n")[2].partition("\n\n")[0]
    assert set(re.findall(r"^\| `(\w+)` \|", table, flags=re.MULTILINE)) == set(kind.model_fields)
