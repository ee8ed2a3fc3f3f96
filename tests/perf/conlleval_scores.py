"""Scores of CoNLL-2003-like data in IOB1 with stray B- tags, by the harness and by conlleval's rule and seqeval.

    python -m tests.perf.conlleval_scores [SENTENCES]

Prints precision, recall and F1 of each, in percent and in full, and the repairs that were counted.
"""

from __future__ import annotations

import random
import sys
import tempfile
import warnings
from pathlib import Path

from seqeval.metrics import f1_score, precision_score, recall_score

from bench.data.examples import read_examples
from bench.registry import find_suite
from bench.score.metrics import score
from tests.data.test_tags import conlleval_chunks, random_spans, written

TYPES = ("PER", "ORG", "LOC", "MISC")
STRAY = 0.01  # of the entities begin with B- where IOB1 has I-
WRONG = 0.15  # of the predicted tags are drawn at random


def main(num_sentences: int) -> None:
    rng = random.Random(0)
    gold = []
    for _ in range(num_sentences):
        length = rng.randint(1, 30)
        spans = [(first, last, rng.choice(TYPES)) for first, last, _ in random_spans(rng, length)]
        gold.append(_with_stray(rng, written("IOB1", length, spans)))
    task = find_suite("ner").task("conll03")
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        path = Path(folder) / "conll03" / "eng.train"
        path.parent.mkdir()
        path.write_text("\n".join("".join(f"w NN I-NP {tag}\n" for tag in tags) for tags in gold))
        reading = read_examples(task, "train", Path(folder))
    labels = [[_label(rng, task.classes, own) for own in example.labels] for example in reading.examples]
    said = [[task.classes[label] for label in own] for own in labels]
    chunks = [[set(conlleval_chunks(tags)) for tags in part] for part in (gold, said)]
    right = sum(len(one & other) for one, other in zip(*chunks, strict=True))
    in_gold, in_said = (sum(map(len, part)) for part in chunks)
    precision, recall = 100 * right / in_said, 100 * right / in_gold
    print(f"{num_sentences} sentences, {in_gold} entities, {in_said} predicted, {right} right")
    print(f"repaired: {reading.repaired}")
    print(f"conlleval's rule  P {precision!r} R {recall!r} F1 {2 * precision * recall / (precision + recall)!r}")
    print(f"seqeval           P {100 * precision_score(gold, said)!r} R {100 * recall_score(gold, said)!r} "
          f"F1 {100 * f1_score(gold, said)!r}")  # fmt: skip
    print(f"the harness       {score(task, reading.examples, labels)}")


def _with_stray(rng: random.Random, tags: list[str]) -> list[str]:
    return [f"B{tag[1:]}" if tag[0] == "I" and rng.random() < STRAY else tag for tag in tags]


def _label(rng: random.Random, classes: tuple[str, ...], right: int) -> int:
    return rng.randrange(len(classes)) if rng.random() < WRONG else right


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 5000)
