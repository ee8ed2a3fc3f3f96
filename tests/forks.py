"""Code that is run again and again, in forks of a process that has done the imports."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
ONE_THREAD = {"OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"}


class Server:
    """A process that has done the imports (seconds, for torch) once, and runs code in forks of itself."""

    CODE = """
import json, os, sys
{imports}
os.fsync = lambda handle: None
for line in sys.stdin:
    child = os.fork()
    if not child:
        folder, environment, arguments = json.loads(line)
        os.chdir(folder)
        os.environ.clear()
        os.environ.update(environment)
        sys.argv[1:] = arguments
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        {run}
        sys.exit(0)
    print(child, flush=True)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""

    def __init__(self, imports: str, run: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-c", self.CODE.format(imports=imports, run=run)], stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, text=True, env={**os.environ, **ONE_THREAD}, cwd=ROOT,
        )  # fmt: skip
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._ask, self._answer = self._process.stdin, self._process.stdout

    def ask(self, *arguments: object) -> int:
        """The process id of a new run, in this process's folder and environment."""
        asked = os.getcwd(), {**os.environ, **ONE_THREAD}, list(map(str, arguments))
        print(json.dumps(asked), file=self._ask, flush=True)
        return self.answer()

    def answer(self) -> int:
        return int(self._answer.readline())

    def close(self) -> None:
        self._ask.close()
        self._process.wait(timeout=60)
        self._answer.close()


@dataclass
class Forks:
    """Runs of the same code, one after another."""

    server: Server
    arguments: tuple[object, ...]

    def start(self) -> int:
        """The process id of a new run."""
        return self.server.ask(*self.arguments)

    def end(self) -> int:
        """Wait for the run; its exit code, negative for a signal."""
        return self.server.answer()
