"""How a results folder stands, as the tree that `bench status --json` prints: results/README.md has a line per key."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from bench.cell import Cell
from bench.plan.remaining import TimeLeft
from bench.store.record import Record
from bench.store.signs import Sign
from bench.store.standing import Piece, Standing, counted
from bench.store.workers import Worker


def tree(folder: Path, standing: Standing, left: TimeLeft | None) -> dict[str, Any]:
    """Numbers, text, lists and dicts; what is not known is None."""
    lines = counted(standing, lambda cell: (cell.suite, cell.model, cell.label))
    return {
        "folder": str(folder),
        "cells": {"planned": len(standing.cells), **counted(standing, lambda _: "all").get("all", {})},
        "others": standing.others,
        "seconds_left": left.seconds if left else None,
        "cells_unknown": left.unknown if left else None,
        "lines": [
            {"suite": suite, "model": model, "line": line, **counts} for (suite, model, line), counts in lines.items()
        ],
        "workers": [_worker(worker, sign) for worker, sign in standing.workers],
        "groups": [_group(piece) for piece in standing.pieces],
        "free": [{"cell": cell_id, "ended": number} for cell_id, number in standing.ended.items()],
        "failed": [_failed(record) for record in standing.failures.values()],
    }


def _worker(worker: Worker, sign: Sign) -> dict[str, Any]:
    who = worker.identity
    named = {"worker": who.worker, "run": who.run, "host": who.host, "process": who.process}
    return named | {"devices": list(worker.devices), "started": worker.started, **_sign(sign)}


def _sign(sign: Sign) -> dict[str, Any]:
    return {"state": sign.state, "sign_age": sign.age, "watched": sign.watched}


def _group(piece: Piece) -> dict[str, Any]:
    doing = piece.doing
    return {
        "cells": [_cell(cell) for cell in piece.cells],
        "worker": piece.owner.worker,
        "host": piece.owner.host,
        **_sign(piece.sign),
        "device": doing.device if doing else None,
        "since": doing.since if doing else None,
        "seconds": doing.seconds if doing else None,
        "step": doing.step if doing else None,
        "num_steps": doing.num_steps if doing else None,
        "tokens_per_second": doing.tokens_per_second if doing else None,
        "seconds_left": piece.seconds_left,
    }


def _failed(record: Record) -> dict[str, Any]:
    return _cell(record.cell) | {"status": record.status, "reason": record.reason, "finished": record.finished}


def _cell(cell: Cell) -> dict[str, Any]:
    return {"cell": cell.id, "suite": cell.suite, "task": cell.task, "model": cell.model, "line": cell.label,
            "seed": cell.seed_label}  # fmt: skip
