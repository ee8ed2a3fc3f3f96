"""TensorBoard: event files in the results folder; `tensorboard --logdir results/NAME/tensorboard` shows them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from bench.escaping.file_names import file_part
from bench.track.known import tracker
from bench.track.tracker import Run, Tracker


@tracker("tensorboard")
class TensorBoard(Tracker):
    """A folder of events for each cell, task/model/method/seed; settings and final numbers are its hyperparameters."""

    package = "tensorboard"

    def __init__(self, run: Run) -> None:
        from torch.utils.tensorboard import SummaryWriter

        self._settings = {name: "none" if value is None else value for name, value in run.settings.items()}
        self._writer = SummaryWriter(str(run.folder / "tensorboard" / Path(*map(file_part, run.parts))))

    def log(self, step: int, numbers: Mapping[str, float]) -> None:
        for name, value in numbers.items():
            self._writer.add_scalar(name, value, step)

    def close(self, status: str, numbers: Mapping[str, float]) -> None:
        settings = {**self._settings, "status": status}
        self._writer.add_hparams(settings, dict(numbers), run_name=".")
        self._writer.close()
