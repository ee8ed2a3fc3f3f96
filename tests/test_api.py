"""`import bench` offers what a notebook wants, and stays light until it is used."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import bench
from bench.report.frame import COLUMNS

ROOT = Path(__file__).parent.parent


def test_importing_the_package_loads_neither_pandas_nor_torch() -> None:
    code = "import sys, bench; sys.exit(bool({'pandas', 'numpy', 'torch', 'pydantic'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False, timeout=60).returncode == 0


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'lode'"):
        _ = bench.lode  # type: ignore[attr-defined]


@pytest.mark.parametrize("column", COLUMNS)
def test_every_column_of_load_has_a_line_in_the_readme(column: str) -> None:
    text = (ROOT / "results" / "README.md").read_text()
    assert f"`{column}`" in text.split("## bench.load")[1].split("\n## ")[0]
