"""Adapters from the PEFT library, through the extra `tuning-bench[peft]`.

LoRA: Hu et al. 2021 (arXiv:2106.09685). IA3: Liu et al. 2022 (arXiv:2205.05638). Any other: the paper that PEFT names.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field, field_validator

from bench.installed import is_installed
from bench.model.plain_adapters import is_plain
from bench.registry import method
from bench.task import Task
from bench.tuning import Method

if TYPE_CHECKING:
    from bench.model.attachment import Attachment
    from bench.model.backbone import Backbone
    from bench.model.source import ModelSource

AUTO = "auto"
TARGETS = {"target_modules", "target_parameters"}  # the fields that say what an adapter is put to
REFUSED = {
    "PREFIX_TUNING": "use our own method ptv2 or prefix_tuning",
    "PROMPT_TUNING": "use our own method prompt_tuning",
    "MULTITASK_PROMPT_TUNING": "use our own method prompt_tuning",
    "CPT": "use our own method prompt_tuning",
    "P_TUNING": "use our own method ptuning_v1",
    "CARTRIDGE": "use our own method ptv2",
    "ADAPTION_PROMPT": "PEFT cannot inject it; use our own method ptv2",
    "XLORA": "it mixes adapters trained before; use lora",
    "POLY": "it needs several tasks at once; use lora",
    "SHADOW": "PEFT cannot inject it; use lora",
}
DRAWN_TOGETHER = {  # dropout that no run could repeat: it is no module or function that the rows draw for
    "LOHA": ("rank_dropout", "module_dropout"),
    "LOKR": ("rank_dropout", "module_dropout"),
    "OFT": ("module_dropout",),
}


class Adapter(Method):
    """What adapters have in common: PEFT makes them, for each row beside a backbone that lanes share, or else in one of
    a cell's own.
    """

    package: ClassVar[str] = "peft"

    def unfit(self, task: Task, model: ModelSource) -> str | None:
        if not is_installed("peft"):
            return f"method {self.name!r} needs the package peft: pip install 'tuning-bench[peft]'"
        named = self.named_targets()
        if named and not _has_one_of(named, model):
            return f"model {model.name!r} has no module named {' or '.join(named)} to put an adapter in"
        return super().unfit(task, model)

    def named_targets(self) -> list[str]:
        """The modules that were asked for by name; empty where PEFT or a pattern chooses them."""
        targets = getattr(self, "targets", AUTO)
        return [] if targets in (AUTO, "all-linear") else _names(targets)

    def attach(self, backbone: Backbone, task: Task) -> Attachment:
        from bench.model.injected import Injected, peft_config
        from bench.model.row_adapter import RowAdapter

        from .parts.rank_allocation import RankAllocated, RowRankAllocated

        config = peft_config(self.fields(backbone))
        if hasattr(config, "total_step"):
            return (RowRankAllocated if backbone.shared else RankAllocated)(backbone, task, config)
        return (RowAdapter if backbone.shared else Injected)(backbone, task, config)

    def fields(self, backbone: Backbone) -> dict[str, Any]:
        """The fields of the PEFT config for this backbone."""
        raise NotImplementedError


@method("lora")
class LoRA(Adapter):
    """Low-rank additions alpha/r · B·A to the chosen linear layers, B = 0 at first; linear head.

    `targets`: `auto`, the layers that PEFT has for the model's family (BERT: query and value, as in the paper), and
    every linear layer of the encoder where it knows none; `all-linear`; or names, comma-separated.
    """

    usual = is_installed("peft")

    r: int = Field(8, ge=1)
    alpha: float = Field(16.0, gt=0)
    adapter_dropout: float = Field(0.0, ge=0, lt=1)  # on what enters A; `dropout` is the head's
    targets: str = Field(AUTO, min_length=1)
    learning_rate: float = 5e-4
    warmup: float = 0.06

    space = {"learning_rate": (5e-4, 2e-4, 1e-3), "r": (8, 4, 16)}

    def fields(self, backbone: Backbone) -> dict[str, Any]:
        return {
            "peft_type": "LORA",
            "r": self.r,
            "lora_alpha": self.alpha,
            "lora_dropout": self.adapter_dropout,
            "target_modules": targets_of(self.targets, "LORA", backbone),
        }


def targets_of(targets: str, peft_type: str, backbone: Backbone) -> str | list[str] | None:
    """`target_modules` for PEFT; None leaves them to its own table for the model's family."""
    from bench.model.injected import ALL_LINEAR, peft_config

    if targets == AUTO:
        peft_config({"peft_type": peft_type})  # the one-line error where the package is missing
        return _default_targets(peft_type, backbone)
    return targets if targets == ALL_LINEAR else _names(targets)


def _default_targets(peft_type: str, backbone: Backbone) -> str | list[str] | None:
    from bench.model.injected import ALL_LINEAR, default_targets

    targets = default_targets(backbone, peft_type)
    if peft_type == "LORA" and targets:
        return targets  # by name: PEFT forgets its own where it renames a family's experts (Mixtral)
    return ALL_LINEAR if targets == [] else None


@method("ia3")
class IA3(Adapter):
    """Vectors that rescale keys, values and the feed-forward's inner activations, 1 at first; linear head.

    `targets`: `auto`, the layers that PEFT has for the model's family, and the output of every linear layer where it
    knows none; or names, comma-separated: those in `feedforward` are rescaled at their input, others at their output.
    """

    targets: str = Field(AUTO, min_length=1)
    feedforward: str = ""
    learning_rate: float = 3e-3
    warmup: float = 0.06
    optimizer: Literal["adamw", "adafactor"] = "adafactor"

    space = {"learning_rate": (3e-3, 1e-2, 1e-3)}

    def fields(self, backbone: Backbone) -> dict[str, Any]:
        if self.targets == AUTO:
            targets = targets_of(AUTO, "IA3", backbone)
            if targets is None:
                return {"peft_type": "IA3"}
            return {"peft_type": "IA3", "target_modules": targets, "feedforward_modules": []}
        chosen = {"target_modules": _names(self.targets), "feedforward_modules": _names(self.feedforward)}
        return {"peft_type": "IA3", **chosen}


@method("peft")
class AnyPeft(Adapter):
    """Any configuration of PEFT that changes modules: `config` as JSON, or `TYPE:key=value,…`; linear head.

    LORA, IA3 and ADALORA without further options share the backbone with other cells; all else has it alone.

    `--set 'peft.config={"peft_type": "LOHA", "r": 4, "target_modules": ["query"]}'` and
    `--set peft.config=LOHA:r=4,target_modules=query` mean the same (in the short form a value is one number, word or
    list joined by `+`). A type alone, like `LOHA`, takes PEFT's defaults, and every linear layer where it has none for
    the model's family.
    """

    config: str = '{"peft_type": "LORA"}'
    learning_rate: float = 1e-3
    warmup: float = 0.06

    space = {"learning_rate": (1e-3, 3e-4, 3e-3)}

    @property
    def changes_weights(self) -> bool:
        return not is_plain(json.loads(self.config))

    @field_validator("config", mode="before")
    @classmethod
    def _canonical(cls, value: object) -> str:
        """One spelling for one configuration, since settings are part of a cell's id."""
        fields = _read(value)
        kind = fields.get("peft_type")
        if not isinstance(kind, str) or not kind:
            raise ValueError("it must name a peft_type, like LOHA:r=4")
        fields["peft_type"] = kind = kind.upper()
        if kind in REFUSED:
            raise ValueError(f"{kind} is not served through PEFT: {REFUSED[kind]}")
        for name in DRAWN_TOGETHER.get(kind, ()):
            if fields.get(name):
                raise ValueError(f"PEFT draws {name} for all rows together, by torch's own generator; leave it out")
        if "total_step" in fields:
            raise ValueError("total_step is the cell's own number of steps; leave it out")
        return json.dumps(fields, sort_keys=True)

    def named_targets(self) -> list[str]:
        targets = json.loads(self.config).get("target_modules")
        return targets if isinstance(targets, list) else []  # a text is a pattern, or all-linear

    def check(self) -> None:
        from bench.model.injected import peft_config

        peft_config(json.loads(self.config))

    def fields(self, backbone: Backbone) -> dict[str, Any]:
        from bench.model.injected import peft_config

        fields = dict(json.loads(self.config))
        peft_config(fields)  # the one-line error where the package is missing, or has no such type
        targets = _default_targets(fields["peft_type"], backbone) if TARGETS.isdisjoint(fields) else None
        return fields if targets is None else {**fields, "target_modules": targets}


def _read(value: object) -> dict[str, Any]:
    """The fields of a config given as a table, as JSON, or in the short form."""
    if isinstance(value, dict):
        return dict(value)
    if not isinstance(value, str):
        raise ValueError("it must be a PEFT config as JSON, or TYPE:key=value,…")
    if value.lstrip().startswith("{"):
        try:
            return dict(json.loads(value))
        except ValueError as error:
            raise ValueError(f"it is not valid JSON ({error})") from None
    kind, _, pairs = value.partition(":")
    fields: dict[str, Any] = {"peft_type": kind.strip()}
    for pair in filter(None, pairs.split(",")):
        name, equals, text = pair.partition("=")
        if not equals or not name.strip():
            raise ValueError(f"{pair!r} is not key=value")
        fields[name.strip()] = _value(text.strip())
    return fields


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text.split("+") if "+" in text else text


def _has_one_of(targets: list[str], model: ModelSource) -> bool:
    """Whether a module's name ends in one of the targets, as PEFT looks for them; yes where nothing is known of it."""
    from bench.model.source import weight_shapes

    shapes = weight_shapes(model)
    modules = {name.rpartition(".")[0] for name in shapes or ()}
    return not modules or any(f".{module}".endswith(f".{target}") for module in modules for target in targets)


def _names(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]
