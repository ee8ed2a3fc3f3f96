"""Weights & Biases: project `WANDB_PROJECT`, else tuning-bench; the other variables of wandb count too, such as
`WANDB_MODE=offline`.
"""

from __future__ import annotations

import os
from collections.abc import Mapping

from bench.track.known import tracker
from bench.track.tracker import Run, Tracker


@tracker("wandb")
class Wandb(Tracker):
    """A run for each cell, in the group of its results folder, where its files are too."""

    package = "wandb"

    def __init__(self, run: Run) -> None:
        import wandb

        self._run = wandb.init(
            project=os.environ.get("WANDB_PROJECT", "tuning-bench"),
            name=run.name,
            group=run.group,
            job_type=run.cell.stage,
            config=run.settings,
            dir=os.environ.get("WANDB_DIR", str(run.folder)),
            reinit="create_new",  # many are open at once
            settings=wandb.Settings(console="off", silent=True),  # lines of its own would break into the display
        )
        self._run.define_metric("*", step_metric="step")  # its own steps only rise

    def log(self, step: int, numbers: Mapping[str, float]) -> None:
        self._run.log({**numbers, "step": step})

    def close(self, status: str, numbers: Mapping[str, float]) -> None:
        self._run.summary.update({**numbers, "status": status})
        self._run.finish(exit_code=0 if status == "done" else 1)
