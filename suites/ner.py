"""Named entity recognition: CoNLL-2003, CoNLL-2004 and OntoNotes 5.0, scored on their test sets as the field does."""

from collections.abc import Iterator

from bench.data.typed import Row, number, passage_id, tables, text, texts
from bench.task import Source, Suite, Task, bio

from .rows.columns import columns, document, gold_entities, gold_words, is_gold_conll, words_and_tags

DOCUMENT_START = "-DOCSTART-"
NOT_ANNOTATED = "pt/"  # OntoNotes' pivot text (the New Testament) has no entities marked
MAX_LENGTH = 256  # tokens, so that next to no sentence is cut
TREES = ("conll-2012/v4/data", "conll-2012/v9/data")  # v9 has the official test set
GOLD = tuple(f"{tree}/{{split}}/data/english/annotations/**/*_gold_conll" for tree in TREES)
ANNOTATED = tuple(place.replace("/**/", "/[!p]*/**/") for place in GOLD)  # all genres but pt, the pivot text
ONTONOTES_TYPES = (
    "CARDINAL DATE EVENT FAC GPE LANGUAGE LAW LOC MONEY NORP ORDINAL ORG PERCENT PERSON PRODUCT QUANTITY TIME "
    "WORK_OF_ART"
)


def conll03(row: Row) -> Iterator[Row]:
    """Word first and tag last, where the file does not show them elsewhere; a document's first line is no sentence."""
    kept = [(word, tag) for word, tag in zip(*words_and_tags(row), strict=True) if word != DOCUMENT_START]
    if kept:
        words = [word for word, _ in kept]
        yield {"words": words, "tags": [tag for _, tag in kept], **_document(row.get("document"), words)}


def conll04(row: Row) -> Iterator[Row]:
    """`tokens` with `tags`, or as on the hub with `entities`: their first word, the word after their last, and type."""
    words = texts(row, "tokens")
    if "tags" in row:
        yield {"words": words, "tags": texts(row, "tags")}
        return
    tags = ["O"] * len(words)
    for entity in tables(row, "entities"):
        start, end, kind = number(entity, "start"), number(entity, "end"), text(entity, "type")
        if not 0 <= start < end <= len(words):
            raise ValueError(f"the entity of words {start} to {end} is not in a sentence of {len(words)} words")
        tags[start:end] = [f"B-{kind}", *[f"I-{kind}"] * (end - start - 1)]
    yield {"words": words, "tags": tags}


def ontonotes(row: Row) -> Iterator[Row]:
    """CoNLL-2012's columns, or as conll03's."""
    sentence = columns(row) if "columns" in row else []
    if not is_gold_conll(sentence):
        yield from conll03(row)
    elif document(sentence).startswith(NOT_ANNOTATED):
        yield {"no_example": "a sentence of the pivot text, which has no entities marked"}
    else:
        words = gold_words(sentence)
        yield {"words": words, "tags": gold_entities(sentence), **_document(document(sentence), words)}


def _document(name: str | None, words: list[str]) -> Row:
    """The group of a sentence whose file marks documents, and the sentence as its part."""
    return {"group": name, "part": passage_id(" ".join(words))} if name else {}


CONLL03 = Task(
    name="conll03",
    kind="tagging",
    source=Source(
        local=("conll03/eng.{split}", "conll03/{split}.txt", "conll2003/eng.{split}", "conll2003/{split}.txt"),
        local_splits={"train": ("train",), "dev": ("testa", "valid", "dev"), "test": ("testb", "test")},
    ),
    rows=conll03,
    classes=bio("PER", "ORG", "LOC", "MISC"),
    metrics=("entity_f1",),
    scored="test",
    max_length=MAX_LENGTH,
    clusters="document",
    parts="sentence",
    sizes={"train": 14041, "dev": 3250, "test": 3453},
    licence="Reuters Corpus: NIST's agreement, research use",
    citation="Tjong Kim Sang & De Meulder 2003, arXiv:cs/0306050",
    obtain="NIST gives the Reuters Corpus on agreement; clips.uantwerpen.be/conll2003/ner builds eng.* from it.",
    version=2,
)

CONLL04 = Task(
    name="conll04",
    kind="tagging",
    source=Source(hub="DFKI-SLT/conll04", local=("conll04/conll04_{split}.json", "conll04/{split}.json")),
    rows=conll04,
    classes=bio("Loc", "Org", "Other", "Peop"),
    metrics=("entity_f1",),
    scored="test",
    max_length=MAX_LENGTH,
    sizes={"train": 922, "dev": 231, "test": 288},
    licence="as its authors state; research use",
    citation="Roth & Yih 2004; division and format of arXiv:1909.07755",
    obtain="github.com/lavis-nlp/spert fetches it with scripts/fetch_datasets.sh.",
)

ONTONOTES = Task(
    name="ontonotes",
    kind="tagging",
    source=Source(
        local=(*ANNOTATED, "ontonotes/{split}.txt"),
        local_splits={"train": ("train",), "dev": ("development", "valid", "dev"), "test": ("test",)},
    ),
    rows=ontonotes,
    classes=bio(*ONTONOTES_TYPES.split()),
    metrics=("entity_f1",),
    scored="test",
    max_length=MAX_LENGTH,
    clusters="document",
    parts="sentence",
    sizes={"train": 59924, "dev": 8528, "test": 8262},
    licence="LDC User Agreement (LDC2013T19)",
    citation="Pradhan et al. 2013",
    obtain="The LDC has OntoNotes 5.0 (LDC2013T19); conll.cemantix.org/2012/data.html makes *_gold_conll files of it.",
    version=2,
)

NER = Suite(
    name="ner",
    tasks=(CONLL03, CONLL04, ONTONOTES),
    models=("bert-large-cased", "roberta-large"),
    average=("conll03", "conll04", "ontonotes"),
    methods=("finetune", "prompt_tuning", "ptuning_v1", "ptv2"),
)
