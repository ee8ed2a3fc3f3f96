"""Ctrl-C while a command gets ready: one line, exit code 130, whatever is being imported."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from bench.commands.interrupts import LINE, end_at_once, raise_it
from tests.conftest import Bench
from tests.store.conftest import ROOT

STARTED = """
import os, signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)  # a job in the background ignores it
NAME = sys.argv.pop(1)
class Interrupt:
    def find_spec(self, name, path=None, target=None):
        if name == NAME:
            try:
                os.kill(os.getpid(), signal.SIGINT)
            except BaseException:
                pass  # as a library may that looks for something
sys.meta_path.insert(0, Interrupt())
from bench.__main__ import main
main()
"""
SLOW = ["transformers", "bench.commands.grid"]
QUICK = ["typer", "bench.cli", "bench.plan.cells", "torch"]


@pytest.mark.parametrize("name", [*QUICK, *(pytest.param(name, marks=pytest.mark.slow) for name in SLOW)])
def test_while_modules_come_in_it_ends_with_one_line(bench: Bench, name: str) -> None:
    ended = subprocess.run(
        [sys.executable, "-c", STARTED, name, "run", *bench.base],
        env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (ended.returncode, ended.stderr) == (130, f"{LINE}\n")
    assert not Path("out").exists()


WAITED_FOR = """
import sys, threading
threading.Thread(target=threading.Event().wait).start()
import bench.cli
bench.cli.main = lambda: (print("told"), sys.exit(int(sys.argv[1])))
from bench.__main__ import main
main()
"""


@pytest.mark.parametrize("code", [130, 129, 143])
def test_at_its_end_it_waits_for_no_thread(code: int) -> None:
    ended = subprocess.run(
        [sys.executable, "-c", WAITED_FOR, str(code)],
        env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True, check=False, timeout=50,
    )  # fmt: skip
    assert (ended.returncode, ended.stdout, ended.stderr) == (code, "told\n", "")


@pytest.fixture
def handler() -> Iterator[None]:
    before = signal.getsignal(signal.SIGINT)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("handler")
def test_what_ignores_it_and_what_hears_it_itself_goes_on_to() -> None:
    def own(*_: object) -> None: ...

    for theirs in (signal.SIG_IGN, own):
        signal.signal(signal.SIGINT, theirs)
        end_at_once()
        raise_it()
        assert signal.getsignal(signal.SIGINT) is theirs


@pytest.mark.usefixtures("handler")
def test_when_something_may_have_been_begun_it_is_raised_again() -> None:
    signal.signal(signal.SIGINT, signal.default_int_handler)
    end_at_once()
    assert signal.getsignal(signal.SIGINT) is not signal.default_int_handler
    raise_it()
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
