"""Made-up data in GLUE's tables, as tests/suites/layouts.py has the other suites'."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

from tests.suites.made_texts import COUNTS
from tests.suites.made_texts import made_text as _text
from tests.suites.made_texts import write_packed as _write


def _table(folder: Path, name: str, header: str, cells: Callable[[random.Random, int], list[str]]) -> None:
    """`name.tsv` of GLUE: a header, where there is one, and lines of cells between tabs, which are never quoted."""
    rng = random.Random(name)
    lines = ["\t".join(cells(rng, at)) for at in range(COUNTS["train" if "train" in name else "dev"])]
    _write(folder / f"{name}.tsv", "\n".join([*([header.replace(",", "\t")] if header else []), *lines]) + "\n")


def write_cola(folder: Path) -> None:
    """No header: source, label, the author's own mark, sentence."""
    for split in ("train", "dev"):
        _table(
            folder, f"CoLA/{split}", "",
            lambda rng, at: ["gj04", str(at % 2), "" if at % 2 else "*", f'"{_text(rng)}'],
        )  # fmt: skip


def write_sst2(folder: Path) -> None:
    for split in ("train", "dev"):
        _table(folder, f"SST-2/{split}", "sentence,label", lambda rng, at: [f"{_text(rng)} ", str(at % 2)])


def write_mrpc(folder: Path) -> None:
    for split in ("train", "dev"):
        _table(
            folder, f"MRPC/{split}", "Quality,#1 ID,#2 ID,#1 String,#2 String",
            lambda rng, at: [str(at % 2), str(at), str(100 + at), f'"{_text(rng)}', _text(rng)],
        )  # fmt: skip


def write_qqp(folder: Path) -> None:
    """A question of train goes over two lines."""
    for split in ("train", "dev"):
        _table(
            folder, f"QQP/{split}", "id,qid1,qid2,question1,question2,is_duplicate",
            lambda rng, at: [str(at), str(at), str(100 + at), f'"{_text(rng)}', _text(rng), str(at % 2)],
        )  # fmt: skip
    with (folder / "QQP/train.tsv").open("a") as file:
        file.write("99\t1\t2\tword1 word2\nword3\tword4\t1\n")


def write_mnli(folder: Path) -> None:
    def columns(labels: int) -> list[str]:
        parses = [f"sentence{number}_{kind}" for kind in ("binary_parse", "parse") for number in (1, 2)]
        numbered = [f"label{number}" for number in range(1, labels + 1)]
        return ["index", "promptID", "pairID", "genre", *parses, "sentence1", "sentence2", *numbered, "gold_label"]

    for name, labels, genre in (("train", 1, "travel"), ("dev_matched", 5, "fiction"), ("dev_mismatched", 5, "oup")):
        header = columns(labels)

        def cells(rng: random.Random, at: int, name: str = name, labels: int = labels, genre: str = genre) -> list[str]:
            label = ("entailment", "neutral", "contradiction")[at % 3]
            texts = [f'"{_text(rng)}', _text(rng)]
            return [str(at), str(at), f"{name}{at}", genre, *["( )"] * 4, *texts, *[label] * labels, label]

        _table(folder, f"MNLI/{name}", ",".join(header), cells)


def write_qnli(folder: Path) -> None:
    for split in ("train", "dev"):
        _table(
            folder, f"QNLI/{split}", "index,question,sentence,label",
            lambda rng, at: [str(at), f"{_text(rng)}?", _text(rng), ("entailment", "not_entailment")[at % 2]],
        )  # fmt: skip


def write_wnli(folder: Path) -> None:
    for split in ("train", "dev"):
        _table(
            folder, f"WNLI/{split}", "index,sentence1,sentence2,label",
            lambda rng, at: [str(at), _text(rng), _text(rng), str(at % 2)],
        )  # fmt: skip


def write_stsb(folder: Path) -> None:
    """GLUE's ten columns; a sentence may have a quotation mark of its own."""
    names = "index genre filename year old_index source1 source2 sentence1 sentence2 score".split()
    for split in ("train", "dev"):
        rng = random.Random(f"stsb {split}")
        lines = ["\t".join(names)]
        for at in range(COUNTS[split]):
            first, second = _text(rng), f'"{_text(rng)}'
            score = f"{at % 11 / 2:.3f}"
            lines.append(
                "\t".join([str(at), "main-news", "made", "2016", str(at), "none", "none", first, second, score])
            )
        _write(folder / "STS-B" / f"{split}.tsv", "\n".join(lines) + "\n")


GLUE_LAYOUTS: dict[str, Callable[[Path], None]] = {
    "cola": write_cola,
    "sst2": write_sst2,
    "mrpc": write_mrpc,
    "stsb": write_stsb,
    "qqp": write_qqp,
    "mnli": write_mnli,
    "qnli": write_qnli,
    "wnli": write_wnli,
}
