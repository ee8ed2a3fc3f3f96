"""`import bench` offers what a notebook wants, and stays light until it is used."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

import pytest

import bench
from bench.checkout import FOLDERS
from bench.report.read.frame import FRAME_COLUMNS

ROOT = Path(__file__).parent.parent


def test_importing_the_package_loads_neither_pandas_nor_torch() -> None:
    code = "import sys, bench; sys.exit(bool({'pandas', 'numpy', 'torch', 'pydantic'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False, timeout=60).returncode == 0


@pytest.mark.parametrize("name", bench.__all__)
def test_every_name_of_the_face_is_there_and_not_hidden_by_a_file_of_its_name(name: str) -> None:
    """Importing bench.x sets the package's attribute `x`: a name of the face must not be a module's."""
    assert getattr(bench, name) is not None
    assert find_spec(f"bench.{name}") is None


def test_the_type_checker_is_told_of_the_same_names_in_the_same_rooms() -> None:
    (block,) = (node for node in ast.parse(Path(bench.__file__).read_text()).body if isinstance(node, ast.If))
    told = {alias.name: node.module for node in block.body for alias in node.names}
    assert told == bench._ROOM_OF
    assert set(told) | {"__version__"} == set(bench.__all__)


@pytest.mark.parametrize("name", ["bench.methods.ptv2", "bench.suites.superglue", "bench.suites.smoke.language"])
def test_methods_and_suites_are_modules_of_the_one_package(name: str) -> None:
    assert import_module(name).__name__ == name


@pytest.mark.parametrize("folder", FOLDERS)
def test_a_wheel_has_the_folders_where_a_checkout_finds_them(folder: str) -> None:
    """What hatch_build.py lays out is what bench/checkout.py looks for; read as text, for hatch is not installed."""
    text = (ROOT / "hatch_build.py").read_text()
    assert f'"{folder}": "bench/{folder}"' in text
    assert not (ROOT / "bench" / folder).exists()


def test_the_build_reads_the_version_that_the_package_says() -> None:
    build = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["hatch"]["version"]["path"]
    assert re.findall(r'^__version__ = "(.+)"$', (ROOT / build).read_text(), re.MULTILINE) == [bench.__version__]


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'lode'"):
        _ = bench.lode  # type: ignore[attr-defined]


@pytest.mark.parametrize("column", FRAME_COLUMNS)
def test_every_column_of_load_has_a_line_in_the_readme(column: str) -> None:
    text = (ROOT / "results" / "README.md").read_text()
    assert f"`{column}`" in text.split("## bench.load")[1].split("\n## ")[0]
