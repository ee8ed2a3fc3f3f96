"""What runs here: `bench --version`."""

from __future__ import annotations

import platform
from importlib.metadata import PackageNotFoundError, version

from bench.version import __version__

NUMBERS_DEPEND_ON = ("torch", "transformers")


def versions() -> str:
    """One line; packages are not imported for it."""
    packages = [f"{name} {_version(name)}" for name in NUMBERS_DEPEND_ON]
    return f"tuning-bench {__version__} (Python {platform.python_version()}, {', '.join(packages)})"


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "not installed"
