"""The tree is the one the README shows, and what is tracked would work on any machine."""

from __future__ import annotations

import re
import subprocess
from collections import Counter
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
FOLDERS = {"bench", "methods", "suites", "results", "tests"}
LONGEST, LONGEST_TEST = 300, 350  # lines of a Python file

# Home and work folders of one machine, and addresses of one package index.
LOCAL = re.compile(r"(?<![\w.])/(?:work|root|home)\b|\b(?:https?|file)://\S+/simple\b")


def tracked() -> list[Path]:
    """Files git tracks or would track, relative to the root."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    try:
        listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("not a git checkout")
    return [Path(name) for name in sorted(set(listed.split("\0"))) if name and (ROOT / name).is_file()]


def test_top_level_folders() -> None:
    top = {path.parts[0] for path in tracked() if len(path.parts) > 1}
    assert {name for name in top if not name.startswith(".")} == FOLDERS


def test_no_two_test_files_have_one_name() -> None:
    """pytest imports them by their names alone, and refuses the second."""
    names = Counter(path.name for path in tracked() if path.name.startswith("test_") and path.suffix == ".py")
    assert [name for name, count in names.items() if count > 1] == []


def test_python_files_are_short() -> None:
    lines = {path: len((ROOT / path).read_text().splitlines()) for path in tracked() if path.suffix == ".py"}
    most = {path: LONGEST_TEST if path.parts[0] == "tests" else LONGEST for path in lines}
    assert {path: count for path, count in lines.items() if count >= most[path]} == {}


def test_nothing_tracked_is_bound_to_one_machine() -> None:
    found = []
    for path in tracked():
        try:
            text = (ROOT / path).read_text()
        except UnicodeDecodeError:
            continue  # weights and pictures
        found += [f"{path}: {match.group()}" for match in LOCAL.finditer(text)]
    assert found == []


@pytest.mark.parametrize("name", ["Makefile", ".ci/run", "pyproject.toml", "CONTRIBUTING.md", "tests/README.md"])
def test_what_is_named_of_the_tests_is_there(name: str) -> None:
    """Tests move; a target that names an old place fails where nobody looks (ROOM stands for any)."""
    named = set(re.findall(r"(?<![\w./-])tests/[a-z][\w/.-]*\w", (ROOT / name).read_text()))
    assert named or name == ".ci/run"
    assert [path for path in sorted(named) if not (ROOT / path).exists()] == []


@pytest.mark.parametrize("before", ["", "cd ", "'", "(", "path="])
@pytest.mark.parametrize("folder", ["work", "root", "home"])
def test_a_machine_path_is_recognised(before: str, folder: str) -> None:
    assert LOCAL.search(f"{before}/{folder}/x")


def test_an_index_address_is_recognised() -> None:
    assert LOCAL.search("https://index.example/" + "simple")


@pytest.mark.parametrize("text", ["patch/work", "./home/x", "https://example.org/papers", "/workers"])
def test_an_ordinary_path_is_not_a_machine_path(text: str) -> None:
    assert not LOCAL.search(text)


@pytest.mark.parametrize("folder", sorted(FOLDERS))
def test_the_readme_names_every_top_level_folder(folder: str) -> None:
    assert f"{folder}/" in (ROOT / "README.md").read_text()
