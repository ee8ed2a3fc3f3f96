"""The proof's verdict on every text family that transformers can build a tiny random checkpoint of.

    python tests/perf/proof_table.py [--families bloom,xlm] [--folder DIR] [--time MODEL,…]

Prints Markdown: whose attention is run, which way tokens see, what it can do and the reason for what it cannot; and as
a control, beside the padding that the proof measured, the same of plain transformers with the attention it chooses
itself, both as the largest difference of a padded row's states over their root mean square. `--time` prints instead how
long the proof of some models takes (a folder, or `bert-large` for random weights of that layout).
"""

from __future__ import annotations

import argparse
import tempfile
import time
import warnings
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
import transformers
from transformers.utils import logging

from bench.data.specials import special
from bench.errors import UsageError
from bench.model import proofs
from bench.model.families.config import family_of
from bench.model.pretrained import load_model
from bench.model.proof import Proof
from bench.model.source import find_model
from tests.conftest import WORDS
from tests.model.families import BERT_LIKE, tokenizer
from tests.perf.zoo import FAMILIES, write

NEEDS = ("lm_head", "slots", "prefixes")
CPU = torch.device("cpu")


def verdict(folder: Path) -> Proof | str:
    """The proof of a checkpoint, made now; the reason where it cannot be loaded."""
    try:
        return proofs._proved(find_model(str(folder)), CPU)
    except UsageError as error:
        return str(error).partition(" cannot be loaded: ")[2] or str(error)


@torch.no_grad()
def control(folder: Path) -> str:
    """How far a row's states move in plain transformers when it is padded beside a longer one."""
    try:
        model: Any = transformers.AutoModel.from_pretrained(folder, trust_remote_code=False).eval()
        known = special(transformers.AutoTokenizer.from_pretrained(folder))
        part = model.get_encoder() if model.config.is_encoder_decoder else model
        rows = [[*known.single[0], *range(20, 20 + length), *known.single[1]] for length in (5, 21)]
        width = len(rows[1])
        ids = torch.tensor([row + [0] * (width - len(row)) for row in rows])
        mask = torch.tensor([[1] * len(row) + [0] * (width - len(row)) for row in rows])
        alone = part(input_ids=ids[:1, : len(rows[0])], attention_mask=mask[:1, : len(rows[0])]).last_hidden_state
        beside = part(input_ids=ids, attention_mask=mask).last_hidden_state[:1, : len(rows[0])]
        return f"{float((alone - beside).abs().max() / alone.square().mean().sqrt()):.0e}"
    except Exception as error:  # each family fails in its own way
        return f"{type(error).__name__}"


def line(family: str, found: Proof | str, stock: str) -> str:
    if isinstance(found, str):
        return f"| {family} | not loaded: {found} | | | | | | {stock} |"
    padding = found.differences.get("padding")
    shown = "" if padding is None else f"{padding:.0e}"
    if found.refused:
        return f"| {family} | refused: {found.refused} | {found.direction} | | | | {shown} | {stock} |"
    cells = ["yes" if need not in found.fails else f"no: {found.fails[need]}" for need in NEEDS]
    if "prefixes" not in found.fails:
        cells[2] = f"{len(found.layers)} of {found.num_layers} layers"
    return f"| {family} | {found.attention} | {found.direction} | {' | '.join(cells)} | {shown} | {stock} |"


def table(families: list[str], root: Path) -> None:
    print(f"transformers {transformers.__version__}, torch {torch.__version__}\n")
    print("| family | attention | direction | LM head | slots | prefixes | padding | plain transformers |")
    print("| --- " * 8 + "|")
    for family in families:
        folder = root / family
        try:
            if not (folder / "config.json").is_file():
                write(family, folder)
        except Exception as error:
            print(f"| {family} | not built: {type(error).__name__} | | | | | | |", flush=True)
            continue
        print(line(family, verdict(folder), control(folder)), flush=True)


def times(models: list[str], root: Path) -> None:
    for name in models:
        folder = write_large(root / name) if name == "bert-large" else Path(name)
        source = find_model(str(folder))
        begun = time.process_time()
        model, _ = load_model(source, family_of(transformers.AutoConfig.from_pretrained(
            folder, trust_remote_code=False).to_dict()), "interface", True)  # fmt: skip
        loading = time.process_time() - begun
        begun = time.process_time()
        found = verdict(folder)
        seconds = time.process_time() - begun
        size = sum(each.numel() for each in model.parameters()) / 1e6
        print(f"{folder.name}: {size:.0f} M parameters; processor time of loading {loading:.2f} s, ", end="")
        print(f"of loading and proof {seconds:.2f} s")
        print(asdict(found) if isinstance(found, Proof) else found)


def write_large(folder: Path) -> Path:
    """BERT-large's layout with random weights."""
    sizes = {"hidden_size": 1024, "num_hidden_layers": 24, "num_attention_heads": 16, "intermediate_size": 4096}
    torch.manual_seed(0)
    tokenizer(*BERT_LIKE, types=True).save_pretrained(folder)
    transformers.BertForMaskedLM(transformers.BertConfig(vocab_size=30522, **sizes)).save_pretrained(folder)
    assert len(WORDS) < 30522
    return folder


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--families", default=",".join(FAMILIES))
    parser.add_argument("--folder", type=Path, help="keep the checkpoints here")
    parser.add_argument("--time", default="", help="models to time instead")
    asked = parser.parse_args()
    warnings.simplefilter("ignore")
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    with tempfile.TemporaryDirectory() as folder:
        root = asked.folder or Path(folder)
        if asked.time:
            times(asked.time.split(","), root)
        else:
            table(asked.families.split(","), root)


if __name__ == "__main__":
    main()
