"""MLflow: experiment `MLFLOW_EXPERIMENT_NAME`, else tuning-bench, where `MLFLOW_TRACKING_URI` says."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping

from bench.track.known import tracker
from bench.track.tracker import Run, Tracker

ENDS = {"done": "FINISHED", "interrupted": "KILLED"}  # every other status: FAILED


@tracker("mlflow")
class MLflow(Tracker):
    """A run for each cell; the tag `group` is its results folder."""

    package = "mlflow"

    def __init__(self, run: Run) -> None:
        from mlflow import MlflowClient
        from mlflow.entities import Param

        self._client = MlflowClient()
        name = os.environ.get("MLFLOW_EXPERIMENT_NAME", "tuning-bench")
        known = self._client.get_experiment_by_name(name)
        experiment = known.experiment_id if known else self._client.create_experiment(name)
        made = self._client.create_run(experiment, run_name=run.name, tags={"group": run.group})
        self._id = made.info.run_id
        self._client.log_batch(self._id, params=[Param(name, str(value)) for name, value in run.settings.items()])

    def log(self, step: int, numbers: Mapping[str, float]) -> None:
        from mlflow.entities import Metric

        now = int(1000 * time.time())
        self._client.log_batch(self._id, [Metric(name, value, now, step) for name, value in numbers.items()])

    def close(self, status: str, numbers: Mapping[str, float]) -> None:
        self.log(0, numbers)
        self._client.set_tag(self._id, "status", status)
        self._client.set_terminated(self._id, ENDS.get(status, "FAILED"))
