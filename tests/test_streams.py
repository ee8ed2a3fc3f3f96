"""Pipes whose reader has gone, terminals that know no colours, and encodings that lack a letter."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
BENCH = [sys.executable, "-m", "bench"]


def typed(command: list[str], **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command, env=os.environ | variables, cwd=ROOT, capture_output=True, text=True, encoding="utf-8", check=False
    )


@pytest.mark.parametrize("words", ["list models", "list tasks", "--help"])
def test_a_reader_that_is_gone_is_no_error(words: str) -> None:
    done = typed(["bash", "-c", f"{sys.executable} -m bench {words} | head -n 1"])
    assert done.stdout.count("\n") == 1
    assert done.stderr == ""


def test_what_an_encoding_lacks_is_written_in_ascii() -> None:
    plain = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    done = typed([*BENCH, "list", "methods"], **plain)
    assert (done.returncode, done.stderr) == (0, "")
    assert "Low-rank additions alpha/r - B-A" in done.stdout
    assert done.stdout.isascii()
    done = typed([*BENCH, "run", "--suite", "gré"], **plain)
    assert done.returncode == 2
    assert "unknown suite 'gr" in done.stderr


@pytest.mark.parametrize("variables", [{"NO_COLOR": "1"}, {"TERM": "dumb"}])
def test_no_escape_reaches_a_terminal_that_wants_none(variables: dict[str, str]) -> None:
    done = typed([sys.executable, "-c", PSEUDO_TERMINAL, *BENCH, "list", "--help"], **{"TERM": "xterm", **variables})
    assert "Usage: bench list" in done.stdout
    assert "\x1b" not in done.stdout


@pytest.mark.parametrize(
    ("error", "first"),
    [("MemoryError()", "warning: memory was used up for a moment"), ("KeyError(7)", "Exception ignored")],
)
def test_memory_that_lacks_where_python_lets_go_of_something_is_told_in_a_line(error: str, first: str) -> None:
    done = typed([sys.executable, "-c", LETTING_GO.format(error=error), "list", "methods"])
    assert done.returncode == 0
    assert "ptv2" in done.stdout
    assert done.stderr.startswith(first)
    assert (done.stderr.count("\n") == 1) == ("MemoryError" in error)


def test_memory_that_lacks_at_a_commands_first_step_is_told_in_a_line() -> None:
    done = typed([sys.executable, "-c", AT_ONCE, "list", "methods"])
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("error: not enough memory")
    assert done.stderr.count("\n") == 1


LETTING_GO = """
import bench.cli, bench.commands.listings as listings
class Held:
    def __del__(self):
        raise {error}
list_names = listings.list_names
def listed(*arguments):
    Held()
    list_names(*arguments)
listings.list_names = listed
bench.cli.main()
"""
AT_ONCE = """
import bench.cli
def used_up():
    raise MemoryError
bench.cli.raise_it = used_up
bench.cli.main()
"""
PSEUDO_TERMINAL = "import pty, sys; pty.spawn(sys.argv[1:])"
