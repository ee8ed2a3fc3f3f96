"""tuning-bench: compares ways of tuning pretrained language models.

This is the public face, what plugins and notebooks import. Each name is fetched from its room when it is asked for, so
that `import bench` loads neither torch nor pandas. Methods and suites are `bench.methods` and `bench.suites`, in a
checkout too, where their folders lie beside bench/.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from bench.checkout import RepositoryFolders

if TYPE_CHECKING:
    from bench.cell import Budget
    from bench.errors import UsageError, WordError
    from bench.model.attachment import Attachment, LayerPrefixes, Prompts, SlotPrompts, Weights
    from bench.model.injected import Injected
    from bench.registry import method
    from bench.report.read.frame import load
    from bench.task import Answer, Example, Source, Suite, Task, bio
    from bench.tuning import Joint, Method, Slots

__version__ = "0.1.0"
__all__ = [
    "Answer", "Attachment", "Budget", "Example", "Injected", "Joint", "LayerPrefixes", "Method", "Prompts",
    "SlotPrompts", "Slots", "Source", "Suite", "Task", "UsageError", "Weights", "WordError", "__version__", "bio",
    "load", "method",
]  # fmt: skip

_ROOMS = {
    "bench.cell": ("Budget",),
    "bench.errors": ("UsageError", "WordError"),
    "bench.model.attachment": ("Attachment", "LayerPrefixes", "Prompts", "SlotPrompts", "Weights"),
    "bench.model.injected": ("Injected",),
    "bench.registry": ("method",),
    "bench.report.read.frame": ("load",),
    "bench.task": ("Answer", "Example", "Source", "Suite", "Task", "bio"),
    "bench.tuning": ("Joint", "Method", "Slots"),
}
_ROOM_OF = {name: room for room, names in _ROOMS.items() for name in names}

RepositoryFolders.install()


def __getattr__(name: str) -> Any:
    if name not in _ROOM_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(_ROOM_OF[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
