"""Rows a second that reading and encoding a task takes, the first time and the next.

    python tests/perf/tokenise_time.py --model FOLDER --data FOLDER [--suite universal --task sst2]

Each time is a fresh interpreter with the same cache folder, which is empty at first.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from rich.console import Console
from rich.table import Table

CODE = """
import json, sys, time
from pathlib import Path
from bench.data.encode import encode
from bench.data.examples import read_examples
from bench.data.kind import LayoutSpec
from bench.data.specials import special
from bench.data.tokens import TokenStore
from bench.model.pretrained import load_tokenizer
from bench.model.source import find_model
from bench.registry import find_suite
from bench.data.slots import Slots
model, data, suite, name = sys.argv[1:]
task, tokenizer, store = find_suite(suite).task(name), load_tokenizer(find_model(model)), TokenStore()
begun = time.perf_counter()
read = read_examples(task, "train", Path(data)).examples
between = time.perf_counter()
items = encode(task, LayoutSpec(special(tokenizer), store, Slots(), False, task.max_length or 128), read)
done = time.perf_counter()
print(json.dumps([len(read), len(items), between - begun, done - between, store.num_tokenised]))
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", required=True, type=Path)
    parser.add_argument("--data", required=True, type=Path)
    parser.add_argument("--suite", default="universal")
    parser.add_argument("--task", default="sst2")
    args = parser.parse_args()
    table = Table(title=f"{args.task}, train")
    for heading in ("run", "rows", "items", "read s", "encode s", "encoded rows/s", "texts tokenised"):
        table.add_column(heading, justify="right")
    with tempfile.TemporaryDirectory() as folder:
        for run in ("first", "next"):
            command = [
                sys.executable,
                "-W",
                "ignore",
                "-c",
                CODE,
                str(args.model),
                str(args.data),
                args.suite,
                args.task,
            ]
            done = subprocess.run(
                command,
                env={**os.environ, "TUNING_BENCH_CACHE": folder},
                cwd=Path(__file__).parents[2],
                check=True,
                stdout=subprocess.PIPE,
                text=True,
            )
            rows, items, read, encode, tokenised = json.loads(done.stdout.splitlines()[-1])
            shown = (run, rows, items, f"{read:.2f}", f"{encode:.2f}", f"{rows / encode:,.0f}", tokenised)
            table.add_row(*map(str, shown))
    Console().print(table)


if __name__ == "__main__":
    main()
