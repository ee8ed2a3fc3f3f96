"""How the rows of a user's file are read as a task of some kind: what each kind of task tells of columns."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from bench.data.found import Asked, Column, Found
from bench.data.values import finite_number, label_text
from bench.errors import UsageError

TEXTS = (
    "text", "sentence", "review", "body", "content", "message", "comment", "document", "utterance", "tweet", "title",
    "question", "query", "texts", "sentences",
)  # fmt: skip
PAIRS = (
    ("premise", "hypothesis"), ("sentence1", "sentence2"), ("sentence_1", "sentence_2"), ("question1", "question2"),
    ("text1", "text2"), ("text_a", "text_b"), ("text_1", "text_2"), ("sentence_a", "sentence_b"),
    ("question", "sentence"), ("question", "passage"), ("query", "passage"), ("query", "document"),
)  # fmt: skip
LABELS = (
    "label", "labels", "target", "class", "category", "label_text", "y", "gold_label", "intent", "sentiment", "topic",
    "score", "rating", "stars",
)  # fmt: skip
MANY_NUMBERS = 20  # different whole numbers; with more they are measured, not told apart
MOST_CLASSES = 500
RESERVED = {  # names of fields that mean something else
    "label", "ordinal", "letter", "right", "key", "idx", "group", "part", "query", "repaired", "no_example", "choices",
    "choice", "answers", "words", "tags",
}  # fmt: skip
TOKENS_OF_CHARACTERS = 0.25  # a token is about four characters of English
LENGTHS = (128, 256, 384)  # tokens of text that a task is read with; most models have 512 positions, for prompts too


@dataclass(frozen=True)
class Recognised:
    """What of a Task follows from columns. Of several kinds the highest `rank` is taken. `label` is what is answered,
    in words; `notes` are what a user may not expect.
    """

    rank: int
    fields: dict[str, str | tuple[str, ...]]
    metrics: tuple[str, ...]
    label: str
    plain: str = ""
    classes: tuple[str, ...] = ()
    answerless: bool = False
    max_length: int | None = None
    clusters: str = ""
    parts: str = ""
    notes: tuple[str, ...] = ()
    kind: str = ""  # whoever asks the kinds fills it in


def forms(texts: Sequence[str]) -> tuple[dict[str, str], str]:
    """The field of each text, and the plain form. A field is called as its column, where that can stand in a form."""
    fields: dict[str, str] = {}
    for number, column in enumerate(texts, start=1):
        fit = re.fullmatch(r"\w+", column) and column not in RESERVED
        fields[column if fit else "text" if len(texts) == 1 else f"text{number}"] = column
    names = [f"{{{name}}}" for name in fields]
    return fields, names[0] + ("[SEP]" + " ".join(names[1:]) if len(names) > 1 else "")


def text_and_label(found: Found, asked: Asked) -> tuple[tuple[str, ...], str]:
    """The columns of the texts and of the label, as asked for or where only one reading is sensible.

    UsageError lists the columns where it is not, with what to type.
    """
    found.check(asked)  # of a column file others read columns by number
    texts, label = asked.texts, asked.label
    if not label:
        label = _label(found, asked)
    if label and not texts:
        texts = _texts(found, Asked((), label, asked.group, asked.idx, asked.split))
    if texts and label:
        _check_header(found, label)
        return texts, label
    raise UsageError(unclear(found, asked, texts, label))


def _check_header(found: Found, label: str) -> None:
    """UsageError where the label's column is called as one of its labels: the first line is a row like others."""
    column = found.columns[label]
    if label_text(label) in (column.labels or ()) or (column.is_numbers and finite_number(label) is not None):
        names = ", ".join(list(found.columns)[:6])
        hint = "put a line in front that names the columns, like text,label"
        raise UsageError(
            f"{found.source}: its first line, {names}, looks like a row, not like names of columns; {hint}"
        )


def unclear(found: Found, asked: Asked, texts: Sequence[str] = (), label: str = "") -> str:
    """What to say where it is not clear which columns are which."""
    if len(found.columns) < 2:
        return (
            f"{found.source} has one column, {found.listed()}; a text and its label are needed: is it a table that is "
            "divided by commas, tabs or semicolons, with a first line that names the columns?"
        )
    missing = (
        "which column is the label"
        if texts
        else "which columns are the text"
        if label
        else "which columns are the text and the label"
    )
    free = sorted(found.free(asked), key=lambda column: -column.num_characters / max(1, column.num_values))
    text = ",".join(texts) or (free[0].name if free else "COLUMN")
    few = [column for column in free if column.labels and column.name != text]
    label = label or (min(few, key=lambda column: len(column.labels or ())).name if few else "COLUMN")
    flags = f"--text {quoted(text)} --label {quoted(label)}"
    return f"{found.source}: {missing}? It has {found.listed()}; say it, like {flags}"


def quoted(name: str) -> str:
    """A column as a shell takes it."""
    return name if re.fullmatch(r"[\w,.-]+", name) else f"'{name}'"


def _label(found: Found, asked: Asked) -> str:
    free = found.free(asked)
    named = [column for column in free if column.name.casefold() in LABELS and column.name not in asked.texts]
    if len(named) > 1:  # `label` and `label_text` say the same: the first of the list
        return (
            min(named, key=lambda column: LABELS.index(column.name.casefold())).name
            if _say_the_same(found, named)
            else ""
        )
    if named:
        return named[0].name
    if asked.texts:
        return free[0].name if len(free) == 1 else ""
    if len(free) == 2:
        shorter, longer = sorted(free, key=lambda column: column.num_characters)
        is_few = bool(shorter.labels) and len(shorter.labels or ()) * 2 <= max(2, shorter.num_values)
        if longer.is_text and (is_few or shorter.is_numbers):
            return shorter.name
    return ""


def _say_the_same(found: Found, columns: Sequence[Column]) -> bool:
    pairs = {tuple(str(row.fields.get(column.name)) for column in columns) for row in found.rows}
    return all(len({pair[at] for pair in pairs}) == len(pairs) for at in range(len(columns)))


def _texts(found: Found, asked: Asked) -> tuple[str, ...]:
    names = {column.name.casefold(): column.name for column in found.free(asked) if not column.is_numbers}
    pairs = [tuple(names[part] for part in pair) for pair in PAIRS if set(pair) <= set(names)]
    if pairs:
        return pairs[0] if len({part for pair in pairs for part in pair}) == 2 else ()
    if len(names) == 1:
        return tuple(names.values())
    known = [names[name] for name in TEXTS if name in names]
    others = [found.columns[name] for name in names.values() if name not in known]
    if len(known) == 1 and all(column.words < found.columns[known[0]].words for column in others):
        return (known[0],)
    return ()


def length_of(found: Found, columns: Sequence[str]) -> int | None:
    """Tokens of text within which nineteen of twenty rows fit, as far as characters tell; None for the usual length."""
    sizes = sorted(sum(len(str(row.fields.get(name) or "")) for name in columns) for row in found.rows)
    tokens = sizes[len(sizes) * 19 // 20] * TOKENS_OF_CHARACTERS if sizes else 0
    length = next((length for length in LENGTHS if tokens <= length), LENGTHS[-1])
    return length if length > LENGTHS[0] else None
