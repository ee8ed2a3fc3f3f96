"""tuning-bench: compares ways of tuning pretrained language models.

`bench.load("results/x")` gives results folders as a table (bench.report.frame.load).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bench.report.frame import load

__version__ = "0.1.0"
__all__ = ["__version__", "load"]


def __getattr__(name: str) -> Any:
    """`load`, imported when it is asked for: `import bench` stays light."""
    if name == "load":
        from bench.report.frame import load

        return load
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
