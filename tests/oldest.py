"""The oldest version of everything that pyproject.toml declares, as pip's constraints: `python tests/oldest.py`.

`make test-oldest` installs these and runs tests with them, which proves the lower bounds. pyproject.toml is where they
stand; here nothing is listed. Of tools that the package itself does not need it takes what constraints.txt pins.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Iterator
from pathlib import Path

from packaging.requirements import Requirement

ROOT = Path(__file__).parent.parent
TOOLS = "dev"  # the extra that is for work on this package, pinned and not bounded


def declared() -> dict[str, list[Requirement]]:
    """The requirements of the package, under "", and of each of its extras."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    texts = {"": project["dependencies"], **project["optional-dependencies"]}
    return {extra: [Requirement(text) for text in of_extra] for extra, of_extra in texts.items()}


def lower_bound(requirement: Requirement) -> str | None:
    """The version in its `>=`; None where it has none."""
    return next((bound.version for bound in requirement.specifier if bound.operator == ">="), None)


def pinned(requirements: Iterable[Requirement]) -> Iterator[str]:
    """`name==version` of each at its lower bound."""
    for requirement in requirements:
        yield f"{requirement.name}=={lower_bound(requirement)}"


def oldest() -> list[str]:
    """The constraints: those of the package and its extras at their bounds, tools as they are pinned."""
    by_extra = declared()
    tools = {requirement.name.lower() for requirement in by_extra.pop(TOOLS)}
    bounds = list(pinned(requirement for of_extra in by_extra.values() for requirement in of_extra))
    bounded = {bound.partition("==")[0].lower() for bound in bounds}
    pins = [line for line in (ROOT / "constraints.txt").read_text().splitlines() if "==" in line]
    return [*bounds, *(pin for pin in pins if pin.partition("==")[0].lower() in tools - bounded)]


if __name__ == "__main__":
    print("\n".join(oldest()))
