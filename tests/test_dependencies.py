"""What the package imports is what it declares, and every declared package has a lower bound."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from functools import cache
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.version import Version

from tests.oldest import TOOLS, declared, lower_bound, oldest

ROOT = Path(__file__).parent.parent
OURS = {"bench"}
WITHOUT_A_DECLARATION = {
    "triton": "a part of torch where there are GPUs; looked for only there",
    "IPython": "what a notebook runs in; asked for only there",
    "grpc": "a part of ray[client]; its errors are told from ours only where Ray runs",
}
WITHOUT_AN_IMPORT = {"tensorboard": "torch.utils.tensorboard imports it"}
NOT_IN_CI = {"ray", "wandb", "mlflow-skinny", "trackio"}  # a cluster, and services that tests have stand-ins of
NAMES = {
    "sklearn": "scikit-learn",
    "mlflow": "mlflow-skinny",
}  # packages called otherwise than what they bring


@cache
def imported() -> dict[str, set[str]]:
    """The top-level names that bench/, methods/ and suites/ import, with the files that do."""
    found: dict[str, set[str]] = {}
    for folder in ("bench", "methods", "suites"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            for node in ast.walk(ast.parse(path.read_text())):
                names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
                if isinstance(node, ast.ImportFrom) and not node.level and node.module:
                    names.append(node.module)
                for name in names:
                    found.setdefault(name.partition(".")[0], set()).add(str(path.relative_to(ROOT)))
    return {name: files for name, files in found.items() if name not in sys.stdlib_module_names | OURS}


def normal(name: str) -> str:
    return name.lower().replace("_", "-").replace(".", "-")


def package(name: str) -> str:
    """The package that brings an import name."""
    return normal(NAMES.get(name, name))


def of_users() -> dict[str, Requirement]:
    """What a user's installation may have, by name: the package's requirements and those of its extras."""
    extras = declared()
    return {normal(one.name): one for extra in extras if extra != TOOLS for one in extras[extra]}


def test_every_import_is_declared() -> None:
    missing = {
        name: sorted(files)[:3]
        for name, files in imported().items()
        if package(name) not in of_users() and name not in WITHOUT_A_DECLARATION
    }
    assert missing == {}


def test_every_declared_package_is_imported() -> None:
    used = {package(name) for name in imported()}
    assert set(of_users()) - used - set(WITHOUT_AN_IMPORT) == set()


def test_exceptions_are_needed() -> None:
    unused = {name for name in WITHOUT_A_DECLARATION if name not in imported()}
    assert unused == set()
    assert set(WITHOUT_A_DECLARATION) & set(of_users()) == set()


@pytest.mark.parametrize("name", sorted(of_users()))
def test_a_declared_package_has_a_lower_bound_below_what_is_pinned(name: str) -> None:
    bound = lower_bound(of_users()[name])
    assert bound is not None
    pins = dict(line.split("==") for line in (ROOT / "constraints.txt").read_text().splitlines() if "==" in line)
    pinned = {normal(each): version for each, version in pins.items()}.get(name)
    assert pinned is None or Version(bound) <= Version(pinned)
    assert pinned is not None or name in NOT_IN_CI


def test_the_classifiers_name_the_pythons_that_ci_runs() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    said = [name.rpartition(" ")[2] for name in project["classifiers"] if "Python :: 3." in name]
    matrix = re.search(r"python: \[(.*)\]", (ROOT / ".github/workflows/ci.yml").read_text())
    assert matrix is not None
    assert said == [version.strip('" ') for version in matrix[1].split(",")]
    assert project["requires-python"] == f">={said[0]}"


def test_the_oldest_versions_are_the_bounds() -> None:
    pins = dict(line.split("==") for line in oldest())
    assert {normal(name) for name in pins} >= set(of_users()) | {"pytest"}
    assert pins["torch"] == lower_bound(of_users()["torch"])


def test_a_name_that_differs_from_its_package_s_is_known() -> None:
    """What this environment says, where the packages are installed."""
    brings = packages_distributions()
    wrong = {
        name: brings[name]
        for name in imported()
        if name in brings
        and name not in WITHOUT_A_DECLARATION
        and package(name) not in {normal(each) for each in brings[name]}
    }
    assert wrong == {}
