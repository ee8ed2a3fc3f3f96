"""What a cell said of its scored rows, and what it says when asked again, in one form."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq


def kept_predictions(folder: Path, cell: str) -> list[dict[str, Any]]:
    return pq.read_table(folder / "cells" / cell / "predictions.parquet").to_pylist()


def said(answer: dict[str, Any]) -> list[str]:
    """A prediction in the form of predictions.parquet."""
    prediction = answer["prediction"]
    return [repr(prediction)] if isinstance(prediction, float) else np.atleast_1d(prediction).tolist()


def shares(answer: dict[str, Any]) -> list[float]:
    """Its probabilities, in single precision: of each class or candidate, or each word's."""
    by_class = [value for name, value in answer.items() if name.startswith("p(")]
    found = by_class or answer.get("probabilities", [answer["probability"]] if "probability" in answer else [])
    return np.array([share for share in found if share is not None], np.float32).tolist()
