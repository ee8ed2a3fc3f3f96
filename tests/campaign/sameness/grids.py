"""Small grids that between them have every method, kind of task, kind of model, precision and source of chance."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from bench.suites.smoke import MODELS
from tests.conftest import SMALL, write_superglue
from tests.model.families import FAMILIES
from tests.suites.layouts import LAYOUTS

EVERY = (
    "linear_probe", "ptv2", "prompt_tuning", "ptuning_v1", "prefix_tuning", "mpt2", "autoprompt", "prompting", "bitfit",
    "lora", "ia3", "adalora", "finetune",
)  # fmt: skip
DROPPED = {"ptv2": "dropout", "lora": "adapter_dropout", "adalora": "adapter_dropout"}


@dataclass(frozen=True)
class Grid:
    """A grid as `bench run` has it. `model` and `data` lie in a folder that `write` fills; `data` may be none."""

    name: str
    methods: tuple[str, ...]
    tasks: tuple[str, ...]
    flags: tuple[str, ...]
    model: str
    data: str | None = None
    seeds: tuple[int, ...] = (0, 1)
    precision: str = "fp32"

    @property
    def varies(self) -> bool:
        """Whether streams are varied alone, beside the first seed: which that is makes other cells."""
        return "--vary" in self.flags


def _small(*methods: str) -> tuple[str, ...]:
    given = [
        f"{name}.{key}={value}" for name in methods for key, value in SMALL.get(name, {}).items() if key != "tasks"
    ]
    return tuple(word for setting in given for word in ("--set", setting))


def _set(*settings: str) -> tuple[str, ...]:
    return tuple(word for setting in settings for word in ("--set", setting))


def _dropped(*methods: str) -> tuple[str, ...]:
    return _set(*(f"{name}.{DROPPED[name]}=0.2" for name in methods if name in DROPPED))


SHORT = ("--steps", "5", "--evaluations", "2", "--batch-size", "8", "--max-length", "48", "--limit", "40")
SHORT_TEXTS = (*SHORT, "--max-length", "32")
JOINT = _set("mpt2.tasks=sentiment,entailment", "mpt2.joint_steps=3")
GRIDS = {
    grid.name: grid
    for grid in (
        Grid("few", ("linear_probe", "ptv2", "lora", "finetune"), ("sentiment", "questions"),
             ("--suite", "smoke", *SHORT), "tiny"),
        Grid("kinds", ("linear_probe", "ptv2"), ("sentiment", "entities", "consequence", "questions"),
             ("--suite", "smoke", *SHORT), "tiny"),
        Grid("methods", EVERY, ("entailment",),
             ("--suite", "smoke", *SHORT, *_small(*EVERY), *JOINT, *_dropped(*EVERY)), "tiny"),
        Grid("dropout", ("ptv2", "lora", "finetune", "prompt_tuning"), ("sentiment", "entities"),
             ("--suite", "smoke", *SHORT, "--backbone-dropout", *_dropped("ptv2", "lora")), "mini"),
        Grid("bf16", ("linear_probe", "ptv2", "lora", "finetune"), ("sentiment", "questions"),
             ("--suite", "smoke", *SHORT), "tiny", seeds=(0,), precision="bf16"),
        Grid("trials", ("linear_probe", "ptv2"), ("sentiment",),
             ("--suite", "smoke", *SHORT, "--trials", "3"), "tiny"),
        Grid("varied", ("linear_probe", "ptv2"), ("sentiment",),
             ("--suite", "smoke", *SHORT, "--vary", "init,order,split,dropout"), "tiny"),
        Grid("decoder", ("linear_probe", "ptv2", "lora", "prompt_tuning", "finetune"), ("rte", "copa"),
             ("--suite", "superglue", *SHORT_TEXTS, *_small("ptv2", "prompt_tuning")), "gpt2", "superglue"),
        Grid("encoder-decoder", ("linear_probe", "ptv2", "lora", "ptuning_v1", "finetune"), ("rte", "cb"),
             ("--suite", "superglue", *SHORT_TEXTS, *_small("ptv2", "ptuning_v1")), "t5", "superglue"),
        Grid("roles", ("linear_probe", "ptv2", "finetune"), ("srl_ewt",),
             ("--suite", "srl", *SHORT_TEXTS, *_small("ptv2")), "bert", "srl"),
        Grid("numbers", ("linear_probe", "ptv2", "finetune"), (),
             ("--text", "text", "--label", "label", "--kind", "regression", *SHORT_TEXTS, *_small("ptv2")),
             "bert", "numbers.csv"),
    )
}  # fmt: skip


def write(grid: Grid, folder: Path) -> tuple[Path, Path | None]:
    """The model and the data of a grid, below a folder."""
    model = folder / "models" / grid.model
    if not model.exists():
        model.parent.mkdir(parents=True, exist_ok=True)
        if (MODELS / grid.model).exists():
            _copy(MODELS / grid.model, model)
        else:
            FAMILIES[grid.model](model)
    if grid.data is None:
        return model, None
    data = folder / "data" / grid.data
    if not data.exists():
        data.parent.mkdir(parents=True, exist_ok=True)
        if grid.data == "superglue":
            write_superglue(data)
        elif grid.data == "srl":
            data.mkdir()
            LAYOUTS["srl_ewt"](data)
        else:
            rows = [f"word{at % 60} word{at * 7 % 60} is great,{at % 11 / 10}" for at in range(80)]
            data.write_text("\n".join(["text,label", *rows]) + "\n")
    return model, data


def _copy(source: Path, target: Path) -> None:
    target.mkdir()
    for path in source.iterdir():
        (target / path.name).write_bytes(path.read_bytes())
