"""Extractive question answering: SQuAD 1.1 (arXiv:1606.05250) and 2.0 (arXiv:1806.03822), scored on dev."""

from collections.abc import Iterator

from bench.task import Source, Suite, Task

from .rows.fields import Row, name_of, number, passage_id, tables, text, truth

LICENCE = "CC BY-SA 4.0"
MAX_LENGTH, STRIDE = 384, 128  # tokens, as in the official baselines


def squad(row: Row) -> Iterator[Row]:
    """A row per question, from an article of the official files or a flat row of the hub.

    What stays together is an article, by its title; where articles are too few, or have no titles, a passage.
    """
    title = row.get("title")
    article = title if isinstance(title, str) and title.strip() else None
    if "paragraphs" not in row:
        yield _question(article, text(row, "context"), row)
        return
    paragraphs = tables(row, "paragraphs")
    if not paragraphs:
        yield {"no_example": "an article without paragraphs"}
    for paragraph in paragraphs:
        context = text(paragraph, "context")
        questions = tables(paragraph, "qas")
        if not questions:
            yield {"no_example": "a paragraph without questions"}
        for question in questions:
            yield _question(article, context, question)


def _question(article: str | None, context: str, fields: Row) -> Row:
    """ValueError where `is_impossible` and the answers contradict each other: nobody can tell which is wrong."""
    passage, idx, impossible = passage_id(context), name_of(fields, "id"), truth(fields, "is_impossible")
    listed = tables(fields, "answers") if fields.get("answers") is not None or not impossible else []
    answers: list[Row] = [{"text": text(answer, "text"), "start": number(answer, "answer_start")} for answer in listed]
    answered = any(answer["text"].strip() for answer in answers)
    if impossible is not None and impossible == answered:
        contradiction = "but has an answer" if answered else "but has no answer"
        raise ValueError(f"question {idx!r} says is_impossible: {str(impossible).casefold()}, {contradiction}")
    return {
        "idx": idx,
        "group": passage if article is None else article,
        "part": passage,
        "question": text(fields, "question"),
        "context": context,
        "answers": answers,
    }


def _local(version: str) -> tuple[str, ...]:
    name = f"{{split}}-{version}.json"
    return f"squad/{name}", name, f"squad/{version}-{{split}}.json"


SQUAD1 = Task(
    name="squad1",
    kind="span",
    source=Source(hub="rajpurkar/squad", revision="7b6d24c440a36b6815f21b70d25016731768db1f", local=_local("v1.1")),
    rows=squad,
    metrics=("f1", "em"),
    max_length=MAX_LENGTH,
    stride=STRIDE,
    clusters="article",
    parts="passage",
    sizes={"train": 87599, "dev": 10570},
    licence=LICENCE,
    citation="arXiv:1606.05250",
    obtain="train-v1.1.json and dev-v1.1.json are at rajpurkar.github.io/SQuAD-explorer/dataset.",
    version=2,
)

SQUAD2 = Task(
    name="squad2",
    kind="span",
    source=Source(hub="rajpurkar/squad_v2", revision="3ffb306f725f7d2ce8394bc1873b24868140c412", local=_local("v2.0")),
    rows=squad,
    metrics=("f1", "em"),
    max_length=MAX_LENGTH,
    stride=STRIDE,
    answerless=True,
    clusters="article",
    parts="passage",
    sizes={"train": 130319, "dev": 11873},
    licence=LICENCE,
    citation="arXiv:1806.03822",
    obtain="train-v2.0.json and dev-v2.0.json are at rajpurkar.github.io/SQuAD-explorer/dataset.",
    version=2,
)

QA = Suite(
    name="qa",
    tasks=(SQUAD1, SQUAD2),
    models=("bert-large-cased", "roberta-large"),
    average=("squad1", "squad2"),
    methods=("finetune", "prompt_tuning", "ptuning_v1", "ptv2"),
)
