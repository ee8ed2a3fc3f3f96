"""The report's wings import one way, and no two files of a wing import each other; typing imports count."""

from __future__ import annotations

import ast
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
REPORT = "bench.report"
WINGS = ("read", "statistics", "tables", "figures", "page")
ENTRANCE = "bench.report.files"
FILES = {
    ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path
    for path in sorted((ROOT / "bench" / "report").rglob("*.py"))
}


def imported(module: str) -> set[str]:
    """The files of the report that a file imports, wherever in it and for whatever reason."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(FILES[module].read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{module} has a relative import"
            whole = {f"{node.module}.{alias.name}" for alias in node.names}
            names |= {name if name in FILES else str(node.module) for name in whole}
    return {name for name in names if f"{name}.".startswith(f"{REPORT}.")}


def wing(module: str) -> str:
    """The wing of `bench.report.wing.file`; "" for the entrance and the package itself."""
    return module.split(".")[2] if module.count(".") > 2 or module.split(".")[-1] in WINGS else ""


def test_the_report_is_its_wings_and_its_entrance() -> None:
    assert {module for module in FILES if not wing(module)} == {REPORT, ENTRANCE}
    assert {wing(module) for module in FILES} == {"", *WINGS}


@pytest.mark.parametrize("module", [module for module in FILES if wing(module)])
def test_a_wing_imports_only_those_before_it(module: str) -> None:
    allowed = WINGS[: WINGS.index(wing(module)) + 1]
    assert {name for name in imported(module) if wing(name) not in allowed} == set()


def test_no_two_files_import_each_other() -> None:
    TopologicalSorter({module: imported(module) for module in FILES}).prepare()  # CycleError names the cycle


@pytest.mark.parametrize("module", [REPORT, *(f"{REPORT}.{name}" for name in WINGS)])
def test_a_package_says_what_it_holds_and_imports_nothing(module: str) -> None:
    tree = ast.parse(FILES[module].read_text())
    assert len(tree.body) == 1
    assert 3 <= len((ast.get_docstring(tree) or "").splitlines()) <= 8


@pytest.mark.parametrize("module", FILES)
def test_files_are_short(module: str) -> None:
    assert len(FILES[module].read_text().splitlines()) < 300


@pytest.mark.parametrize("module", FILES)
def test_no_function_takes_eight_arguments(module: str) -> None:
    functions = [node for node in ast.walk(ast.parse(FILES[module].read_text())) if isinstance(node, ast.FunctionDef)]
    assert [node.name for node in functions if len((*node.args.args, *node.args.kwonlyargs)) >= 8] == []
