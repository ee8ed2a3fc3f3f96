"""Made-up data in every task's official layout: `LAYOUTS[task](folder)` writes all splits that the task needs.

Texts are of the vocabulary in tests/conftest.py, 12 to 42 examples a split, every class among them.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from tests.suites.glue_layouts import GLUE_LAYOUTS
from tests.suites.made_texts import COUNTS
from tests.suites.made_texts import made_sentence as _sentence
from tests.suites.made_texts import made_text as _text
from tests.suites.made_texts import write_packed as _write

Span = tuple[int, int, str]  # first word, word after the last, type


def _json_lines(folder: Path, name: str, row: Callable[[random.Random, int], dict[str, Any]], **counts: int) -> None:
    """`name/train.jsonl` and `name/val.jsonl` of rows made one by one."""
    for split in ("train", "val"):
        rng = random.Random(f"{name} {split}")
        rows = [json.dumps(row(rng, at)) for at in range(counts.get(split, COUNTS[split]))]
        _write(folder / name / f"{split}.jsonl", "\n".join(rows) + "\n")


def write_boolq(folder: Path) -> None:
    def row(rng: random.Random, at: int) -> dict[str, Any]:
        return {"passage": _text(rng), "question": _text(rng).rstrip("."), "label": at % 2 == 0, "idx": at}

    _json_lines(folder, "BoolQ", row)


def write_cb(folder: Path) -> None:
    def row(rng: random.Random, at: int) -> dict[str, Any]:
        label = ("entailment", "contradiction", "neutral")[at % 3]
        return {"premise": _text(rng), "hypothesis": _text(rng), "label": label, "idx": at}

    _json_lines(folder, "CB", row)


def write_rte(folder: Path) -> None:
    def row(rng: random.Random, at: int) -> dict[str, Any]:
        label = ("entailment", "not_entailment")[at % 2]
        return {"premise": _text(rng), "hypothesis": _text(rng), "label": label, "idx": at}

    _json_lines(folder, "RTE", row)


def write_copa(folder: Path) -> None:
    def row(rng: random.Random, at: int) -> dict[str, Any]:
        texts = {name: _text(rng) for name in ("premise", "choice1", "choice2")}
        return {**texts, "question": ("cause", "effect")[at % 3 == 0], "label": at % 2, "idx": at}

    _json_lines(folder, "COPA", row)


def write_multirc(folder: Path) -> None:
    """7 and 3 passages of 2 questions with 3 answers."""

    def row(rng: random.Random, at: int) -> dict[str, Any]:
        questions = [
            {
                "question": " ".join(_sentence(rng, 3, 4)) + "?",
                "answers": [
                    {"text": _text(rng, 1, 3), "idx": 6 * at + 3 * number + place, "label": int(place == number)}
                    for place in range(3)
                ],
                "idx": 2 * at + number,
            }
            for number in range(2)
        ]
        return {"idx": at, "version": 1.1, "passage": {"text": _text(rng, 8, 12), "questions": questions}}

    _json_lines(folder, "MultiRC", row, train=7, val=3)


def write_record(folder: Path) -> None:
    """A query per passage; every third begins with its placeholder, and one entity stands in the passage twice."""

    def row(rng: random.Random, at: int) -> dict[str, Any]:
        names = [" ".join(_sentence(rng, 1, 2)) for _ in range(3)]
        text, entities = "", []
        for name in (*names, names[0]):
            text += ("\n@highlight\n" if len(entities) == 2 else " ") + " ".join(_sentence(rng, 1, 3)) + " "
            entities.append({"start": len(text), "end": len(text) + len(name) - 1})  # the last character's place
            text += name
        right = {**entities[at % 3], "text": names[at % 3]}
        query = " ".join([*([] if at % 3 == 0 else _sentence(rng, 2, 3)), "@placeholder", *_sentence(rng, 1, 3)]) + "."
        asked = {"query": query, "answers": [right], "idx": 100 + at}
        return {"source": "none", "idx": at, "passage": {"text": text, "entities": entities}, "qas": [asked]}

    _json_lines(folder, "ReCoRD", row)


def write_wic(folder: Path) -> None:
    def row(rng: random.Random, at: int) -> dict[str, Any]:
        word = f"word{rng.randrange(60)}"
        fields: dict[str, Any] = {"word": word, "idx": at, "label": at % 2 == 0, "version": 1.1}
        for name in ("1", "2"):
            before = " ".join(_sentence(rng, 1, 4)) + " "
            start = len(before)
            fields |= {f"sentence{name}": f"{before}{word} {_text(rng, 1, 4)}"}
            fields |= {f"start{name}": start, f"end{name}": start + len(word)}
        return fields

    _json_lines(folder, "WiC", row)


def write_wsc(folder: Path) -> None:
    def row(rng: random.Random, at: int) -> dict[str, Any]:
        words = _sentence(rng, 7, 12)
        target = {
            "span1_index": 1, "span1_text": " ".join(words[1:3]), "span2_index": 5, "span2_text": words[5],
        }  # fmt: skip
        return {"text": " ".join(words) + ".", "target": target, "idx": at, "label": at % 2 == 0}

    _json_lines(folder, "WSC", row)


def _spans(rng: random.Random, num_words: int, types: Sequence[str]) -> list[Span]:
    """A span of one or two words in the first part of the sentence, and at times one at its end."""
    first = rng.randrange(2)
    found = [(first, first + rng.randint(1, 2), rng.choice(types))]
    return [*found, (num_words - 1, num_words, rng.choice(types))] if rng.random() < 0.5 else found


def _brackets(num_words: int, spans: Iterable[Span]) -> list[str]:
    """A column of brackets: (A0* *) (V*)."""
    cells = ["*"] * num_words
    for start, end, kind in spans:
        cells[start] = f"({kind}{cells[start]}"
        cells[end - 1] += ")"
    return cells


def _lines(columns: Sequence[Sequence[str]]) -> str:
    """A sentence in columns, a line per word and a blank one."""
    return "".join("  ".join(cells) + "\n" for cells in zip(*columns, strict=True)) + "\n"


def write_conll03(folder: Path) -> None:
    """IOB1 tags as in the original files, and a document's first line; no blank line ends the file."""
    for split in ("train", "testa", "testb"):
        rng = random.Random(f"conll03 {split}")
        text = "-DOCSTART- -X- -X- O\n\n"
        for _ in range(COUNTS.get(split, 12)):
            words = _sentence(rng)
            tags = ["O"] * len(words)
            for start, end, kind in _spans(rng, len(words), ("PER", "ORG", "LOC", "MISC")):
                tags[start:end] = [f"I-{kind}"] * (end - start)
            text += _lines([words, ["NN"] * len(words), ["I-NP"] * len(words), tags])
        _write(folder / "conll03" / f"eng.{split}", text.rstrip("\n") + "\n")


def write_conll04(folder: Path) -> None:
    for split in ("train", "dev", "test"):
        rng = random.Random(f"conll04 {split}")
        rows = []
        for at in range(COUNTS[split]):
            words = _sentence(rng)
            tags = ["O"] * len(words)
            for start, end, kind in _spans(rng, len(words), ("Loc", "Org", "Other", "Peop")):
                tags[start:end] = [f"B-{kind}", f"L-{kind}"] if end - start == 2 else [f"U-{kind}"]
            rows.append({"tokens": words, "tags": tags, "relations": [], "orig_id": at})
        _write(folder / "conll04" / f"conll04_{split}.json", json.dumps(rows))


def write_conll_2012(folder: Path) -> None:
    """OntoNotes and CoNLL-2012 are one tree. Each split has a document of news and one of the pivot text."""
    for split, release in (("train", "v4"), ("development", "v4"), ("test", "v9")):
        tree = folder / "conll-2012" / release / "data" / split / "data" / "english" / "annotations"
        rng = random.Random(f"conll-2012 {split}")
        for name, count in (("nw/made/00/made_0001", COUNTS.get(split, 12)), ("pt/nt/40/nt_4001", 2)):
            sentences = "".join(_gold_sentence(rng, name) for _ in range(count))
            begin, end = f"#begin document ({name}); part 000\n", "#end document\n"
            _write(tree / f"{name}.{release}_gold_conll", begin + sentences + end)


def _gold_sentence(rng: random.Random, document: str) -> str:
    """A sentence of 4 to 9 words with a predicate or two."""
    words = _sentence(rng)
    number = len(words)
    entities = [] if document.startswith("pt/") else _spans(rng, number, ("PERSON", "GPE", "WORK_OF_ART"))
    predicates = sorted(rng.sample(range(2, number - 1), rng.randint(1, min(2, number - 3))))
    senses = ["01" if at in predicates else "-" for at in range(number)]
    arguments = [
        _brackets(number, [(0, at, "ARG0"), (at, at + 1, "V"), (at + 1, number, rng.choice(("ARG1", "ARGM-TMP")))])
        for at in predicates
    ]
    same = [[document] * number, ["0"] * number, list(map(str, range(number))), words, ["NN"] * number, ["*"] * number]
    return _lines(
        [*same, words, senses, ["-"] * number, ["-"] * number, _brackets(number, entities), *arguments, ["-"] * number]
    )


def write_conll05(folder: Path) -> None:
    """Both test sets; the last sentence of a file has no predicate."""
    for name in ("train-set", "dev-set", "test.wsj", "test.brown"):
        rng = random.Random(f"conll05 {name}")
        text = ""
        for _ in range(32 if name == "train-set" else 12):
            words = _sentence(rng)
            number = len(words)
            predicates = sorted(rng.sample(range(1, number - 1), rng.randint(1, 2)))
            lemmas = ["be" if at in predicates else "-" for at in range(number)]
            arguments = [
                _brackets(number, [(0, at, "A0"), (at, at + 1, "V"), (at + 1, number, rng.choice(("A1", "AM-TMP")))])
                for at in predicates
            ]
            text += _lines(
                [words, ["NN"] * number, ["(VP*)"] * number, ["*"] * number, ["-"] * number, lemmas, *arguments]
            )
        text += _lines([["word1", "."], ["NN", "."], ["(S*", "*)"], ["*", "*"], ["-", "-"], ["-", "-"]])
        _write(folder / "conll05" / f"{name}.gz", text)


def write_srl_ewt(folder: Path) -> None:
    for split in ("train", "dev", "test"):
        rng = random.Random(f"srl_ewt {split}")
        rows: list[dict[str, Any]] = [{"doc": "made", "sent": 0, "tokens": ["word1", "."], "frames": []}]
        for at in range(1, COUNTS[split] + 1):
            words = _sentence(rng)
            verb = rng.randrange(1, len(words) - 1)
            role = rng.choice(("ARG1", "ARGM-TMP", "C-ARG0"))
            after = [f"B-{role}", *[f"I-{role}"] * (len(words) - verb - 2)]
            tags = ["B-ARG0", *["I-ARG0"] * (verb - 1), "B-V", *after]
            frame = {"predicate": verb, "lemma": words[verb], "sense": f"{words[verb]}.01", "tags": tags}
            rows.append({"doc": "made", "sent": at, "tokens": words, "frames": [frame]})
        _write(folder / "srl_ewt" / f"{split}.jsonl", "".join(json.dumps(row) + "\n" for row in rows))


def write_squad1(folder: Path) -> None:
    _write_squad(folder, "v1.1", answerless=False)


def write_squad2(folder: Path) -> None:
    _write_squad(folder, "v2.0", answerless=True)


def _write_squad(folder: Path, version: str, answerless: bool) -> None:
    """Articles of two paragraphs with two questions each."""
    for split, articles in (("train", 8), ("dev", 3)):
        rng = random.Random(f"squad {version} {split}")
        data = [
            {
                "title": f"made {at}",
                "paragraphs": [_paragraph(rng, f"{split}-{at}-{number}", answerless) for number in (0, 1)],
            }
            for at in range(articles)
        ]
        _write(folder / "squad" / f"{split}-{version}.json", json.dumps({"version": version, "data": data}))


def _paragraph(rng: random.Random, name: str, answerless: bool) -> dict[str, Any]:
    words = _sentence(rng, 8, 16)
    context = " ".join(words) + "."
    asked = []
    for number in (0, 1):
        first = rng.randrange(len(words) - 2)
        answer = {
            "text": " ".join(words[first : first + 2]),
            "answer_start": len("".join(f"{word} " for word in words[:first])),
        }
        question = {"question": " ".join(_sentence(rng, 2, 4)) + "?", "id": f"{name}-{number}", "answers": [answer]}
        if answerless:
            question["is_impossible"] = number == 1
            question |= {"answers": [], "plausible_answers": [answer]} if number == 1 else {}
        asked.append(question)
    return {"context": context, "qas": asked}


LAYOUTS: dict[str, Callable[[Path], None]] = {
    "boolq": write_boolq,
    "cb": write_cb,
    "copa": write_copa,
    "multirc": write_multirc,
    "record": write_record,
    "rte": write_rte,
    "wic": write_wic,
    "wsc": write_wsc,
    **GLUE_LAYOUTS,
    "conll03": write_conll03,
    "conll04": write_conll04,
    "ontonotes": write_conll_2012,
    "squad1": write_squad1,
    "squad2": write_squad2,
    "conll05_wsj": write_conll05,
    "conll05_brown": write_conll05,
    "conll12": write_conll_2012,
    "srl_ewt": write_srl_ewt,
}
