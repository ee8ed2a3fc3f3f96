"""A small results folder with everything in it that one can have, made by real runs of `bench run`."""

from __future__ import annotations

import contextlib
import io
import random
import sys
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from bench.store.alone import Alone, alone_key, keep_alone
from bench.store.store import Store

BREAKING = '''"""A method that breaks off in training."""

from bench import Method, method


@method("breaking")
class Breaking(Method):
    """Breaks."""

    def attach(self, backbone, task):
        raise RuntimeError("no prompts")
'''
BUDGET = ("--steps", "4", "--batch-size", "4", "--max-length", "16", "--evaluations", "1")
HERE = ("--models", "tiny", "--precision", "fp32", "--device", "cpu", "--no-probe")


@dataclass(frozen=True)
class Said:
    """What a command came to."""

    code: int
    out: str
    err: str


def bench(*arguments: object) -> Said:
    """The `bench` command, in this process."""
    from bench.cli import main

    out, err = io.StringIO(), io.StringIO()
    before, showing, code = sys.argv, warnings.showwarning, 0
    sys.argv = ["bench", *map(str, arguments)]
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err), warnings.catch_warnings():
            main()
    except SystemExit as end:
        code = int(end.code or 0)
    finally:
        sys.argv, warnings.showwarning = before, showing
    return Said(code, out.getvalue(), err.getvalue())


@dataclass(frozen=True)
class Finished:
    """The folder, the flags of the grid that made it, and the rows that its cells were scored on."""

    path: Path
    data: Path
    grid: tuple[str, ...]

    def run(self) -> Said:
        """The same `bench run` again."""
        return bench("run", *self.grid, "--out", self.path)


def finished_folder(at: Path) -> Finished:
    """Trials and cells of two methods, a failed cell, texts, and a measurement of a cell alone."""
    data, plugin = at / "mails.csv", at / "breaking.py"
    data.write_text("body,team\n" + "".join(f"{words},{team}\n" for words, team in _mails()), encoding="utf-8")
    plugin.write_text(BREAKING)
    said = ("--data", str(data), "--text", "body", "--label", "team", "--plugin", str(plugin), "--set", "ptv2.length=1")
    grid = (*said, "--methods", "linear_probe,ptv2,breaking", "--seeds", "1", "--trials", "2", *BUDGET, *HERE)
    made = Finished(at / "results", data, grid)
    ended = made.run()
    if ended.code != 1:  # of the method that breaks
        raise RuntimeError(f"no folder could be made: {ended.err or ended.out}")
    store = Store.open(made.path)
    (record,) = [each for each in store.records() if each.scores and each.cell.method == "ptv2"]
    keep_alone(made.path, Alone(
        key=alone_key(record.cell), device=record.provenance["device"], steps=2, num_steps=4, train_seconds=0.5,
        evaluate_seconds=0.25, peak_bytes=1_000_000, measured=record.finished,
    ))  # fmt: skip
    return made


def _mails() -> Iterator[tuple[str, str]]:
    rng = random.Random(0)
    for number in range(40):
        yield (
            " ".join(rng.choice("the a we you mail week offer editor help".split()) for _ in range(5)),
            ("press" if number % 2 else "sales"),
        )
