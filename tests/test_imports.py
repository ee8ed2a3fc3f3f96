"""Imports point one way, the light rooms never load torch, and the engine names no method and no task."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
HEAVY = {"torch", "transformers", "datasets"}  # seconds to load; `bench --help` and a plan must not wait for them

# Rooms of bench/ from the ground up: a module imports from its own level or below it.
LEVELS = (
    {"cell", "checkout", "errors", "kind", "seeds", "settings", "task", "tuning"},
    {"data", "kinds", "model", "registry", "score", "store", "train"},
    {
        "budgets",
        "design",
        "export",
        "lineup",
        "plan",
        "preview",
        "progress",
        "report",
        "runner",
        "selection",
        "variants",
    },
    {"commands"},
    {"cli"},
    {"__main__"},
)
LIGHT = {
    "budgets", "cell", "cli", "commands", "design", "errors", "kind", "lineup", "plan", "preview", "progress",
    "registry",
    "report", "seeds", "selection", "settings", "task", "tuning", "store", "variants",
}  # fmt: skip
NEVER_HEAVY = {  # not even inside their functions
    "budgets", "cell", "design", "kind", "lineup", "plan", "preview", "report", "seeds", "selection", "settings",
    "store",
    "task", "tuning", "variants",
}  # fmt: skip

MODULES = {
    ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path
    for path in sorted((ROOT / "bench").rglob("*.py"))
}


def room(module: str) -> str:
    """The room of `bench.room.file`; empty for the package itself."""
    return module.split(".")[1] if "." in module else ""


def level(name: str) -> int:
    return next((height for height, rooms in enumerate(LEVELS) if name in rooms), -1)


def imports(module: str, *, in_functions: bool) -> set[str]:
    """Dotted names that `module` imports when it runs; what only the type checker reads is left out."""
    path = MODULES[module]
    package = module if path.name == "__init__.py" else module.rpartition(".")[0]
    found: set[str] = set()
    for node in _running(ast.parse(path.read_text()), in_functions):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = ".".join(package.split(".")[: len(package.split(".")) - node.level + 1]) if node.level else ""
            source = ".".join(part for part in (above, node.module) if part)
            found.add(source)
            found.update(f"{source}.{alias.name}" for alias in node.names)
    return found


def _running(node: ast.AST, in_functions: bool) -> Iterator[ast.AST]:
    """Nodes that run: not those under `if TYPE_CHECKING`, and function bodies only when asked for."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test):
            continue
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda) and not in_functions:
            continue
        yield child
        yield from _running(child, in_functions)


def heavy(names: set[str]) -> set[str]:
    return {name for name in names if name.split(".")[0] in HEAVY}


def test_every_room_has_its_level() -> None:
    rooms = {room(module) for module in MODULES} - {""}
    assert {name for name in rooms if level(name) < 0} == set(), "give it a level in LEVELS"


@pytest.mark.parametrize("module", MODULES)
def test_imports_point_down(module: str) -> None:
    own = level(room(module))
    if room(module):
        used = {name for name in imports(module, in_functions=True) if name.startswith("bench.")}
        assert {name for name in used if level(room(name)) > own} == set()


def test_no_two_rooms_import_each_other() -> None:
    graph: dict[str, set[str]] = {}
    for module in MODULES:
        used = {room(name) for name in imports(module, in_functions=True) if name.startswith("bench.")}
        graph.setdefault(room(module), set()).update(used - {room(module)})
    TopologicalSorter(graph).prepare()  # raises CycleError, which names the cycle


@pytest.mark.parametrize("module", [name for name in MODULES if room(name) in LIGHT])
def test_a_light_module_names_no_heavy_library(module: str) -> None:
    assert heavy(imports(module, in_functions=room(module) in NEVER_HEAVY)) == set()


@pytest.mark.parametrize("module", MODULES)
def test_the_engine_imports_no_method_and_no_suite(module: str) -> None:
    used = imports(module, in_functions=True)
    assert {name for name in used if name.startswith(("bench.methods", "bench.suites"))} == set()


def test_the_engine_names_no_method_and_no_task() -> None:
    names = {path.stem for path in (ROOT / "methods").glob("*.py")} - {"__init__"}
    for path in sorted((ROOT / "suites").rglob("*.py")):
        names |= set(_declared(ast.parse(path.read_text()), "Task"))
    assert names
    constants = {
        (module, node.value)
        for module, path in MODULES.items()
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }
    assert {(module, text) for module, text in constants if text in names} == set()


def _declared(tree: ast.AST, kind: str) -> Iterator[str]:
    """The constant `name=` of every `kind(...)` call."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == kind:
            for keyword in node.keywords:
                if keyword.arg == "name" and isinstance(keyword.value, ast.Constant):
                    yield str(keyword.value.value)


def loaded_heavy(code: str) -> list[str]:
    """The heavy libraries that a fresh interpreter holds after running `code`."""
    report = f"import sys; print('HEAVY', *sorted({HEAVY!r} & set(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-c", f"{code}\n{report}"], cwd=ROOT, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()[-1].split()[1:]


def test_loading_the_light_rooms_loads_no_heavy_library() -> None:
    light = [name for name in MODULES if room(name) in LIGHT]
    assert {"bench.cli", "bench.plan", "bench.registry", "bench.task", "bench.tuning", "bench.store.store"} <= set(
        light
    )
    assert loaded_heavy(f"import {', '.join(light)}") == []


def test_help_loads_no_heavy_library() -> None:
    code = "import sys\nfrom bench.cli import main\nsys.argv = ['bench', '--help']\n"
    assert loaded_heavy(code + "try:\n    main()\nexcept SystemExit as stop:\n    assert not stop.code") == []
