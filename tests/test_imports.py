"""Imports point one way, between rooms and between files, and the light rooms never load torch."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
HEAVY = {"torch", "transformers", "datasets"}  # seconds to load; `bench --help` and a plan must not wait for them

# Rooms of bench/ from the ground up: a module imports from rooms before its own, and what only the type checker reads
# counts too. The package's own module, the public face, is the roof.
ROOMS = (
    "errors", "bounds", "writing", "version", "seeds", "escaping", "checkout", "collecting", "ending", "installed",
    "spelling", "cell", "fields", "kind", "task", "request", "data", "model", "tuning", "registry", "own", "resolved",
    "joint", "store", "plan", "score", "kinds", "train", "predicting", "export", "runner", "check", "report", "share",
    "track", "execute", "flags", "commands", "notebook", "cli", "__main__", "",
)  # fmt: skip

LIGHT = {
    "bounds", "cell", "check", "cli", "collecting", "commands", "ending", "errors", "escaping", "fields", "flags",
    "installed", "joint", "kind", "kinds", "own", "plan", "registry", "report", "request", "resolved", "seeds", "share",
    "spelling", "store", "task", "track", "tuning", "version", "writing",
}  # fmt: skip
NEVER_HEAVY = {  # not even inside their functions
    "bounds", "cell", "escaping", "fields", "flags", "joint", "kind", "plan", "report", "request", "resolved", "seeds",
    "share", "spelling", "store", "task", "tuning", "writing",
}  # fmt: skip
# the parts of a command that come when a request has been found right
TRAINING = {"bench.commands.array", "bench.commands.grid", "bench.commands.measure", "bench.commands.submit"}

MODULES = {
    ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path
    for path in sorted((ROOT / "bench").rglob("*.py"))
}


def room(module: str) -> str:
    """The room of `bench.room.file`; empty for the package itself."""
    return module.split(".")[1] if "." in module else ""


def imports(module: str, *, in_functions: bool, typing: bool = False) -> set[str]:
    """Dotted names that `module` imports when it runs, and with `typing` those that only the type checker reads."""
    path = MODULES[module]
    package = module if path.name == "__init__.py" else module.rpartition(".")[0]
    names: set[str] = set()
    for node in _running(ast.parse(path.read_text()), in_functions, typing):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = ".".join(package.split(".")[: len(package.split(".")) - node.level + 1]) if node.level else ""
            source = ".".join(part for part in (above, node.module) if part)
            names.add(source)
            names.update(f"{source}.{alias.name}" for alias in node.names)
    return names


def _running(node: ast.AST, in_functions: bool, typing: bool) -> Iterator[ast.AST]:
    """Nodes that run: what is under `if TYPE_CHECKING` and in functions only when asked for."""
    for child in ast.iter_child_nodes(node):
        if not typing and isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test):
            continue
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda) and not in_functions:
            continue
        yield child
        yield from _running(child, in_functions, typing)


def used_modules(module: str) -> set[str]:
    """The other modules of bench/ that a module imports, in whatever way."""
    names = imports(module, in_functions=True, typing=True)
    return {name for name in names if name in MODULES and name not in (module, "bench")}


def circles(graph: Mapping[str, set[str]]) -> set[frozenset[str]]:
    """The largest sets of more than one node in which each leads to every other."""
    reached: dict[str, set[str]] = {}
    for start in graph:
        ahead, seen = [start], set()
        while ahead:
            new = graph[ahead.pop()] - seen
            seen |= new
            ahead += new
        reached[start] = seen
    circular = [node for node in graph if node in reached[node]]
    return {frozenset(other for other in reached[node] if node in reached[other]) for node in circular}


def heavy(names: set[str]) -> set[str]:
    return {name for name in names if name.split(".")[0] in HEAVY}


def test_every_room_has_its_place() -> None:
    rooms = {room(module) for module in MODULES}
    assert rooms - set(ROOMS) == set(), "give it a place in ROOMS"
    assert sorted(ROOMS) == sorted(rooms), "a room that is gone has no place, and none has two"


def test_imports_point_down() -> None:
    upwards = {
        (module, room(name))
        for module in MODULES
        for name in used_modules(module)
        if ROOMS.index(room(name)) > ROOMS.index(room(module))
    }
    assert upwards == set()


def test_the_page_lists_the_rooms_in_an_order_in_which_each_knows_those_above_it() -> None:
    block = (ROOT / "bench" / "README.md").read_text().split("```")[1]
    lines = [re.split(r"\s{2,}", line)[0] for line in block.strip().splitlines()]
    listed = {name: number for number, line in enumerate(lines) for name in re.findall(r"\b[a-z]+\b", line)}
    places = {name: place for name, place in listed.items() if name in ROOMS}
    assert set(places) == set(ROOMS) - {"", "__main__"}
    inside = [module for module in MODULES if room(module) in places]
    below = {
        (module, name)
        for module in inside
        for name in used_modules(module)
        if places[room(name)] > places[room(module)]
    }
    assert below == set()


def test_no_two_files_import_each_other() -> None:
    assert circles({module: used_modules(module) for module in MODULES}) == set()


def test_a_circle_is_found_and_what_leads_to_it_is_not_in_it() -> None:
    graph = {"a": {"b"}, "b": {"c"}, "c": {"b", "d"}, "d": set(), "e": {"f"}, "f": {"e"}}
    assert circles(graph) == {frozenset("bc"), frozenset("ef")}


@pytest.mark.parametrize("module", [name for name in MODULES if name != "bench"])
def test_no_room_imports_from_the_face(module: str) -> None:
    names = imports(module, in_functions=True, typing=True)
    direct = {name for name in names if name.count(".") == 1 and name.startswith("bench.")}
    assert direct - set(MODULES) == set(), "each name has a room; the face is for plugins and notebooks"


@pytest.mark.parametrize("module", [name for name in MODULES if room(name) in LIGHT])
def test_a_light_module_names_no_heavy_library(module: str) -> None:
    assert heavy(imports(module, in_functions=room(module) in NEVER_HEAVY)) == set()


@pytest.mark.parametrize("folder", ["methods", "suites"])
def test_methods_and_suites_know_nothing_above_the_registry(folder: str) -> None:
    """No loop, store or report: what is asked of a method or a task is the same in all of them."""
    above = ROOMS[ROOMS.index("registry") + 1 :]
    lines = {
        f"{path.relative_to(ROOT)}: {line.strip()}"
        for path in (ROOT / folder).rglob("*.py")
        for line in path.read_text().splitlines()
        if (found := re.match(r"\s*(?:from|import) bench\.(\w+)", line)) and found[1] in above
    }
    assert lines == set()


@pytest.mark.parametrize("module", MODULES)
def test_the_engine_imports_no_method_and_no_suite(module: str) -> None:
    used = imports(module, in_functions=True)
    assert {name for name in used if name.startswith(("bench.methods", "bench.suites"))} == set()


def loaded_heavy(code: str) -> list[str]:
    """The heavy libraries that a fresh interpreter holds after running `code`."""
    report = f"import sys; print('HEAVY', *sorted({HEAVY!r} & set(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-c", f"{code}\n{report}"], cwd=ROOT, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()[-1].split()[1:]


def test_loading_the_light_rooms_loads_no_heavy_library() -> None:
    light = [name for name in MODULES if room(name) in LIGHT and name not in TRAINING]
    assert {
        "bench.cli",
        "bench.plan.cells",
        "bench.registry",
        "bench.task",
        "bench.tuning",
        "bench.store.store",
    } <= set(light)
    assert loaded_heavy(f"import {', '.join(light)}") == []


def test_help_loads_no_heavy_library() -> None:
    code = "import sys\nfrom bench.cli import main\nsys.argv = ['bench', '--help']\n"
    assert loaded_heavy(code + "try:\n    main()\nexcept SystemExit as stop:\n    assert not stop.code") == []
