"""A plugin is held to the rules of the house when it is loaded, and what is wrong with it is said at its own line."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from bench import registry
from bench.errors import UsageError
from tests.conftest import Bench, registered_for_now

METHOD = "from bench import Method, method\n\n@method({name!r})\nclass Mine(Method):\n    'Mine.'\n"
SUITE = (
    "from bench import Source, Suite, Task\n"
    "TASK = Task(name='mails', kind='classification', source=Source(local=('mails/{{split}}.jsonl',)),\n"
    "            plain='{{text}}', classes=('a', 'b'), metrics=('accuracy',))\n"
    "MINE = Suite(name={name!r}, tasks=(TASK,))\n"
)


@pytest.fixture(autouse=True)
def _own_folder(bench: Bench) -> None:
    """Plugins are written where a test stands."""


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


ROWS = [{"text": f"word{number} word{number % 7}", "label": "ab"[number % 2]} for number in range(40)]


def test_a_report_needs_no_plugin_for_a_suite_that_a_plugin_brought(bench: Bench, tiny_bert: Path) -> None:
    Path("mails").mkdir()
    for split, rows in (("train", ROWS), ("dev", ROWS[:10])):
        Path(f"mails/{split}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    task = SUITE.format(name="mails").replace("tasks=(TASK,)", "tasks=(TASK,), average=('mails',)")
    Path("mine.py").write_text(task.replace("('accuracy',)", "('accuracy',), clusters='thread'"))
    with registered_for_now():
        code, out, err = bench.run(
            "--plugin", "mine.py", "--suite", "mails", "--tasks", "mails", "--data", ".", "--methods", "ptv2,finetune",
            "--set", "ptv2.length=4", "--seeds", "2",
        )  # fmt: skip
        assert code == 0, err
    assert "mails" not in registry.suites()
    code, out, err = bench("report", "out", "--format", "csv")
    assert (code, err) == (0, "")
    assert "the task is not known here" not in out
    verdicts = Path("out/report/verdicts-mails.csv").read_text()
    assert "mails" in verdicts
    assert "No clusters are known of mails" in out  # examples were drawn: their predictions could be read


def test_a_kept_suite_that_cannot_be_read_is_left_out_and_named(bench: Bench) -> None:
    assert bench.run()[0] == 0
    Path("out/suites/other.json").write_text('{"name": "other", "tasks": [{"name": "t", "kind": "nosuch"}]}')
    code, _, err = bench("report", "out", "--format", "csv")
    assert code == 0
    assert "left out: out/suites/other.json is no suite that can be read here" in err
