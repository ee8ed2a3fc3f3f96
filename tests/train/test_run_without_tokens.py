"""A run whose rows are partly without tokens, each alone in its micro-batch: every cell ends, and says O of them."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow.parquet as pq

from tests.conftest import Bench

NOTHING = "\u00a0"  # a word of which the tokenizer makes nothing, as of a zero-width space others do


def test_sentences_without_tokens_train_and_are_outside(bench: Bench) -> None:
    folder = Path("mine/conll04")
    folder.mkdir(parents=True)
    tags = ["B-Loc", "O"]
    rows = [{"tokens": [NOTHING, NOTHING] if at % 2 else ["word1", f"word{at}"], "tags": tags} for at in range(24)]
    for split in ("train", "dev", "test"):
        (folder / f"{split}.json").write_text(json.dumps(rows))
    code, _, err = bench.run("--suite", "ner", "--tasks", "conll04", "--data", "mine", "--token-budget", "1")
    assert code == 0, err
    (table,) = Path("out").glob("cells/*/predictions.parquet")
    found = pq.read_table(table).to_pydict()
    assert found["predicted"][1::2] == [["O", "O"]] * 12
    assert [len(shares) for shares in found["probabilities"]] == [2, 0] * 12
