"""The grid whose runs are killed, fifteen cells, nine of which wait for six trials; what it comes to undisturbed."""

from __future__ import annotations

from pathlib import Path

from bench.store.store import Store
from tests.campaign.killing.children import command, fork, wait
from tests.campaign.killing.witness import bits
from tests.conftest import write_superglue, write_tiny_bert


class Grid:
    """Model and data in a folder; `words(out)` is the command line. With another number of seeds the cells are more."""

    def __init__(self, place: Path, seeds: int = 3) -> None:
        self._place, self.finished = place, place / "undisturbed"
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
        out, said = self.finished, self._place / "undisturbed.log"
        code = wait(fork(command(self.words(out)), said))
        if code:
            raise SystemExit(f"the undisturbed run ended with {code}:\n{said.read_text()}")
        return {record.id: bits(out, record) for record in Store.open(out).records()}
