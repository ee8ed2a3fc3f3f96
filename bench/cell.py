"""What is measured: Budget, Cell, Plan. This room never imports torch."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from bench.bounds import in_range

RESULTS_VERSION = 5  # raise it when code changes what a cell's number is; old records are then no longer hits
TRIAL_SEED = 990_017  # of every trial; not among the reported seeds, so that no choice is made by a number it reports
Protocol = Literal["holdout", "paper"]
Precision = Literal["bf16", "fp32", "int8", "nf4"]  # what each is, bench.model.precisions says
Compile = Literal["auto", "on", "off"]  # whether layers run compiled; what `auto` is, bench.model.compile_price says
Executor = Literal["local", "ray", "slurm"]  # who starts the workers
AskedPrecision = Literal["auto", "bf16", "fp32", "int8", "nf4"]  # what `auto` is, the device says
Stage = Literal["trial", "score"]
NOT_IN_ID = {"given", "drawn", "tried", "model_path", "data_path", "data_revision", "model", "suite"}


class Frozen(BaseModel):
    """Immutable and strict about names: an unknown field is an error, not a silent extra."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)


class Budget(Frozen):
    """What every method gets alike. Lengths are in tokens; `steps` overrides `epochs` when given."""

    epochs: int = Field(10, ge=1)
    steps: int | None = Field(None, ge=1)
    batch_size: int = Field(32, ge=1)
    max_length: int = Field(128, ge=8)  # text and special tokens; prompt slots come on top
    evaluations: int | None = Field(None, ge=1)  # along the way; default: every epoch, or 10 when steps are given
    train_rows: int | None = Field(None, ge=2)  # use only the first examples after a fixed shuffle
    scored_rows: int | None = Field(None, ge=1)
    backbone_dropout: bool = False  # run the backbone's own dropout while training, for every method alike

    @field_validator("*")
    @classmethod
    def _in_range(cls, value: int | None) -> int | None:
        in_range(value)
        return value


class JointTask(Frozen):
    """A data set of a cell's first stage: its train rows, and the length its texts are cut to."""

    task: str
    task_version: int
    data_fingerprint: str
    max_length: int


class Cell(Frozen):
    """One number to obtain. `id` is a hash of all that can change the number; where things lie is not part of it.

    A cell of stage "trial" is trained and evaluated on the selection slice alone; it never reads the scored split. A
    cell of stage "score" reads it once; its settings were given, or chosen by the trials whose ids are `tried`.
    """

    suite: str
    task: str
    task_version: int
    data_fingerprint: str
    model: str
    model_fingerprint: str
    method: str
    settings: dict[str, Any]  # complete: given and default
    seed: int
    budget: Budget
    protocol: Protocol
    precision: Precision
    stage: Stage = "score"
    trials: int = 0  # how many settings these were chosen from; 0 when they were given, and for a trial itself
    streams: dict[str, int] = {}  # seeds of single random streams (bench.seeds.VARIED) that differ from `seed`
    results_version: int = RESULTS_VERSION
    joint: tuple[JointTask, ...] = ()  # of the first stage, where the method has one

    given: dict[str, Any] = {}  # the settings that differ from the method's defaults because somebody said so
    drawn: dict[str, Any] = {}  # what a trial, or a cell chosen by trials, has of its method's space
    tried: tuple[str, ...] = ()  # ids of the trials that the settings were chosen from, in their order
    model_path: str = ""  # what find_model takes: a folder, or a hub id with its commit
    data_path: str | None = None
    data_revision: str | None = None  # the commit of the hub's data set; its hash is in the fingerprint

    @cached_property
    def id(self) -> str:
        """16 hex digits of SHA-256 over everything but the places and the marks on how the settings came about."""
        hashed = self.model_dump(mode="json", exclude=NOT_IN_ID | (set() if self.joint else {"joint"}))
        text = json.dumps(hashed, sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    @property
    def label(self) -> str:
        """The method with the settings that were given: the name of a line in tables and figures.

        Chosen settings are not in it, since they may differ from task to task: "ptv2 (chosen of 4 trials)". A trial has
        its own: "ptv2 (learning_rate=0.01, length=8)".
        """
        return self.named(with_trials=True)

    def named(self, with_trials: bool) -> str:
        """The label, with or without how many trials chose the settings."""
        shown = self.given | self.drawn if self.stage == "trial" else self.given
        marks = [f"{name}={value}" for name, value in sorted(shown.items())]
        if self.trials and with_trials:
            marks.append(f"chosen of {self.trials} trial{'s' if self.trials > 1 else ''}")
        return f"{self.method} ({', '.join(marks)})" if marks else self.method

    @property
    def choice(self) -> Hashable:
        """What two cells have in common when the same trials chose the settings of both, perhaps differently."""
        return (self.suite, self.trials, self.tried, self.seed, tuple(sorted(self.streams.items())))

    @property
    def seed_label(self) -> str:
        """ "seed 0", "seed 0, order 3" where a stream has a seed of its own, "trial" for a trial."""
        if self.stage == "trial":
            return "trial"
        return ", ".join([f"seed {self.seed}", *(f"{name} {seed}" for name, seed in sorted(self.streams.items()))])

    def stream_seed(self, stream: str) -> int:
        """The seed that a named random stream of this cell is drawn from."""
        return self.streams.get(stream, self.seed)

    def changed(self, **changes: Any) -> Cell:
        """This cell with other values. Not `model_copy`, which would carry the old id along."""
        return Cell(**{name: getattr(self, name) for name in Cell.model_fields} | changes)


def settings_text(settings: Mapping[str, Any]) -> str:
    """Settings in a line: "learning_rate=0.01, length=8"."""
    return ", ".join(f"{name}={value}" for name, value in settings.items()) or "default"


@dataclass(frozen=True)
class Skip:
    """A combination that cannot be measured, with the reason: named in the plan before anything runs.

    `fault`: something is wrong with a model that was asked for, which a user can mend; a run then does not end well.
    """

    task: str
    model: str
    method: str
    reason: str
    fault: bool = False


@dataclass(frozen=True)
class Plan:
    """The cells of a grid and what was left out of it.

    With `trials`, those cells of which `tried` names trials stand for the ones to come: they have their method's first
    setting until bench.plan.selection puts the chosen one in its place. `notes` are lines to be read with the plan.
    """

    cells: tuple[Cell, ...]
    skips: tuple[Skip, ...] = field(default=())
    trials: tuple[Cell, ...] = ()
    notes: tuple[str, ...] = ()
