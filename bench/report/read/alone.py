"""What a cell costs alone: as it was measured, or a bound and a share where it shared its loop."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

from bench.store.alone import Alone, alone_key, kept_alone
from bench.store.record import Record
from bench.store.store import Store

MEASURED, PREDICTED = "measured", "predicted"
Measurements = Mapping[tuple[str, str], Alone]  # by cell (bench.store.alone.alone_key) and device
UNKNOWN: dict[str, Any] = {"lanes": math.nan, "alone": "", "alone_seconds": math.nan, "alone_peak_bytes": math.nan}


def measurements(stores: Iterable[Store], problems: list[str] | None) -> Measurements:
    """Those that results folders keep; what cannot be read goes to `problems`, or is a UsageError without them."""
    found: dict[tuple[str, str], Alone] = {}
    for store in stores:
        kept, broken = kept_alone(store.path)
        if broken and problems is None:
            raise broken[0]
        if problems is not None:
            problems += [f"left out: {error}" for error in broken]
        for each in kept.values():
            found.setdefault((each.key, each.device), each)
    return found


def measured_alone(record: Record, known: Measurements) -> Alone | None:
    """What was measured of a finished record's cell on its device, where its own loop or the device was shared."""
    if record.status != "done" or not record.was_shared or not known:
        return None
    return known.get((alone_key(record.cell), str(record.provenance.get("device"))))


def alone_costs(record: Record | None, measured: Alone | None) -> dict[str, Any]:
    """`lanes`, and `alone_seconds` of training and evaluating and `alone_peak_bytes` with how they are known (`alone`).

    `measured`: the cell was alone in its loop and on its device, or its like was measured so. `predicted`: it was not;
    its seconds are then its part of the loop's by tokens, of a loop that had a part of the device where workers shared
    it; its bytes are the whole loop's, which it alone does not exceed.
    """
    if record is None or record.status != "done":
        return UNKNOWN
    costs = record.costs
    seconds, peak = costs.train_seconds + costs.evaluate_seconds, float(costs.peak_bytes)
    if measured is not None:
        seconds, peak = measured.train_seconds + measured.evaluate_seconds, float(measured.peak_bytes)
    how = PREDICTED if record.was_shared and measured is None else MEASURED
    return {"lanes": float(costs.lanes), "alone": how, "alone_seconds": seconds, "alone_peak_bytes": peak}
