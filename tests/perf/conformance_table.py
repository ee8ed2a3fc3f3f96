"""Methods × families on tiny random checkpoints, ours as the conformance test runs them, and PEFT's prompts beside.

    python tests/perf/conformance_table.py [--families bert,t5] [--methods ptv2] [--ours | --peft | --stock]

Prints Markdown. Stock: how far a family's states are from those of transformers' own attention, of real tokens in a
padded batch. Ours: each method with a linear and a verbalizer head (tests/model/conformance.py says what must hold).
PEFT: its prefix tuning, prompt tuning and p-tuning around transformers' classifier, the bare model and the one with a
language-model head (PEFT has no type for masked words), each built, run forwards on two rows of unequal length and
backwards; it passes when every prompt tensor has a gradient that is not 0. What fails with PEFT's defaults is tried
again with the model's sizes given.
"""

from __future__ import annotations

import argparse
import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import peft
import torch
import transformers
from transformers.utils import logging

from bench.check.finding import Skipped
from bench.model.families.config import family_of
from bench.model.loading import load_backbone
from bench.model.source import find_model, read_config
from bench.registry import methods
from tests.conftest import Workshop, write_superglue
from tests.model.conformance import check
from tests.model.families import FAMILIES
from tests.model.test_written import difference

LENGTH = 4
PEFT_METHODS: dict[str, Callable[..., Any]] = {
    "prefix tuning": peft.PrefixTuningConfig,
    "prompt tuning": peft.PromptTuningConfig,
    "p-tuning": peft.PromptEncoderConfig,
}
TASKS = ("SEQ_CLS", "FEATURE_EXTRACTION", "LM")
PASS, SIZES = "pass", "pass with sizes given"


class Notes:
    """Reasons, numbered in the order they come up."""

    def __init__(self) -> None:
        self.numbers: dict[str, int] = {}

    def mark(self, word: str, reason: str) -> str:
        return f"{word} [{self.numbers.setdefault(reason, len(self.numbers) + 1)}]"

    def lines(self) -> list[str]:
        return [f"[{number}] {reason}  " for reason, number in self.numbers.items()]


def ours(family: str, folder: Path, data: Path, method: str, notes: Notes) -> str:
    """`pass`, `skipped` or `fails` for the linear head and, where it differs, for the verbalizer."""
    found = []
    for head in ("linear", "verbalizer"):
        try:
            check(Workshop(folder, data).rig(), method, head)
            found.append(PASS)
        except Skipped as reason:
            found.append(notes.mark("skipped", str(reason).replace(f"model '{family}'", "the model")))
        except Exception as error:
            found.append(notes.mark("fails", _line(error)))
    return found[0] if found[0] == found[1] else " / ".join(found)


def theirs(folder: Path, kind: Callable[..., Any], task: str, notes: Notes) -> str:
    """`pass`, also with the model's sizes given, `–` where PEFT has no such type, else what went wrong."""
    backbone = load_backbone(find_model(str(folder)), torch.device("cpu"), "fp32", True)
    g, words = backbone.geometry, backbone.family.words
    if task == "LM" and words == "MaskedLM":
        return "–"
    width = g.kv_heads * g.head_size if kind is peft.PrefixTuningConfig else g.embedding
    sizes = {"token_dim": width, "num_layers": g.layers, "num_attention_heads": g.kv_heads}
    problem = _tried(folder, kind, task, words)
    if problem and not _tried(folder, kind, task, words, **sizes):
        return SIZES
    return notes.mark("fails", problem) if problem else PASS


def _tried(folder: Path, kind: Callable[..., Any], task: str, words: str, **sizes: int) -> str:
    """Empty when PEFT's method runs and trains, else the first line of what went wrong."""
    torch.manual_seed(0)
    names = {"SEQ_CLS": "AutoModelForSequenceClassification", "FEATURE_EXTRACTION": "AutoModel"}
    types = {"CausalLM": "CAUSAL_LM", "Seq2SeqLM": "SEQ_2_SEQ_LM"}
    try:
        base = getattr(transformers, names.get(task, f"AutoModelFor{words}")).from_pretrained(folder)
        model = peft.get_peft_model(base, kind(task_type=types[words] if task == "LM" else task,
                                               num_virtual_tokens=LENGTH, **sizes))  # fmt: skip
        ids = torch.tensor([[2, 20, 21, 22, 3], [2, 20, 3, 0, 0]])
        if base.config.model_type == "t5":  # its classifier reads the end of the text, which must be there once
            ids[ids == 3] = base.config.eos_token_id
        inputs = {"labels": torch.tensor([0, 1])} if task == "SEQ_CLS" else {}
        if task != "SEQ_CLS" and base.config.is_encoder_decoder:
            inputs["decoder_input_ids"] = torch.tensor([[0, 20], [0, 20]])
        given = model(input_ids=ids, attention_mask=(ids != 0).long(), **inputs)
        answer = given.get("last_hidden_state") if task == "FEATURE_EXTRACTION" else given.logits
        answer.square().sum().backward()
    except Exception as error:
        return _line(error)
    prompts = [(name, each) for name, each in model.named_parameters() if "prompt_encoder" in name]
    still = [name for name, each in prompts if each.grad is None or not bool((each.grad != 0).any())]
    return f"{len(still)} of {len(prompts)} prompt tensors have no gradient" if still else ""


def _line(error: Exception) -> str:
    first = (str(error).strip().splitlines() or [""])[0]
    return f"{type(error).__name__}: {first[:160]}".replace("|", "\\|")


def our_table(families: list[str], names: list[str], root: Path) -> list[str]:
    data, notes = write_superglue(root / "data"), Notes()
    lines = ["| family | " + " | ".join(names) + " |", "| --- " * (len(names) + 1) + "|"]
    for family in families:
        cells = [ours(family, root / family, data, name, notes) for name in names]
        lines.append(f"| {family} | " + " | ".join(cells) + " |")
    return [*lines, "", *notes.lines()]


def peft_table(families: list[str], root: Path) -> list[str]:
    notes = Notes()
    heads = [f"{name}, {task}" for name in PEFT_METHODS for task in TASKS]
    lines = ["| family | " + " | ".join(heads) + " |", "| --- " * (len(heads) + 1) + "|"]
    for family in families:
        cells = [theirs(root / family, kind, task, notes) for kind in PEFT_METHODS.values() for task in TASKS]
        lines.append(f"| {family} | " + " | ".join(cells) + " |")
    return [*lines, "", *notes.lines()]


def stock_table(families: list[str], root: Path) -> list[str]:
    lines = ["| family | attention | largest difference of a state |", "| --- | --- | --- |"]
    for family in families:
        way = family_of(read_config(find_model(str(root / family)))).attention
        lines.append(f"| {family} | {way} | {difference(root / family):.1e} |")
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--families", default=",".join(FAMILIES))
    parser.add_argument("--methods", default=",".join(methods()))
    parser.add_argument("--ours", action="store_true", help="only ours")
    parser.add_argument("--peft", action="store_true", help="only PEFT's")
    parser.add_argument("--stock", action="store_true", help="only the distance from transformers' own attention")
    asked = parser.parse_args()
    families = asked.families.split(",")
    warnings.simplefilter("ignore")
    logging.set_verbosity_error()
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        for family in families:
            FAMILIES[family](root / family)
        if asked.stock:
            print("\n".join(stock_table(families, root)))
            return
        if not asked.peft:
            print(
                f"Ours (transformers {transformers.__version__}, torch {torch.__version__}); linear head / verbalizer\n"
            )
            print("\n".join(our_table(families, asked.methods.split(","), root)), flush=True)
        if not asked.ours:
            print(f"\nPEFT {peft.__version__}\n")
            print("\n".join(peft_table(families, root)))


if __name__ == "__main__":
    main()
