"""tuning-bench: compares ways of tuning pretrained language models.

This is the public face, what plugins and notebooks import. Each name is fetched from its room when it is asked for, so
that `import bench` loads neither torch nor pandas. Methods and suites are `bench.methods` and `bench.suites`, in a
checkout too, where their folders lie beside bench/.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from bench.checkout import RepositoryFolders
from bench.version import __version__

if TYPE_CHECKING:
    from bench.cell import Budget
    from bench.data.slots import Slots
    from bench.errors import CannotShare, UsageError, WordError
    from bench.kind import task_kind
    from bench.model.attachment import Attachment, LayerPrefixes, SlotPrompts, Weights
    from bench.model.backbone import Backbone
    from bench.model.injected import Injected
    from bench.model.needs import HeadKind
    from bench.model.prompts import Prompts
    from bench.model.row_adapter import RowAdapter
    from bench.model.row_biases import RowBiases
    from bench.notebook.calls import predict, preview, run
    from bench.notebook.results import Results, load
    from bench.registry import method
    from bench.score.kind import TaskKind
    from bench.task import Answer, Example, Source, Suite, Task, bio
    from bench.track.known import tracker
    from bench.track.tracker import Tracker
    from bench.tuning import Joint, Method

__all__ = [
    "Answer", "Attachment", "Backbone", "Budget", "CannotShare", "Example", "HeadKind", "Injected", "Joint",
    "LayerPrefixes", "Method", "Prompts", "Results", "RowAdapter", "RowBiases", "SlotPrompts", "Slots", "Source",
    "Suite", "Task", "TaskKind", "Tracker", "UsageError", "Weights", "WordError", "__version__", "bio", "load",
    "method", "predict", "preview", "run", "task_kind", "tracker",
]  # fmt: skip

_ROOMS = {
    "bench.cell": ("Budget",),
    "bench.data.slots": ("Slots",),
    "bench.errors": ("CannotShare", "UsageError", "WordError"),
    "bench.kind": ("task_kind",),
    "bench.model.attachment": ("Attachment", "LayerPrefixes", "SlotPrompts", "Weights"),
    "bench.model.backbone": ("Backbone",),
    "bench.model.injected": ("Injected",),
    "bench.model.needs": ("HeadKind",),
    "bench.model.prompts": ("Prompts",),
    "bench.model.row_adapter": ("RowAdapter",),
    "bench.model.row_biases": ("RowBiases",),
    "bench.notebook.calls": ("predict", "preview", "run"),
    "bench.notebook.results": ("Results", "load"),
    "bench.registry": ("method",),
    "bench.score.kind": ("TaskKind",),
    "bench.task": ("Answer", "Example", "Source", "Suite", "Task", "bio"),
    "bench.track.known": ("tracker",),
    "bench.track.tracker": ("Tracker",),
    "bench.tuning": ("Joint", "Method"),
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
