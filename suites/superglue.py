"""SuperGLUE (Wang et al. 2019, arXiv:1905.00537): eight tasks, with cloze forms for masked language models.

Patterns and words follow P-tuning v1 (arXiv:2103.10385); `[P]` is where its prompt vectors stand. Words are lower case
and whole tokens of cased and uncased vocabularies.
"""

from bench.task import Source, Suite, Task

from .rows.superglue import boolq, copa, multirc, record, rte, wic, wsc

HUB = "aps/super_glue"
REVISION = "3de24cf8022e94f4ee4b9d55a6f539891524d646"
LICENCE = "as its authors state; research use"
CITATION = "arXiv:1905.00537"
OBTAIN = "The zip files are at super.gluebenchmark.com/tasks; unpack them side by side."


def _source(folder: str, config: str) -> Source:
    places = (f"{folder}/{{split}}.jsonl", f"superglue/{folder}/{{split}}.jsonl")
    return Source(hub=HUB, config=config, revision=REVISION, local=places)


BOOLQ = Task(
    name="boolq",
    kind="classification",
    source=_source("BoolQ", "boolq"),
    rows=boolq,
    plain="{passage}[SEP]{question}",
    classes=("false", "true"),
    pattern="{passage}. [P] Question: {question}? Answer: [MASK].",
    words={"false": "no", "true": "yes"},
    metrics=("accuracy",),
    max_length=256,
    clusters="passage",
    sizes={"train": 9427, "dev": 3270},
    licence="CC BY-SA 3.0",
    citation="arXiv:1905.10044",
    obtain=OBTAIN,
    version=2,
)

CB = Task(
    name="cb",
    kind="classification",
    source=_source("CB", "cb"),
    plain="{premise}[SEP]{hypothesis}",
    classes=("entailment", "contradiction", "neutral"),
    pattern="{premise}[SEP]{hypothesis}? [P] answer: [MASK]",
    words={"entailment": "yes", "contradiction": "no", "neutral": "maybe"},
    metrics=("accuracy", "macro_f1"),
    sizes={"train": 250, "dev": 56},
    licence=LICENCE,
    citation="De Marneffe et al. 2019",
    obtain=OBTAIN,
)

COPA = Task(
    name="copa",
    kind="choice",
    source=_source("COPA", "copa"),
    rows=copa,
    plain="{premise} {connective}[SEP]{choice}",
    pattern="{choice1} or {choice2}? {premise} {connective} [P] [MASK].",
    metrics=("accuracy",),
    sizes={"train": 400, "dev": 100},
    licence=LICENCE,
    citation="Roemmele et al. 2011",
    obtain=OBTAIN,
)

MULTIRC = Task(
    name="multirc",
    kind="classification",
    source=_source("MultiRC", "multirc"),
    rows=multirc,
    plain="{passage}[SEP]{question} {answer}",
    classes=("0", "1"),
    pattern="{passage}. Question: {question} Is it {answer}? [P] [MASK].",
    words={"0": "no", "1": "yes"},
    metrics=("f1a", "em"),
    max_length=384,
    clusters="passage",
    sizes={"train": 27243, "dev": 4848},  # answers
    licence=LICENCE,
    citation="Khashabi et al. 2018",
    obtain=OBTAIN,
)

RECORD = Task(
    name="record",
    kind="choice",
    source=_source("ReCoRD", "record"),
    rows=record,
    plain="{passage}[SEP]{statement}",
    pattern="{passage}[SEP]{before} [P] [MASK]{glued} {after}",
    metrics=("f1", "em"),
    max_length=384,
    clusters="passage",
    sizes={"train": 100730, "dev": 10000},  # queries
    licence=LICENCE,
    citation="arXiv:1810.12885",
    obtain=OBTAIN,
    version=2,
)

RTE = Task(
    name="rte",
    kind="classification",
    source=_source("RTE", "rte"),
    rows=rte,
    plain="{premise}[SEP]{hypothesis}",
    classes=("entailment", "not_entailment"),
    pattern="{premise} Question: {hypothesis}? [P] Answer: [MASK].",
    words={"entailment": "yes", "not_entailment": "no"},
    metrics=("accuracy",),
    clusters="premise",
    sizes={"train": 2490, "dev": 277},
    licence=LICENCE,
    citation=CITATION,
    obtain=OBTAIN,
    version=2,
)

WIC = Task(
    name="wic",
    kind="classification",
    source=_source("WiC", "wic"),
    rows=wic,
    plain="{sentence1}[SEP]{sentence2}",
    classes=("false", "true"),
    pattern="{sentence1}[SEP]{sentence2} [P] {word}? [MASK]",
    words={"false": "no", "true": "yes"},
    metrics=("accuracy",),
    clusters="word",
    sizes={"train": 5428, "dev": 638},
    licence=LICENCE,
    citation="arXiv:1808.09121",
    obtain=OBTAIN,
    version=2,
)

# With a linear head on [CLS] every method sits at the majority class here. P-tuning v1 writes the noun at [MASK] and
# can learn from right pairs only; here it stands in the question and the answer is yes or no, so that wrong pairs
# train too: scores of the cloze form are not comparable with that paper's.
WSC = Task(
    name="wsc",
    kind="classification",
    source=_source("WSC", "wsc.fixed"),
    rows=wsc,
    plain="{text}",
    classes=("false", "true"),
    pattern="{text} [P] In the sentence the pronoun '{pronoun}' refers to {noun}? [MASK].",
    words={"false": "no", "true": "yes"},
    metrics=("accuracy",),
    clusters="text",
    sizes={"train": 554, "dev": 104},
    licence=LICENCE,
    citation="Levesque et al. 2012",
    obtain=OBTAIN,
)

SUPERGLUE = Suite(
    name="superglue",
    tasks=(BOOLQ, CB, COPA, MULTIRC, RECORD, RTE, WIC, WSC),
    models=("bert-large-cased", "roberta-large"),
    average=("rte", "boolq", "cb"),  # figure 1 of the P-tuning v2 paper
    methods=("finetune", "prompt_tuning", "ptuning_v1", "ptv2"),
)
