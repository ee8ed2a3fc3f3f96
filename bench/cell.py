"""What is measured: Budget, Cell, Plan. This room never imports torch."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

RESULTS_VERSION = 3  # raise it when code changes what a cell's number is; old records are then no longer hits
Protocol = Literal["holdout", "paper"]
Precision = Literal["bf16", "fp32"]
NOT_IN_ID = {"given", "model_path", "data_path", "data_revision", "model", "suite"}


class Frozen(BaseModel):
    """Immutable and strict about names: an unknown field is an error, not a silent extra."""

    model_config = ConfigDict(frozen=True, extra="forbid")


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


class JointTask(Frozen):
    """A data set of a cell's first stage: its train rows, and the length its texts are cut to."""

    task: str
    task_version: int
    data_fingerprint: str
    max_length: int


class Cell(Frozen):
    """One number to obtain. `id` is a hash of all that can change the number; where things lie is not part of it."""

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
    results_version: int = RESULTS_VERSION
    joint: tuple[JointTask, ...] = ()  # of the first stage, where the method has one

    given: dict[str, Any] = {}  # the settings that differ from the method's defaults because somebody said so
    model_path: str = ""  # what to hand to the loader: a folder or a hub id
    data_path: str | None = None
    data_revision: str | None = None  # the commit of the hub's data set; its hash is in the fingerprint

    @cached_property
    def id(self) -> str:
        """16 hex digits of SHA-256 over everything but the places and the `given` marks."""
        hashed = self.model_dump(mode="json", exclude=NOT_IN_ID | (set() if self.joint else {"joint"}))
        text = json.dumps(hashed, sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    @property
    def label(self) -> str:
        """The method with the settings that were given: the name of a line in tables and figures."""
        marks = ", ".join(f"{name}={value}" for name, value in sorted(self.given.items()))
        return f"{self.method} ({marks})" if marks else self.method

    def changed(self, **changes: Any) -> Cell:
        """This cell with other values. Not `model_copy`, which would carry the old id along."""
        return Cell(**{name: getattr(self, name) for name in Cell.model_fields} | changes)


@dataclass(frozen=True)
class Skip:
    """A combination that cannot be measured, with the reason: named in the plan before anything runs."""

    task: str
    model: str
    method: str
    reason: str


@dataclass(frozen=True)
class Plan:
    """The cells of a grid and what was left out of it."""

    cells: tuple[Cell, ...]
    skips: tuple[Skip, ...] = field(default=())
