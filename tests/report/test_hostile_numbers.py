"""Whatever number a stranger's record has, in whichever of its fields, a report is made of all that are numbers."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from bench.store.store import Store
from tests.conftest import Bench
from tests.report.conftest import make_cell, make_record
from tests.report.test_hostile_records import changed, full_record, places, put

NUMBERS = (10**400, 2**63, 2**62, 2**53, -1, -5e-4, 1e308, 1e-99, 1e-320, float("inf"), float("nan"))
HONEST = [60.0, 61.0]


@pytest.mark.parametrize("number", NUMBERS, ids=lambda number: str(number)[:8])
def test_a_report_is_made_and_what_others_say_stays_as_it_was(number: float, bench: Bench, tmp_path: Path) -> None:
    """A record for every field that has a number, with this one there; whether it is left out is not asked."""
    store, base = Store.create(tmp_path / "results"), full_record().model_dump(mode="json")
    for seed, score in enumerate(HONEST):
        for method in ("finetune", "lora"):
            store.write(make_record(make_cell(seed=seed, method=method), score))
    kept = set()
    for seed, place in enumerate(places(base, int, float), start=100):
        kept.add(put(store.path, changed(changed(base, ("cell", "seed"), seed), place, number)))
    assert len(kept) > 1 or number != number or abs(number) > 1e300
    code, _, err = bench("report", store.path, "--format", "md,csv,tex,svg,html", "--to", tmp_path / "report")
    assert (code, "error" in err) == (0, False)
    (table,) = (pd.read_csv(path) for path in (tmp_path / "report").glob("table-*.csv"))
    honest = table[table["method"].isin(["finetune", "lora"]) & (table["metric"] == "accuracy")]
    assert list(honest["mean"]) == pytest.approx([sum(HONEST) / 2] * len(honest))
    assert len(honest) >= 2
