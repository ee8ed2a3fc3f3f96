"""The grid whose runs are killed, fifteen cells, nine of which wait for six trials; what it comes to undisturbed."""

from __future__ import annotations

from collections.abc import Collection
from functools import partial
from pathlib import Path
from typing import Any

from bench import runner
from bench.store.store import Store
from tests.campaign.killing.children import Arm, command, fork, wait
from tests.campaign.killing.witness import bits
from tests.conftest import write_superglue, write_tiny_bert


class Grid:
    """Model and data in a folder; `words(out)` is the command line. With another number of seeds the cells are more."""

    def __init__(self, place: Path, seeds: int = 3) -> None:
        self._place = place
        self.finished, self.otherwise = place / "undisturbed", place / "chosen-otherwise"
        model, data = write_tiny_bert(place / "tiny"), write_superglue(place / "data", 24, 8)
        self._words = [
            "run", "--suite", "superglue", "--tasks", "rte", "--models", model, "--data", data,
            "--methods", "ptv2,prompt_tuning,linear_probe", "--set", "prompt_tuning.length=4", "--seeds", seeds,
            "--trials", "2", "--steps", "2", "--evaluations", "2", "--batch-size", "4", "--max-length", "24",
            "--precision", "fp32", "--lanes", "2",
        ]  # fmt: skip

    def words(self, out: Path, workers: int = 1) -> list[object]:
        return [*self._words, "--devices", "cpu" if workers == 1 else f"cpu:{workers}", "--out", out]

    def undisturbed(self) -> dict[str, str]:
        """By cell the bits that it comes to where nobody is killed."""
        return self._bits(self.finished, 0)

    def chosen_otherwise(self) -> dict[str, str]:
        """The same of cells that are only there where the trials of an undisturbed run's choice are given up, as those
        are of which three workers died: another choice is made then, until a later run finishes them.
        """
        records = Store.open(self.finished).records()
        chosen = [(record.cell.method, record.cell.drawn) for record in records if record.cell.stage == "score"]
        trials = {record.id for record in records
                  if record.cell.stage == "trial" and (record.cell.method, record.cell.drawn) in chosen}  # fmt: skip
        found, known = self._bits(self.otherwise, 1, partial(_fail, trials)), {record.id for record in records}
        return {cell_id: bits for cell_id, bits in found.items() if cell_id not in known}

    def _bits(self, out: Path, expected: int, *arms: Arm) -> dict[str, str]:
        said = self._place / f"{out.name}.log"
        code = wait(fork(command(self.words(out), *arms), said))
        if code != expected:
            raise SystemExit(f"the run of {out.name} ended with {code}:\n{said.read_text()}")
        return {record.id: bits(out, record) for record in Store.open(out).records() if record.status == "done"}


def _fail(trials: Collection[str]) -> None:
    """Have the training of these break off."""
    fit = runner.fit

    def failing(backbone: Any, lanes: Any, *rest: Any) -> Any:
        if any(lane.cell.id in trials for lane in lanes):
            raise RuntimeError("its workers die")
        return fit(backbone, lanes, *rest)

    runner.fit = failing  # type: ignore[assignment]
