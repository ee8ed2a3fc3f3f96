"""The engine names no method and no task, and one room alone names families of models.

What counts are identifiers, texts and names of files, whole or in parts; docstrings and comments may cite an example.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from bench.data.hub import COMMIT
from bench.model.families.named import AFTER_PADDING, DECODERS, NAMED
from bench.registry import methods, suites
from tests.model.families import FAMILIES

ROOT = Path(__file__).parent.parent
FILES = {str(path.relative_to(ROOT)): path for path in sorted((ROOT / "bench").rglob("*.py"))}
FAMILY_ROOM = "bench/model/families/"
WORDS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")
ORDINARY = {"peft", "record", "entities", "questions", "sentiment"}  # a library, what a cell comes to, columns of files

# By file the methods that are named in it all the same; an entry goes with its cause.
NAMED_ALL_THE_SAME = {
    "bench/commands/examples.py": {"ptv2"},  # at the end of a command's help
    "bench/export/adapter.py": {"prefix_tuning", "prompt_tuning"},  # classes of PEFT and their fields
    "bench/model/plain_adapters.py": {"adalora", "ia3", "lora"},  # types of PEFT, and what its modules are called
    "bench/model/row_adapter.py": {"adalora", "ia3", "lora"},
    "bench/request.py": {"ptv2"},  # "Of a method, like …"
    "bench/spelling.py": {"ptv2"},  # "the form is METHOD.SETTING=VALUE, like …"
}


def parts(text: str) -> str:
    """The words of an identifier or a text: `PTuningV2`, `p_tuning_v2` and `p-tuning v2` are all ` p tuning v 2 `."""
    return f" {' '.join(word.lower() for word in WORDS.findall(text))} "


def texts(path: Path) -> Iterator[str]:
    """The texts of a file that are no docstrings, and no commits."""
    tree = ast.parse(path.read_text())
    docstrings = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docstrings:
            yield "" if COMMIT.fullmatch(node.value) else node.value


def identifiers(path: Path) -> Iterator[str]:
    """The file's own name, and every name in it."""
    yield path.stem
    for node in ast.walk(ast.parse(path.read_text())):
        names = (getattr(node, field, None) for field in ("id", "attr", "arg", "name", "asname", "module"))
        yield from (name for name in names if isinstance(name, str))


def among(names: set[str], said: Iterable[str]) -> set[str]:
    """Which of the names are in what a file says."""
    words = set(map(parts, said))
    return {name for name in names if any(parts(name) in text for text in words)}


def named(path: Path, names: set[str]) -> set[str]:
    return among(names, [*texts(path), *identifiers(path)])


def test_the_engine_names_no_method() -> None:
    names = set(methods()) - ORDINARY
    assert {file: found for file, path in FILES.items() if (found := named(path, names))} == NAMED_ALL_THE_SAME


def test_the_engine_names_no_task() -> None:
    """In its texts: a variable may be called `questions`."""
    names = {task.name for suite in suites().values() for task in suite.tasks} - ORDINARY
    assert {file: found for file, path in FILES.items() if (found := among(names, texts(path)))} == {}


@pytest.mark.parametrize("file", [file for file in FILES if not file.startswith(FAMILY_ROOM)])
def test_one_room_alone_names_families(file: str) -> None:
    assert named(FILES[file], {*NAMED, *DECODERS, *AFTER_PADDING, *FAMILIES}) == set()


@pytest.mark.parametrize(
    ("code", "found"),
    [
        ("kind = 'AlbertLayer'", True),
        ("from rooms.albert import layer", True),
        ("def of_albert(): ...", True),
        ("f(text=f'an ALBERT model')", True),
        ("class Layer:\n    'As in ALBERT.'", False),
        ("x = 'albertine'  # ALBERT", False),
    ],
)
def test_a_name_is_found_in_parts_of_what_is_said(code: str, found: bool, tmp_path: Path) -> None:
    (tmp_path / "file.py").write_text(code)
    assert named(tmp_path / "file.py", {"albert"}) == ({"albert"} if found else set())
