"""One case in a process of its own, with bounds on time and memory; what came of it."""

from __future__ import annotations

import json
import os
import resource
import select
import shutil
import signal
import sys
import time
import traceback
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from bench.errors import UsageError
from tests.campaign.fuzzing.target import Broken, Case, Target

SECONDS = 20  # of a processor; a busy machine makes no case slow
WAITING = 120.0  # seconds in all: it waits for something that does not come
BYTES = 2 << 30  # of address space, beyond what the process had when it was forked
MOST_SAID = 4000  # characters of an outcome, which must fit into a pipe at once
ENGINE = str(Path(__file__).parents[3])


@dataclass(frozen=True)
class Outcome:
    """What came of a case. `key` names what broke, so that two cases of one cause have one key."""

    kind: Literal["result", "refusal", "broken"]
    said: str = ""
    key: str = ""
    seconds: float = 0.0


def watched(target: Target, case: Case, folder: Path, seconds: int = SECONDS, waiting: float = WAITING) -> Outcome:
    """Run a case in a fork, in `folder`, which is made for it and removed after it.

    The fork is a process group of its own, which ends with it.
    """
    folder.mkdir(parents=True)
    begun = time.monotonic()
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        os.close(reading)
        _in_child(target, case, folder, writing, seconds)
    os.close(writing)
    try:
        said = _answer(reading, begun + waiting)
    finally:
        os.close(reading)
        code = _end(child)
        shutil.rmtree(folder, ignore_errors=True)
    took = time.monotonic() - begun
    if said is None:
        return Outcome("broken", f"it had not ended after {waiting:.0f} s", "waits", took)
    if code == -signal.SIGXCPU:
        return Outcome("broken", f"it took more than {seconds} s", "too slow", took)
    if not said:
        return Outcome("broken", f"its process died: {_named(code)}", f"died: {_named(code)}", took)
    return Outcome(**json.loads(said), seconds=took)


def _answer(reading: int, until: float) -> bytes | None:
    """What the child says before it ends; None when time is over."""
    said = b""
    while True:
        ready, _, _ = select.select([reading], [], [], max(0.0, until - time.monotonic()))
        if not ready:
            return None
        part = os.read(reading, 1 << 16)
        if not part or (said := said + part).endswith(b"\n"):
            return said


def _end(child: int) -> int:
    try:
        os.killpg(child, signal.SIGKILL)
    except ProcessLookupError:
        os.kill(child, signal.SIGKILL)  # it has not come to make its group
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def _named(code: int) -> str:
    return signal.Signals(-code).name if code < 0 else f"exit code {code}"


def _in_child(target: Target, case: Case, folder: Path, writing: int, seconds: int) -> None:
    """Never returns."""
    try:
        os.setpgid(0, 0)
        os.chdir(folder)
        null = os.open(os.devnull, os.O_RDWR)
        for stream in (0, 1, 2):
            os.dup2(null, stream)
        with open("/proc/self/statm") as statm:
            had = int(statm.read().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (had + BYTES, had + BYTES))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds + 1))
        if "torch" in sys.modules:
            sys.modules["torch"].set_num_threads(1)  # the threads of the parent are not those of a fork
        outcome = _outcome(target, case, folder)
        resource.setrlimit(resource.RLIMIT_AS, (had + BYTES, had + BYTES))
        os.write(writing, json.dumps(outcome).encode() + b"\n")
    finally:
        os._exit(0)


def _outcome(target: Target, case: Case, folder: Path) -> dict[str, str]:
    try:
        target.run(case, folder)
    except UsageError as error:
        said = str(error)
        return {"kind": "refusal", "said": said[:MOST_SAID]}
    except Broken as error:
        return {"kind": "broken", "said": str(error)[:MOST_SAID], "key": str(error).partition(":")[0]}
    except BaseException as error:
        text = "".join(traceback.format_exception(error))
        return {"kind": "broken", "said": text[-MOST_SAID:], "key": f"{type(error).__name__} at {_place(error)}"}
    return {"kind": "result"}


def _place(error: BaseException) -> str:
    """The last place of our own that an exception went through."""
    frames = traceback.extract_tb(error.__traceback__)
    ours = [frame for frame in frames if frame.filename.startswith(ENGINE) and "/.venv" not in frame.filename]
    last = (ours or [*frames])[-1]
    return f"{last.filename.removeprefix(ENGINE)}:{last.name}"
