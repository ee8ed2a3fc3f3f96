"""Seeds taken apart: how much of the spread comes from which random stream (`bench run --vary`).

Each stream is varied alone while the others stay at the first seed, as in Dodge et al. 2020 (arXiv:2002.06305, weight
initialisation against data order) and Bouthillier et al. 2021 (arXiv:2103.03098, one source of variance at a time).
"""

from __future__ import annotations

import math
from typing import Any

import pandas as pd

SHARE_KEYS = ["suite", "task", "model", "label", "metric"]
SHARES = [*SHARE_KEYS, "method", "main", "stream", "n", "sd", "share"]
TOGETHER = "together"  # the stream's name in the rows of the ordinary cells, whose streams take the seed at once


def shares(varied: pd.DataFrame, scored: pd.DataFrame) -> pd.DataFrame:
    """Per entry and stream the spread when that stream varies alone, in the columns SHARES.

    `varied` and `scored` are frames of read.frame. With y_1 … y_n the scores at n seeds of stream k, the first
    of them the ordinary cell at the first seed: sd_k² = Σ (y_i − mean)² / (n − 1), share_k = sd_k² / Σ_j sd_j² over
    the streams varied. Without two finished seeds sd is NaN; the shares are NaN unless every stream has an sd and the
    sum is above 0. Rows of the stream "together" have the spread over the ordinary seeds, and no share.
    """
    if varied.empty:
        return pd.DataFrame(columns=SHARES)
    spreads = _spread(varied, [*SHARE_KEYS, "stream"])
    squares = spreads.assign(square=spreads["sd"] ** 2).groupby(SHARE_KEYS)["square"]
    total = squares.transform("sum", min_count=1).where(squares.transform("count") == squares.transform("size"))
    spreads["share"] = (spreads["sd"] ** 2 / total).where(total > 0)
    ordinary = _spread(scored, SHARE_KEYS).assign(stream=TOGETHER, share=math.nan)
    varied_entries = spreads[SHARE_KEYS].drop_duplicates()
    return pd.concat([spreads, ordinary.merge(varied_entries, on=SHARE_KEYS)], ignore_index=True)[SHARES]


def _spread(rows: pd.DataFrame, keys: list[str]) -> pd.DataFrame:
    columns: dict[str, tuple[str, Any]] = {
        "method": ("method", "first"), "main": ("main", "first"), "n": ("score", "count"), "sd": ("score", "std"),
    }  # fmt: skip
    return rows.groupby(keys, sort=True).agg(**columns).reset_index()
