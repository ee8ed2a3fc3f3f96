"""`bench run` as a process of its own within a second: a fork of a process that has done the imports, once a session.

Its workers are forks too, where they would be spawned. All else is as a user has it: a session of its own, Ctrl-C that
is heard, standard output and errors. What the start of a fresh Python is to show wants a fresh one.
"""

from __future__ import annotations

import importlib
import json
import multiprocessing
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from tests.store.conftest import ROOT

IMPORTED = (
    "pyarrow.parquet", "sklearn.metrics", "transformers.models.bert.modeling_bert", "bench.cli", "bench.commands.grid",
    "bench.commands.measure", "bench.execute.pool",
)  # fmt: skip


class Nursery:
    """The process with the imports."""

    def __init__(self) -> None:
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1", "PYTHONPATH": str(ROOT)}
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.execute.forked_runs"], env=environment, cwd=ROOT, text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        )  # fmt: skip

    def start(self, words: Sequence[object], said: Path) -> int:
        """The process id of a new `bench` in this folder; `said`.out and .err are what it says, .code how it ended."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        print(json.dumps([list(map(str, words)), os.getcwd(), str(said)]), file=self._process.stdin, flush=True)
        return int(self._process.stdout.readline())

    def close(self) -> None:
        self._process.communicate(timeout=60)


def _keep(words: Sequence[str], folder: str, said: str) -> None:
    """Run a command in a child; tell its number, and when it has ended how."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    child = os.fork()
    if not child:
        _run(words, folder, said)
    print(child, flush=True)
    os.close(1)  # nobody is to wait for this process
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    Path(f"{said}.part").write_text(str(code))
    Path(f"{said}.part").rename(f"{said}.code")


def _run(words: Sequence[str], folder: str, said: str) -> None:
    code = 1
    try:
        os.setsid()
        os.chdir(folder)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        for stream, name in ((1, "out"), (2, "err")):
            os.dup2(os.open(f"{said}.{name}", os.O_WRONLY | os.O_CREAT | os.O_TRUNC), stream)
        signal.signal(signal.SIGINT, signal.default_int_handler)  # a job in the background ignores it
        context = multiprocessing.get_context
        multiprocessing.get_context = lambda _=None: context("fork")  # type: ignore[assignment, misc]
        sys.argv = ["bench", *words]
        from bench.cli import main

        main()
    except SystemExit as stop:
        code = int(stop.code or 0)
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def main() -> None:
    for name in IMPORTED:
        importlib.import_module(name)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for the keepers
    for line in sys.stdin:
        if not os.fork():
            _keep(*json.loads(line))
            os._exit(0)


if __name__ == "__main__":
    main()
