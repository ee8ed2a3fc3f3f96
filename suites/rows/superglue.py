"""SuperGLUE's rows, from its authors' JSON lines and from the hub, where some tasks are flattened."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

from bench.data.typed import Row, name_of, number, passage_id, table, tables, text, texts
from bench.data.values import label_text

CONNECTIVES = {"cause": "because", "effect": "so"}
PLACEHOLDER = "@placeholder"
_HIGHLIGHT = re.compile(r"\s*@highlight\b\s*")
_FINAL = ".!?\"'”’"  # what a sentence may end with


def boolq(row: Row) -> Iterator[Row]:
    """The rows as they are; questions about one passage stay together."""
    passage = text(row, "passage")
    fields = {"passage": passage, "question": text(row, "question"), "label": row["label"]}
    yield {**_idx(row), "group": passage_id(passage), **fields}


def rte(row: Row) -> Iterator[Row]:
    """The rows as they are; hypotheses about one premise stay together."""
    premise = text(row, "premise")
    fields = {"premise": premise, "hypothesis": text(row, "hypothesis"), "label": row["label"]}
    yield {**_idx(row), "group": passage_id(premise), **fields}


def copa(row: Row) -> Iterator[Row]:
    """Premise and connective to be continued by one of two sentences, which a cloze also offers as a question."""
    question = text(row, "question")
    if question not in CONNECTIVES:
        raise ValueError(f"field 'question' must be 'cause' or 'effect', found {question!r}")
    offered = [text(row, "choice1"), text(row, "choice2")]
    yield {
        **_idx(row),
        "premise": _open_ended(text(row, "premise")),
        "connective": CONNECTIVES[question],
        "choice1": _open_ended(offered[0]),
        "choice2": _open_ended(offered[1]),
        "choices": [{"choice": choice} for choice in offered],
        "label": {"choice1": 0, "choice2": 1}.get(label_text(row["label"]), row["label"]),  # the hub's names
    }


def multirc(row: Row) -> Iterator[Row]:
    """A row per answer; the answers to one question share a `query`, the questions about one passage a `group`."""
    if "paragraph" in row:
        fields = table(row, "idx")
        idx = (name_of(fields, "paragraph"), name_of(fields, "question"), name_of(fields, "answer"))
        yield _multirc_answer(text(row, "paragraph"), text(row, "question"), text(row, "answer"), row["label"], idx)
        return
    passage = table(row, "passage")
    questions = tables(passage, "questions")
    if not questions:
        yield {"no_example": "a passage without questions"}
    for question in questions:
        answers = tables(question, "answers")
        if not answers:
            yield {"no_example": "a question without answers"}
        for answer in answers:
            idx = (name_of(row, "idx"), name_of(question, "idx"), name_of(answer, "idx"))
            question_text, answer_text = text(question, "question"), text(answer, "text")
            yield _multirc_answer(text(passage, "text"), question_text, answer_text, answer["label"], idx)


def _multirc_answer(passage: str, question: str, answer: str, label: Any, idx: tuple[str, str, str]) -> Row:
    """Passages are told apart by their texts: files put together number theirs alike."""
    group = passage_id(passage)
    return {
        "idx": "-".join(idx),
        "group": group,
        "query": f"{group}-{idx[1]}",
        "passage": passage,
        "question": question,
        "answer": answer,
        "label": label,
    }


def record(row: Row) -> Iterator[Row]:
    """A choice per query: one candidate for each distinct entity text of the passage, in order of appearance.

    `statement` is the query with the candidate in its place. For the cloze form the query is cut at the placeholder:
    `before`, then `glued` (what follows without a space, as in "@placeholder's") and `after`; each may be empty. Of
    several placeholders the first is where the mask stands; the candidate fills the others.
    """
    if "qas" not in row:
        spans = sorted(tables(row, "entity_spans"), key=lambda span: number(span, "start"))
        fields = table(row, "idx")
        idx = (name_of(fields, "passage"), name_of(fields, "query"))
        yield _record_query(
            text(row, "passage"), [text(span, "text") for span in spans], row, texts(row, "answers"), idx
        )
        return
    passage = table(row, "passage")
    passage_text = text(passage, "text")
    entities = [_slice(passage_text, start, end) for start, end in sorted(map(_span, tables(passage, "entities")))]
    queries = tables(row, "qas")
    if not queries:
        yield {"no_example": "a passage without queries"}
    for query in queries:
        golds = [text(answer, "text") for answer in tables(query, "answers")]
        yield _record_query(passage_text, entities, query, golds, (name_of(row, "idx"), name_of(query, "idx")))


def _span(entity: Row) -> tuple[int, int]:
    return number(entity, "start"), number(entity, "end") + 1  # the last character's place is published


def _record_query(passage: str, entities: Sequence[str], fields: Row, golds: list[str], idx: tuple[str, str]) -> Row:
    query = text(fields, "query")
    before, placeholder, rest = query.partition(PLACEHOLDER)
    if not placeholder:
        raise ValueError(f"the query has no {PLACEHOLDER}")
    glued = re.match(rf"(?:(?!{PLACEHOLDER})\S)*", rest)
    assert glued is not None
    cloze = {"glued": glued[0], "after": rest[glued.end() :].strip()}
    filled = [name for name, part in cloze.items() if PLACEHOLDER in part]
    candidates = list(dict.fromkeys(entity.strip() for entity in entities if entity.strip()))
    answers = list(dict.fromkeys(gold.strip() for gold in golds))
    return {
        "idx": "-".join(idx),
        "group": passage_id(passage),
        "passage": sentences(passage),
        "before": before.strip(),
        **{name: part for name, part in cloze.items() if name not in filled},
        "choices": [
            {
                "choice": candidate,
                "statement": query.replace(PLACEHOLDER, candidate),
                **{name: cloze[name].replace(PLACEHOLDER, candidate) for name in filled},
            }
            for candidate in candidates
        ],
        "answers": answers,
        "label": [at for at, candidate in enumerate(candidates) if candidate in answers],
    }


def sentences(passage: str) -> str:
    """The passage with its lines of `@highlight` made ends of sentences."""
    parts = [part.strip() for part in _HIGHLIGHT.split(passage) if part.strip()]
    closed = [part if part.endswith(tuple(_FINAL)) else f"{part}." for part in parts[:-1]]
    return " ".join([*closed, *parts[-1:]])


def wic(row: Row) -> Iterator[Row]:
    """Two sentences in which the word is marked, `* word *`, by its characters; the pairs of a word stay together."""
    marked = {}
    for name in ("1", "2"):
        sentence, start, end = text(row, f"sentence{name}"), number(row, f"start{name}"), number(row, f"end{name}")
        _check_word(sentence, start, end, f"sentence{name}")
        marked[f"sentence{name}"] = _with_marks(sentence, [(start, end, "*")])
    word = text(row, "word")
    yield {**_idx(row), "group": word, **marked, "word": word, "label": row["label"]}


def _check_word(sentence: str, start: int, end: int, name: str) -> None:
    """ValueError where a word does not begin and end there; the end may be within one, as of "does" in "doesn't"."""
    stretch = _slice(sentence, start, end)
    if not stretch.strip():
        raise ValueError(f"there is no word at characters {start} to {end} of {name!r}")
    if stretch != stretch.strip() or (start and sentence[start - 1].isalnum() and stretch[0].isalnum()):
        raise ValueError(f"what stands at characters {start} to {end} of {name!r} is no word: {stretch!r}")


def wsc(row: Row) -> Iterator[Row]:
    """A text in which a noun and a pronoun are marked, `* noun *` and `# pronoun #`, and both alone.

    Where the text at the published index of a word is not the span's text, as in two rows of the official files, the
    nearest place where it stands is marked, and the words at the index when there is none.
    """
    target = table(row, "target") if "target" in row else row
    whole = text(row, "text")
    noun, pronoun = text(target, "span1_text"), text(target, "span2_text")
    marks = [
        (*_place(whole, noun, number(target, "span1_index")), "*"),
        (*_place(whole, pronoun, number(target, "span2_index")), "#"),
    ]
    yield {
        **_idx(row),
        "group": passage_id(whole),  # one text is asked about several nouns
        "text": _with_marks(whole, marks),
        "noun": " ".join(noun.split()),
        "pronoun": " ".join(pronoun.split()),
        "label": row["label"],
    }


def _place(whole: str, span: str, index: int) -> tuple[int, int]:
    """Start and end of the span's text nearest to the word `index`; cases, spaces and a final full stop may differ."""
    words = [(match.start(), match.end()) for match in re.finditer(r"\S+", whole)]
    wanted = [re.escape(word) for word in span.rstrip(". ").split()]
    if not wanted:
        raise ValueError("a span of the text is empty")
    pattern = r"(?<!\w)" + r"\s+".join(wanted) + r"(?!\w)"
    places = [match.span() for match in re.finditer(pattern, whole, re.IGNORECASE)]
    if places:
        return min(places, key=lambda place: abs(sum(end <= place[0] for _, end in words) - index))
    if not 0 <= index <= len(words) - len(wanted):
        raise ValueError(f"{span!r} is not in the text, and the text has no such word as number {index}")
    return words[index][0], words[index + len(wanted) - 1][1]


def _with_marks(whole: str, marks: Sequence[tuple[int, int, str]]) -> str:
    """The text with a mark before and after each stretch (start, end, mark), set off by spaces; stretches may nest."""
    opened = [(start, 1, -end, f"{mark} ") for start, end, mark in marks]
    closed = [(end, 0, -start, f" {mark}") for start, end, mark in marks]
    for place, _, _, mark in sorted(opened + closed, reverse=True):  # from the end, so that places stay true
        whole = whole[:place] + mark + whole[place:]
    return whole


def _slice(whole: str, start: int, end: int) -> str:
    if not 0 <= start <= end <= len(whole):
        raise ValueError(f"characters {start} to {end} lie outside a text of {len(whole)} characters")
    return whole[start:end]


def _open_ended(sentence: str) -> str:
    """A sentence that another may continue."""
    return sentence.rstrip(" .!?")


def _idx(row: Row) -> Row:
    return {"idx": row["idx"]} if "idx" in row else {}
