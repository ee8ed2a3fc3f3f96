"""The table of costs: rates over all training seconds, shares of the whole, and a dash for what was not measured."""

from __future__ import annotations

from typing import Any

from bench.report.read.frame import frame
from bench.report.tables.costs import PARTS, costs_table
from bench.report.tables.formats import comma_separated
from bench.store.record import Costs, Record


def costing(made: Record, **costs: Any) -> Record:
    return made.model_copy(update={"costs": Costs(**costs)})


def table_of(store: Any, *records: Record) -> Any:
    printed = costs_table(frame([store(records)]), "superglue")
    assert printed is not None
    return printed


def measured(made: Record, train_seconds: float, utilization: float, tokens_per_second: float) -> Record:
    parts = {"load_seconds": 1.0, "encode_seconds": 2.0, "compile_seconds": 3.0, "evaluate_seconds": 4.0}
    return costing(
        made, seconds=40.0, train_seconds=train_seconds, store_seconds=5.0, utilization=utilization,
        tokens_per_second=tokens_per_second, **parts,
    )  # fmt: skip


def test_rates_weigh_seconds_of_training_and_shares_are_of_the_whole(cell: Any, record: Any, store: Any) -> None:
    cells = [measured(record(cell(seed=0), 60.0), 10.0, 0.10, 1000.0)]
    cells += [measured(record(cell(seed=1), 60.0), 30.0, 0.50, 3000.0)]
    printed = table_of(store, *cells)
    assert printed.header[6:] == tuple(f"{part} %" for part in PARTS.values())
    assert printed.rows == (
        ("small", "ptv2", "2,500", "40 %", "40.0", "3.0", "2", "5", "8", "50", "10", "12"),
    )  # fmt: skip
    assert comma_separated(printed).splitlines()[1:] == [
        "superglue,small,ptv2,2,2500,0.4,40,1,2,3,20,4,5,measured,24,0"
    ]


def test_of_what_a_loop_compiled_each_of_its_cells_has_a_part(cell: Any, record: Any, store: Any) -> None:
    shared = [measured(record(cell(seed=seed), 60.0), 10.0, 0.1, 1000.0) for seed in range(2)]
    for each in shared:
        each.costs.compile_seconds, each.costs.lanes = 90.0, 6
    assert table_of(store, *shared).rows == (
        ("small", "ptv2", "1,000", "10 %", "40.0", "15.0", "2", "5", "38", "25", "10", "12"),
    )  # fmt: skip


def test_a_utilisation_that_was_taken_beside_other_workers_is_left_out(cell: Any, record: Any, store: Any) -> None:
    shared, alone = (measured(record(cell(seed=seed), 60.0), 10.0, 0.1 + seed / 10, 1000.0) for seed in range(2))
    shared.provenance["workers"] = 2
    assert [row[3] for row in table_of(store, shared).rows] == ["–"]
    assert [row[3] for row in table_of(store, shared, alone).rows] == ["20 %"]


def test_older_records_have_a_dash_and_no_part_in_the_others_numbers(cell: Any, record: Any, store: Any) -> None:
    older = costing(record(cell(method="lora"), 60.0), seconds=60.0, train_seconds=50.0, tokens_per_second=100.0)
    beside = costing(record(cell(seed=1), 60.0), seconds=400.0, train_seconds=30.0, tokens_per_second=1000.0)
    printed = table_of(store, older, measured(record(cell(), 60.0), 10.0, 0.25, 3000.0), beside)
    assert printed.rows == (
        ("small", "lora", "100", "–", "60.0", "–", *["–"] * 6),
        ("small", "ptv2", "1,500", "25 %", "40.0", "3.0", "2", "5", "8", "25", "10", "12"),
    )
    assert comma_separated(printed).splitlines()[1] == "superglue,small,lora,1,100,,60,,,,50,0,,measured,50,0"


def test_nothing_trained_is_a_dash_and_models_go_by_size(cell: Any, record: Any, store: Any) -> None:
    idle = costing(
        record(cell(method="prompting", model="medium"), 60.0), seconds=2.0, load_seconds=1.0, encode_seconds=0.0,
        compile_seconds=0.0, store_seconds=0.0, evaluate_seconds=1.0,
    )  # fmt: skip
    printed = table_of(store, idle, measured(record(cell(), 60.0), 10.0, 0.25, 3000.0))
    assert [row[0] for row in printed.rows] == ["small", "medium"]
    assert printed.rows[1] == ("medium", "prompting", "–", "–", "2.0", "0.0", "50", "0", "0", "0", "50", "0")


def test_without_a_finished_cell_there_is_no_table(cell: Any, record: Any, store: Any) -> None:
    assert costs_table(frame([store([record(cell(), status="failed", reason="out of memory")])]), "superglue") is None
