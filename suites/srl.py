"""Semantic role labelling: CoNLL-2005 (WSJ and Brown), CoNLL-2012 and PropBank over the English Web Treebank.

An example is a sentence with one predicate, which is given and marked by its position. The paper does not say whether
its F1 counts the predicate's own span (V), which is nearly free; both ways are reported, without it first.
"""

from collections.abc import Iterator, Sequence

from bench.data.typed import Row, number, passage_id, tables, text, texts
from bench.task import Source, Suite, Task, bio

from .ner import GOLD
from .rows.columns import columns, document, gold_words, is_gold_conll, propositions

METRICS = ("argument_f1", "argument_f1_with_v")
WITHOUT_PREDICATE = "a sentence without a predicate"
MAX_LENGTH = 256  # tokens, so that next to no sentence is cut


def conll(row: Row) -> Iterator[Row]:
    """A row per predicate, from a sentence in columns or from one predicate's line with words and tags.

    What stays together is a document where the columns name it, else a sentence.
    """
    if "columns" not in row:
        yield _proposition(texts(row, "words"), texts(row, "tags"), number(row, "predicate"))
        return
    sentence = columns(row)
    word_column = row.get("word_column", 0)
    words = gold_words(sentence) if is_gold_conll(sentence) else sentence[word_column]
    group = {"group": document(sentence)} if is_gold_conll(sentence) else {}
    for tags in (arguments := propositions(sentence, word_column)):
        yield {**_proposition(words, tags, tags.index("B-V")), **group}
    if not arguments:
        yield {"no_example": WITHOUT_PREDICATE}


def ewt(row: Row) -> Iterator[Row]:
    """A row per frame of a sentence: {doc, sent, tokens, frames: [{predicate, tags, ...}]}."""
    words = texts(row, "tokens")
    frames = tables(row, "frames")
    if not frames:
        yield {"no_example": WITHOUT_PREDICATE}
    for frame in frames:
        predicate = number(frame, "predicate")
        group = text(row, "doc")
        idx = f"{group}-{number(row, 'sent')}-{predicate}"
        yield {"idx": idx, **_proposition(words, texts(frame, "tags"), predicate), "group": group}


def _proposition(words: list[str], tags: list[str], predicate: int) -> Row:
    if not 0 <= predicate < len(words):
        raise ValueError(f"the predicate is word {predicate} of a sentence of {len(words)} words, counted from 0")
    sentence = passage_id(" ".join(words))
    return {"words": words, "tags": tags, "marks": [predicate], "group": sentence, "part": sentence}


def roles(numbered: Sequence[str], modifiers: str, prefix: str) -> tuple[str, ...]:
    """The classes: numbered roles and modifiers, each also continued (C-) and referred to (R-), and the predicate."""
    plain = (*numbered, *(f"{prefix}-{modifier}" for modifier in modifiers.split()))
    return bio(*(mark + role for mark in ("", "C-", "R-") for role in plain), "V", "C-V")


CONLL05_ROLES = roles(
    ("A0", "A1", "A2", "A3", "A4", "A5", "AA", "AM"),
    "ADV CAU DIR DIS EXT LOC MNR MOD NEG PNC PRD PRP REC TM TMP",
    "AM",
)
NUMBERED = ("ARG0", "ARG1", "ARG2", "ARG3", "ARG4", "ARG5", "ARGA")
MODIFIERS = "ADJ ADV CAU COM DIR DIS DSP EXT GOL LOC LVB MNR MOD NEG PNC PRD PRP PRR PRX REC TMP"
CONLL12_ROLES = roles(NUMBERED, MODIFIERS, "ARGM")
EWT_ROLES = roles((*NUMBERED, "ARG1-DSP"), f"{MODIFIERS} CXN", "ARGM")


CONLL05_PLACES = tuple(
    f"{folder}/{name}.gz" for folder in ("conll05", "conll05st-release") for name in ("{split}-set", "{split}")
)


def _conll05(name: str, text_name: str, propositions: int) -> Task:
    """CoNLL-2005 with the test set of that name; sizes are table 1 of its paper's."""
    return Task(
        name=name,
        kind="tagging",
        source=Source(
            local=(*CONLL05_PLACES, "conll05/conll05.{split}.txt"),
            local_splits={"train": ("train",), "dev": ("dev", "devel"), "test": (f"test.{text_name}",)},
        ),
        rows=conll,
        classes=CONLL05_ROLES,
        metrics=METRICS,
        scored="test",
        max_length=MAX_LENGTH,
        clusters="sentence",  # the columns name no documents
        sizes={"train": 90750, "dev": 3248, "test": propositions},
        licence="LDC User Agreement (Penn Treebank, LDC99T42)",
        citation="Carreras & Màrquez 2005",
        obtain="cs.upc.edu/~srlconll has the annotation; its scripts add the words of the LDC's LDC99T42.",
    )


CONLL05_WSJ = _conll05("conll05_wsj", "wsj", propositions=5267)
CONLL05_BROWN = _conll05("conll05_brown", "brown", propositions=804)

CONLL12 = Task(
    name="conll12",
    kind="tagging",
    source=Source(
        local=(*GOLD, "conll12/conll2012.{split}.txt"),
        local_splits={"train": ("train",), "dev": ("development", "devel", "dev"), "test": ("test",)},
    ),
    rows=conll,
    classes=CONLL12_ROLES,
    metrics=METRICS,
    scored="test",
    max_length=MAX_LENGTH,
    clusters="document",
    parts="sentence",
    sizes={"train": 75187, "dev": 9603, "test": 9479},
    sizes_of="sentences",
    licence="LDC User Agreement (LDC2013T19)",
    citation="Pradhan et al. 2012",
    obtain="The LDC has OntoNotes 5.0 (LDC2013T19); conll.cemantix.org/2012/data.html makes *_gold_conll files of it.",
    version=2,
)

SRL_EWT = Task(
    name="srl_ewt",
    kind="tagging",
    source=Source(local=("srl_ewt/{split}.jsonl",)),
    rows=ewt,
    classes=EWT_ROLES,
    metrics=METRICS,
    scored="test",
    max_length=MAX_LENGTH,
    clusters="document",
    parts="sentence",
    sizes={"train": 40384, "dev": 4956, "test": 4791},
    licence="as PropBank's authors state; text: LDC User Agreement (LDC2012T13)",
    citation="Bonial et al. 2014; Silveira et al. 2014",
    obtain="github.com/propbank/propbank-release adds the words of LDC2012T13; suites/srl.py says how its lines look.",
    version=2,
)

SRL = Suite(
    name="srl",
    tasks=(CONLL05_WSJ, CONLL05_BROWN, CONLL12, SRL_EWT),
    models=("bert-large-cased", "roberta-large"),
    average=("conll05_wsj", "conll05_brown", "conll12"),
    methods=("finetune", "prompt_tuning", "ptuning_v1", "ptv2"),
)
