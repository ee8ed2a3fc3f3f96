"""A plugin is held to the rules of the house when it is loaded, and what is wrong with it is said at its own line."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from bench import registry
from bench.errors import UsageError
from tests.conftest import Bench

METHOD = "from bench import Method, method\n\n@method({name!r})\nclass Mine(Method):\n    'Mine.'\n"
SUITE = (
    "from bench import Source, Suite, Task\n"
    "TASK = Task(name='mails', kind='classification', source=Source(local=('mails/{{split}}.jsonl',)),\n"
    "            plain='{{text}}', classes=('a', 'b'), metrics=('accuracy',))\n"
    "MINE = Suite(name={name!r}, tasks=(TASK,))\n"
)


@pytest.fixture(autouse=True)
def _own_registry(bench: Bench) -> None:
    """What a test's plugin registers is gone after it."""


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("\ndef", "mine.py, line 2: SyntaxError"),
        ("x = 1\nimport nowhere_at_all", "mine.py, line 2: ModuleNotFoundError: No module named 'nowhere_at_all'"),
        ("def f():\n    return 1 / 0\nf()", "mine.py, line 2: ZeroDivisionError"),
        ("import json\n\njson.loads('{')", "mine.py, line 3: JSONDecodeError"),
        (METHOD.format(name="ptv2"), "mine.py, line 3: ValueError: two methods are called 'ptv2': bench.methods"),
        (SUITE.format(name="superglue"), "mine.py: two suites are called 'superglue': bench.suites.superglue and"),
        ("from bench import Task\nTask(name='t', kind='span')", "mine.py, line 2: Task.source: Field required"),
    ],
    ids=["syntax", "import", "own function", "another's", "taken method", "taken suite", "no source"],
)  # fmt: skip
def test_what_is_wrong_is_said_with_the_plugins_own_line(bench: Bench, code: str, message: str) -> None:
    Path("mine.py").write_text(code)
    said = bench.refuses("--plugin", "mine.py")
    assert message in said.replace(str(Path.cwd()) + "/", "")


def test_a_taken_name_is_refused_whoever_is_loaded_first() -> None:
    """In a fresh process, where nothing has asked for the built-in ones yet."""
    import subprocess

    Path("mine.py").write_text(METHOD.format(name="ptv2"))
    command = [sys.executable, "-m", "bench", "list", "methods", "--plugin", "mine.py"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1), done.stderr
    assert "two methods are called 'ptv2'" in done.stderr


def test_two_plugins_of_one_file_name_are_two() -> None:
    for folder in ("a", "b"):
        Path(folder).mkdir()
        (Path(folder) / "mine.py").write_text(METHOD.format(name="mine"))
    registry.load_plugin(Path("a/mine.py"))
    with pytest.raises(UsageError, match=r"two methods are called 'mine': .*a/mine.py and .*b/mine.py"):
        registry.load_plugin(Path("b/mine.py"))


def test_a_plugin_named_twice_is_loaded_twice_and_has_its_names() -> None:
    Path("mine.py").write_text(METHOD.format(name="mine") + SUITE.format(name="mails"))
    for _ in range(2):
        registry.load_plugin(Path("mine.py"))
    assert {"mine"} < set(registry.methods())
    assert registry.suites()["mails"].tasks[0].name == "mails"


def test_a_plugin_may_build_on_a_built_in_suite() -> None:
    Path("mine.py").write_text(
        "from bench import Suite\nfrom bench.suites.superglue import SUPERGLUE\n"
        "MINE = Suite(name='mine', tasks=SUPERGLUE.tasks[:2])\n"
    )
    registry.load_plugin(Path("mine.py"))
    assert [task.name for task in registry.find_suite("mine").tasks] == ["boolq", "cb"]
