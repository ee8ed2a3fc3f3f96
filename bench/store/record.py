"""What a cell came to: the schema of record.json. Every field has a line in results/README.md."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, SerializerFunctionWrapHandler, model_serializer

from bench.cell import Cell

Status = Literal["done", "failed", "diverged"]


class Part(BaseModel):
    """A piece of a record; unknown fields are an error, so that a changed schema cannot pass unseen."""

    model_config = ConfigDict(extra="forbid")


class CurvePoint(Part):
    """One evaluation along the way."""

    step: int
    epoch: float
    train_loss: float | None  # mean over the steps since the last point; None before the first
    scores: dict[str, float]  # on the selection slice (holdout) or on dev (paper)


class Counts(Part):
    """Examples used; `*_cut` are those of whose text some was left out, being longer than max_length."""

    train: int = 0
    selection: int = 0
    scored: int = 0
    train_items: int = 0  # what batches count: examples, or windows of their contexts
    train_cut: int = 0
    scored_cut: int = 0
    train_left_out: int = 0  # rows of the whole train split from which nothing can be learned
    train_repaired: int = 0  # repairs made in reading the whole train split, whatever their kind
    scored_repaired: int = 0  # the same of the whole scored split
    demonstrations: int = 0  # solved train examples that stood before every example
    demonstrations_cut: int = 0  # of these, those of whose text some was left out
    demonstrations_dropped: int = 0  # those asked for that found no room in the model's positions, or no train row


class Parameters(Part):
    """Numbers of scalars."""

    trained: int = 0  # what the optimizer moved or a search chose, reparameterisation included
    stored: int = 0  # what must be kept to use the result
    head: int = 0  # of the stored, those of the task head
    backbone: int = 0  # the model without what the method added


class Costs(Part):
    """Seconds are wall time; of a loop that several lanes shared, this cell's part by tokens but for `compile_seconds`.

    None stands where a record is older than the measurement, and where there was nothing to measure.
    """

    seconds: float = 0.0
    load_seconds: float | None = None  # its part of loading and proving a backbone that other cells use too
    encode_seconds: float | None = None  # its part of reading and encoding data that other cells use too
    train_seconds: float = 0.0
    evaluate_seconds: float = 0.0
    compile_seconds: float | None = None  # of the whole loop: compiling layers, capturing graphs; no time of training
    store_seconds: float | None = None  # of all files but the record itself, which could not know its own
    steps: int = 0
    tokens: int = 0  # real tokens and prompt slots through the backbone while training, padding not counted
    tokens_per_second: float = 0.0
    model_flops: float | None = None  # what the model's arithmetic needs for `tokens` (bench.model.flops)
    utilization: float | None = None  # of the device's peak, by `model_flops` in `train_seconds`: 0 to 1
    forward_passes: int = 0  # sequences through the backbone while training, each time they went through
    peak_bytes: int = 0  # of the process (CPU) or of the allocator (GPU) during the loop
    lanes: int = 1  # cells that shared the loop
    joint_steps: int = 0  # of a first stage over several data sets, on top of the budget; not in the numbers above
    joint_tokens: int = 0
    joint_seconds: float = 0.0  # a run trains it once for all cells that share it, and notes it in each

    @property
    def own_compile_seconds(self) -> float | None:
        """This cell's part of `compile_seconds`, as it lies within `seconds`: lanes have equal ones."""
        return None if self.compile_seconds is None else self.compile_seconds / max(1, self.lanes)

    def add_storing(self, seconds: float) -> None:
        """Note what writing took."""
        self.store_seconds = (self.store_seconds or 0.0) + seconds
        self.seconds += seconds


class Record(Part):
    """One cell's outcome. Scores run from 0 to 100. A trial has no `scores`; what counts is its `selection_score`."""

    format: int = 4  # of the file it was read from; what is written is of this version's
    id: str
    cell: Cell
    status: Status
    reason: str | None = None
    traceback: str | None = None  # of an error that ended the cell; left out of the file where there was none
    main_metric: str
    scores: dict[str, float] = {}
    trivial: dict[str, float] = {}  # what a constant answer scores on the same dev rows
    selected_step: int | None = None
    selection_score: float | None = None
    null_threshold: float | None = None  # a span is answered unless "no answer" scores better by more than this
    found: dict[str, Any] = {}  # what a search came to, as text: a trigger's tokens, label words per class
    curve: list[CurvePoint] = []
    counts: Counts = Counts()
    parameters: Parameters = Parameters()
    costs: Costs = Costs()
    provenance: dict[str, Any] = {}
    files: dict[str, str] = {}  # SHA-256 of each of the cell's other files, by name
    started: str = ""  # ISO 8601, UTC
    finished: str = ""

    @property
    def workers(self) -> int:
        """How many workers of its command shared the GPU."""
        workers = self.provenance.get("workers", 1)
        return workers if isinstance(workers, int) else 1  # a file of another tool may have anything there

    @property
    def utilization(self) -> float | None:
        """That of its costs; of a GPU that workers shared older records tell one too, beside a peak that was measured
        while others used it.
        """
        return self.costs.utilization if self.workers == 1 else None

    @property
    def was_shared(self) -> bool:
        """Whether its seconds are of a loop, or of a GPU, that it did not have to itself."""
        return self.costs.lanes > 1 or self.workers > 1

    @model_serializer(mode="wrap")
    def _without_an_empty_traceback(self, dump: SerializerFunctionWrapHandler) -> dict[str, Any]:
        fields: dict[str, Any] = dump(self)
        if self.traceback is None:
            fields.pop("traceback", None)
        return fields
