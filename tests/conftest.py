"""A random tiny BERT on disk and a folder of task data, so that tests run offline in seconds."""

from __future__ import annotations

import gc
import json
import os
import random
import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import torch

from bench import kind, registry
from bench.cell import Cell, Precision
from bench.plan.cells import plan
from bench.request import RunRequest
from bench.resolved import resolve
from bench.train.groups import Group, groups
from tests.forks import Forks, Server
from tests.loaded import CopyingRig, loaded
from tests.suites.layouts import LAYOUTS

if TYPE_CHECKING:
    from bench.check.rig import Rig
    from bench.model.backbone import Backbone
    from bench.train.lane import Lane


WORDS = [
    "[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "yes", "no", "maybe", "question", "answer", ":", "?", ".", ",",
    *(f"word{number}" for number in range(60)), "great", "terrible", "because", "so", "or", "is", "it", "was", "*", "#",
]  # fmt: skip


def write_tiny_bert(
    folder: Path, *, layers: int = 2, hidden: int = 32, positions: int = 64, lm_head: bool = True
) -> Path:
    """A BERT checkpoint with random weights over WORDS."""
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
    from transformers import BertConfig, BertForMaskedLM, BertModel, PreTrainedTokenizerFast

    vocabulary = {word: index for index, word in enumerate(WORDS)}
    inner = Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]"))
    inner.normalizer = normalizers.Lowercase()
    inner.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    inner.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=inner, pad_token="[PAD]", unk_token="[UNK]", cls_token="[CLS]", sep_token="[SEP]",
        mask_token="[MASK]", model_input_names=["input_ids", "token_type_ids", "attention_mask"],
    )  # fmt: skip
    tokenizer.save_pretrained(folder)
    config = BertConfig(
        vocab_size=len(WORDS), hidden_size=hidden, num_hidden_layers=layers, num_attention_heads=4,
        intermediate_size=2 * hidden, max_position_embeddings=positions,
    )  # fmt: skip
    torch.manual_seed(0)
    model = BertForMaskedLM(config) if lm_head else BertModel(config)
    with torch.no_grad():
        for weight in model.parameters():  # larger than usual, so that outputs of random weights differ visibly
            weight.add_(torch.randn_like(weight) * 0.1)
    model.save_pretrained(folder)
    return folder


@pytest.fixture(scope="session", autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Tokens and proofs of tests are nobody else's."""
    os.environ["TUNING_BENCH_CACHE"] = str(tmp_path_factory.mktemp("cache"))


@pytest.fixture(scope="session", autouse=True)
def _nothing_is_flushed() -> Iterator[None]:
    """What a test writes is not to outlast a power cut, and a busy disk takes tens of milliseconds for each flush."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", lambda handle: None)
        yield


@pytest.fixture(scope="module", autouse=True)
def _what_stays_is_no_garbage() -> Iterator[None]:
    """Every loop collects before its memory is measured, and would go through all modules, tests and kept models each
    time: a third of a second. What is there when a file's tests begin is passed over until the end.
    """
    gc.collect()
    gc.freeze()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(gc, "freeze", lambda: None)
        patch.setattr(gc, "unfreeze", lambda: None)  # as a command does that ends
        yield


@pytest.fixture(scope="session")
def tiny_bert(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_bert(tmp_path_factory.mktemp("models") / "tiny-bert")


@pytest.fixture(scope="session")
def tiny_encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same without a language-model head."""
    return write_tiny_bert(tmp_path_factory.mktemp("models") / "tiny-encoder", lm_head=False)


def write_superglue(folder: Path, train: int = 40, dev: int = 12) -> Path:
    """SuperGLUE in the official layout, with made-up sentences; RTE, CB and BoolQ of these sizes."""
    for name in ("copa", "multirc", "record", "wic", "wsc"):
        LAYOUTS[name](folder)
    rng = random.Random(0)

    def text() -> str:
        return " ".join(f"word{rng.randrange(60)}" for _ in range(rng.randint(3, 12))) + "."

    rows = {
        "RTE": lambda at: {
            "premise": text(), "hypothesis": text(), "label": ("entailment", "not_entailment")[at % 2], "idx": at,
        },
        "CB": lambda at: {
            "premise": text(), "hypothesis": text(), "idx": at,
            "label": ("entailment", "contradiction", "neutral")[at % 3],
        },
        "BoolQ": lambda at: {"passage": text(), "question": text(), "label": at % 2 == 0, "idx": at},
    }  # fmt: skip
    for name, row in rows.items():
        (folder / name).mkdir(parents=True, exist_ok=True)
        for split, count in (("train", train), ("val", dev)):
            lines = [json.dumps(row(at)) for at in range(count)]
            (folder / name / f"{split}.jsonl").write_text("\n".join(lines) + "\n")
    return folder


@pytest.fixture
def superglue(tmp_path: Path) -> Path:
    """A fresh local data folder that a test may spoil."""
    return write_superglue(tmp_path / "data")


@pytest.fixture(scope="session")
def fixed_superglue(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A local data folder that tests only read."""
    return write_superglue(tmp_path_factory.mktemp("superglue"))


class Workshop:
    """Cells, backbones and lanes over the tiny BERT, as the runner would make them."""

    def __init__(self, model: Path, data: Path) -> None:
        self.model, self.data = model, data

    def cells(self, *methods: str, settings: dict[str, dict[str, Any]] | None = None, **grid: Any) -> tuple[Cell, ...]:
        budget = {"steps": 6, "batch_size": 8, "max_length": 32, "evaluations": 2, **grid.pop("budget", {})}
        asked = {name: {**SMALL.get(name, {}), **(settings or {}).get(name, {})} for name in methods}
        grid = {"tasks": ("rte",), "seeds": (0,), **grid}
        return plan(
            RunRequest(suite="superglue", methods=methods, models=(str(self.model),), data=self.data, set=asked,
                       **budget, **grid),
            "fp32",
        ).cells  # fmt: skip

    def rig(self) -> Rig:
        """What `bench check` tries methods on, over this model and data."""
        return CopyingRig("superglue", str(self.model), self.data, SMALL)

    def backbone(self, frozen: bool = True, device: str = "cpu", precision: Precision = "fp32") -> Backbone:
        return loaded(self.model, frozen, device=device, precision=precision)

    def lane(self, cell: Cell, backbone: Backbone) -> Lane:
        return self.rig().lane(cell, backbone)


SMALL = {
    "prompt_tuning": {"length": 5},
    "ptuning_v1": {"length": 4},
    "autoprompt": {"length": 3, "candidates": 4},
    "ptv2": {"length": 6, "learning_rate": 1e-2},
    "mpt2": {"length": 6, "learning_rate": 1e-2, "tasks": "rte,cb"},
    "finetune": {"learning_rate": 1e-3},
}


@pytest.fixture(scope="session")
def workshop(tiny_bert: Path, fixed_superglue: Path) -> Workshop:
    return Workshop(tiny_bert, fixed_superglue)


def pieces(cells: Iterable[Cell], max_lanes: int = 8) -> list[Group]:
    """Groups of cells, as one worker would take them."""
    return list(groups([resolve(cell) for cell in cells], max_lanes))


class Quiet:
    """An audience that listens to nothing."""

    def loop(self, cells: object) -> AbstractContextManager[object]:
        return nullcontext()

    def step(self, progress: object) -> None: ...

    def finished(self, record: object) -> None: ...

    def chosen(self, choice: object) -> None: ...


class Bench:
    """The `bench` command in this process. `.base` are the flags of a grid of one small cell, out to ./out."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        self._monkeypatch, self._capsys = monkeypatch, capsys
        self.base: list[str] = []

    def __call__(self, *arguments: object) -> tuple[int, str, str]:
        """(exit code, standard output, standard error)."""
        from bench.cli import main

        self._monkeypatch.setattr("sys.argv", ["bench", *map(str, arguments)])
        self._capsys.readouterr()
        with pytest.raises(SystemExit) as stop:
            main()
        written = self._capsys.readouterr()
        assert "Traceback" not in written.err or arguments[0] == "show"  # which prints that of a failed cell
        return int(stop.value.code or 0), written.out, written.err

    def run(self, *changes: object) -> tuple[int, str, str]:
        """`bench run` on the small grid; a flag given again counts."""
        return self("run", *self.base, *changes)

    def refuses(self, *changes: object) -> str:
        """`bench run` ends with one line and exit code 2; returns the line."""
        return self.refusal(*self.run(*changes))

    @staticmethod
    def refusal(code: int, out: str, err: str) -> str:
        said = [line for line in err.splitlines() if not line.startswith("warning: ")]
        assert (code, len(said)) == (2, 1), err
        assert said[0].startswith("error: ")
        return said[0]


@contextmanager
def registered_for_now() -> Iterator[None]:
    """What is registered within the block is gone after it, as in another process."""
    registry.methods(), registry.suites(), kind.kinds()
    kept = [(registry, name) for name in ("_METHODS", "_SUITES", "_HOMES")] + [(kind, "_KINDS")]
    with pytest.MonkeyPatch.context() as patch:
        for module, name in kept:
            patch.setattr(module, name, dict(getattr(module, name)))
        yield


@pytest.fixture(autouse=True)
def _nothing_stays_registered() -> Iterator[None]:
    """What a test's plugin, script or own data makes known is gone after it."""
    with registered_for_now():
        yield


@pytest.fixture
def bench(
    tiny_bert: Path,
    superglue: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Bench:
    from huggingface_hub import constants

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr("warnings.showwarning", warnings.showwarning)  # main puts its own there
    command = Bench(monkeypatch, capsys)
    command.base = [
        "--suite", "superglue", "--tasks", "rte", "--models", str(tiny_bert), "--data", str(superglue),
        "--methods", "ptv2", "--seeds", "1", "--steps", "2", "--batch-size", "4", "--max-length", "24",
        "--precision", "fp32", "--device", "cpu", "--out", "out",
    ]  # fmt: skip
    return command


@pytest.fixture(scope="session")
def _servers() -> Iterator[dict[tuple[str, str], Server]]:
    started: dict[tuple[str, str], Server] = {}
    yield started
    for each in started.values():
        each.close()


@pytest.fixture
def forks(_servers: dict[tuple[str, str], Server]) -> Callable[..., Forks]:
    """Code to be run in forks of a process that has done the imports: forks(imports, run, *arguments)."""

    def make(imports: str, run: str, *arguments: object) -> Forks:
        if (imports, run) not in _servers:
            _servers[imports, run] = Server(imports, run)
        return Forks(_servers[imports, run], arguments)

    return make
