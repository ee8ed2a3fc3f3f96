"""Method: one way of tuning a model, its settings and what it asks of encoder and model. Never imports torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import ConfigDict, SerializerFunctionWrapHandler, field_serializer, field_validator

from bench.bounds import in_range
from bench.cell import Frozen
from bench.data.slots import Slots
from bench.model.needs import HeadKind, Need
from bench.task import Suite, Task

if TYPE_CHECKING:
    from bench.model.attachment import Attachment
    from bench.model.backbone import Backbone
    from bench.model.source import ModelSource


@dataclass(frozen=True)
class Joint:
    """A first stage over several tasks together, the cell's own among them, before the cell's own training.

    `steps`: how many, or None for the budget's number. `keep_head`: go on with the head that it trained for the task.
    """

    tasks: tuple[Task, ...]
    steps: int | None = None
    keep_head: bool = True


class Method(Frozen):
    """Settings of one way of tuning; `attach` turns them into the trainable parts of a cell.

    A subclass adds fields, may change the defaults below, and declares `space`: the settings `--trials` draws from.
    """

    # a command line cannot tell 3 from "3"; a setting that is no finite number could not be read back from a record
    model_config = ConfigDict(coerce_numbers_to_str=True, allow_inf_nan=False)

    name: ClassVar[str] = ""
    reference: ClassVar[bool] = False  # whether reports compare the other methods with this one
    package: ClassVar[str] = ""  # one that its cells go through, and those of other methods do not
    usual: ClassVar[bool] = False  # whether it runs on a user's own data where nobody names methods
    space: ClassVar[dict[str, tuple[Any, ...]]] = {}

    learning_rate: float = 1e-3
    weight_decay: float = 0.0
    optimizer: Literal["adamw", "adafactor"] = "adamw"
    schedule: Literal["linear", "constant"] = "linear"
    warmup: float = 0.0  # share of the steps
    clip: float = 1.0  # largest norm of a step's gradient
    dropout: float = 0.1  # on prompt vectors as they enter and on a linear head's input
    head: HeadKind = "linear"

    # Ranges are validators, not Field(...): a subclass that gives a field another default would lose the latter.
    @field_validator("learning_rate", "clip")
    @classmethod
    def _above_zero(cls, value: float) -> float:
        if value <= 0:
            raise ValueError("it must be greater than 0")
        return value

    @field_validator("*")
    @classmethod
    def _in_range(cls, value: Any) -> Any:
        return in_range(value)

    @field_serializer("*", mode="wrap", when_used="json")
    def _in_one_order(self, value: Any, inner: SerializerFunctionWrapHandler) -> Any:
        """A set has another order in each process, and settings are part of a cell's id."""
        parts = inner(value)
        return sorted(parts, key=str) if isinstance(value, set | frozenset) else parts

    @field_validator("weight_decay")
    @classmethod
    def _not_negative(cls, value: float) -> float:
        if value < 0:
            raise ValueError("it must be at least 0")
        return value

    @field_validator("warmup", "dropout")
    @classmethod
    def _share(cls, value: float) -> float:
        if not 0 <= value < 1:
            raise ValueError("it must be at least 0 and less than 1")
        return value

    @property
    def changes_weights(self) -> bool:
        """True when the backbone's own weights train, so that no other cell can share the backbone."""
        return False

    @property
    def trains(self) -> bool:
        """False when nothing does: a cell then takes no step and is evaluated once."""
        return True

    @property
    def passes_per_step(self) -> int:
        """How many batches a step puts through the backbone; it has one backward pass, whatever the number."""
        return 1

    @property
    def num_label_words(self) -> int:
        """How many words per class a verbalizer searches for on the train rows; 0: it has those of the task."""
        return 0

    def joint(self, task: Task, suite: Suite) -> Joint | None:
        """The first stage that comes before the cell's own training, if any; a method that changes weights has none."""
        return None

    def demonstrations(self) -> int:
        """How many solved train examples the encoder lays before every example (cloze forms only)."""
        return 0

    def slots(self) -> Slots:
        """The prompt positions the encoder must lay for this method."""
        return Slots()

    def positions(self) -> int:
        """Absolute positions taken besides those of the text."""
        return self.slots().count

    @property
    def needs(self) -> tuple[Need, ...]:
        """What a model must be able to do for it: score words, be given vectors in its slots, or prefixes in layers."""
        words: tuple[Need, ...] = ("lm_head", "mask") if self.head == "verbalizer" else ()
        return (*words, "slots") if self.slots().count else words

    def unfit(self, task: Task, model: ModelSource) -> str | None:
        """Why this method cannot serve the task on the model (the cell is then skipped with this reason), or None."""
        if self.head == "verbalizer" and not task.has_cloze:
            return f"task {task.name!r} has no cloze form for a verbalizer head"
        return next(filter(None, map(model.lacks, self.needs)), None)

    def check(self) -> None:
        """UsageError for settings that only a library can judge which a plan does not load; asked before training."""

    def attach(self, backbone: Backbone, task: Task) -> Attachment:
        """Build the trainable parts; draws initial values from torch's default generator, which the caller seeds.

        A cell whose prompts are not those that `slots` and `needs` announce fails with the reason.
        """
        raise NotImplementedError
