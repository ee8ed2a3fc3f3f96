"""What a kind of task is stands in its own file: nothing else asks which kind one is."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from bench.data.kind import data_of
from bench.errors import UsageError
from bench.kind import BUILT_IN, KindFacts, find_kind, kinds, task_kind
from bench.registry import suites
from bench.score.kind import TaskKind

ROOT = Path(__file__).parents[2]
ELSEWHERE = [
    path
    for folder in ("bench", "methods", "suites")
    for path in sorted((ROOT / folder).rglob("*.py"))
    if ROOT / "bench" / "kinds" not in path.parents
]


def names_in(node: ast.AST) -> set[str]:
    return {each.value for each in ast.walk(node) if isinstance(each, ast.Constant) and each.value in kinds()}


def asks_of_a_kind(node: ast.AST) -> bool:
    """Whether a comparison looks at something called kind."""
    sides = [node.left, *node.comparators] if isinstance(node, ast.Compare) else [node]
    return any(
        (isinstance(side, ast.Attribute) and side.attr == "kind") or (isinstance(side, ast.Name) and side.id == "kind")
        for side in sides
    )


def decisions(tree: ast.AST) -> Iterator[int]:
    """Lines with a comparison of a kind's name, a match of one, or a table that goes by several."""
    for node in ast.walk(tree):
        by_name = isinstance(node, ast.Compare) and asks_of_a_kind(node) and names_in(node)
        matched = isinstance(node, ast.match_case) and names_in(node.pattern)
        table = isinstance(node, ast.Dict) and sum(bool(key and names_in(key)) for key in node.keys) > 1
        if by_name or matched or table:
            yield getattr(node, "lineno", 0)


@pytest.mark.parametrize("path", ELSEWHERE, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_other_file_decides_by_a_kind_s_name(path: Path) -> None:
    assert list(decisions(ast.parse(path.read_text()))) == []


def test_the_search_finds_what_it_is_for() -> None:
    code = "a = task.kind == 'span'\nb = kind in ('choice', 'span')\nc = {'choice': 1, 'span': 2}\nd = x == 'choice'\n"
    assert list(decisions(ast.parse(code))) == [1, 2, 3]


def test_every_file_of_the_room_has_one_kind_of_its_name() -> None:
    files = {path.stem for path in (ROOT / "bench" / "kinds").glob("*.py")} - {"__init__"}
    assert {name: type(kind).__module__ for name, kind in kinds().items()} == {
        name: f"{BUILT_IN}.{name}" for name in files
    }
    assert all(isinstance(kind, TaskKind) and type(kind).__doc__ for kind in kinds().values())


def test_every_kind_has_a_task_that_conformance_runs_on() -> None:
    assert {task.kind for suite in suites().values() for task in suite.tasks} == set(kinds())


def test_tasks_are_checked_and_listed_without_torch_and_numpy() -> None:
    code = "import sys; from bench.registry import suites; suites(); print(*({'torch', 'numpy'} & set(sys.modules)))"
    assert subprocess.check_output([sys.executable, "-c", code], cwd=ROOT, text=True, timeout=60).split() == []


def test_an_unknown_kind_is_named_with_the_nearest() -> None:
    with pytest.raises(UsageError, match=r"unknown kind of task 'regressions'; did you mean 'regression'\? known: "):
        find_kind("regressions")


def test_a_name_is_given_once() -> None:
    with pytest.raises(ValueError, match=r"two kinds of task are called 'span': bench\.kinds\.span and bench\.kind"):
        task_kind("span")(KindFacts)


def test_a_kind_that_lacks_a_part_is_refused_where_it_is_registered() -> None:
    class Half(TaskKind):
        """Reads nothing."""

    with pytest.raises(TypeError, match=r"abstract methods? .*reader"):
        task_kind("half")(Half)
    assert "half" not in kinds()


def test_facts_alone_are_no_kind() -> None:
    class Facts(KindFacts):
        """No more than facts."""

    task_kind("facts")(Facts)
    task = find_task("sst2").model_copy(update={"kind": "facts"})
    with pytest.raises(TypeError, match=r"kind 'facts' \(.*test_one_place\) is no bench\.score\.kind\.TaskKind"):
        data_of(task)


def find_task(name: str):
    return suites()["universal"].task(name)
