"""GLUE (Wang et al. 2019, arXiv:1804.07461): nine tasks, with cloze forms for masked language models.

The average is the one that papers give for dev sets: the mean over eight tasks, without WNLI, as they have it since
BERT (arXiv:1810.04805, section 4.1); the leaderboard's has all nine. A task with two metrics counts with their mean,
and MNLI once: its accuracy is over both dev sets, which are of one size to 0.2 %, so that it is the mean of theirs to
less than 0.001 for each point between them. Dev scores are not the leaderboard's, whose labels are not public. Some
papers count otherwise (STS-B by Spearman's correlation alone, MRPC and QQP by accuracy alone): each is in the tables.

RTE is the task of SuperGLUE, which took over the same pairs. Words are lower case and whole tokens of cased and uncased
vocabularies; all text stands before [MASK], so that decoders read it too.
"""

from bench.task import Source, Suite, Task

from .rows.glue import cola, mnli, mrpc, qnli, qqp, sst2, stsb, wnli
from .superglue import RTE

HUB = "nyu-mll/glue"
REVISION = "bcdcba79d07bc864c1c254ccfcedcce55bcc9a8c"
LICENCE = "as its authors state; research use"
CITATION = "arXiv:1804.07461"


def _source(folder: str, config: str, **more: object) -> Source:
    places = tuple(f"{name}/{{split}}.tsv" for name in dict.fromkeys((folder, config)))
    return Source.model_validate({"hub": HUB, "config": config, "revision": REVISION, "local": places, **more})


def _obtain(folder: str) -> str:
    return f"{folder}.zip is at gluebenchmark.com/tasks."


COLA = Task(
    name="cola",
    kind="classification",
    source=_source("CoLA", "cola", columns=("source", "label", "mark", "sentence")),
    rows=cola,
    plain="{sentence}",
    classes=("unacceptable", "acceptable"),
    pattern="{sentence} [P] Is this grammatical? [MASK].",
    words={"unacceptable": "no", "acceptable": "yes"},
    metrics=("matthews", "accuracy"),
    sizes={"train": 8551, "dev": 1043},
    licence=LICENCE,
    citation="arXiv:1805.12471",
    obtain=_obtain("CoLA"),
)

SST2 = Task(
    name="sst2",
    kind="classification",
    source=_source("SST-2", "sst2"),
    rows=sst2,
    plain="{sentence}",
    classes=("negative", "positive"),
    pattern="{sentence} [P] It was [MASK].",
    words={"negative": "terrible", "positive": "great"},
    metrics=("accuracy",),
    sizes={"train": 67349, "dev": 872},
    licence=LICENCE,
    citation="Socher et al. 2013",
    obtain=_obtain("SST-2"),
)

MRPC = Task(
    name="mrpc",
    kind="classification",
    source=_source("MRPC", "mrpc"),
    rows=mrpc,
    plain="{sentence1}[SEP]{sentence2}",
    classes=("not_equivalent", "equivalent"),
    pattern="{sentence1}[SEP]{sentence2} [P] Do both mean the same? [MASK].",
    words={"not_equivalent": "no", "equivalent": "yes"},
    metrics=("accuracy_and_f1", "accuracy", "f1"),
    sizes={"train": 3668, "dev": 408},
    licence=LICENCE,
    citation="Dolan & Brockett 2005",
    obtain="GLUE's download_glue_data.py makes both of msr_paraphrase_train.txt; dev_ids.tsv says which rows are dev.",
)

# Similarity from 0 to 5; the labels of its test set (1,379 pairs) are not public.
STSB = Task(
    name="stsb",
    kind="regression",
    source=_source("STS-B", "stsb"),
    rows=stsb,
    plain="{sentence1}[SEP]{sentence2}",
    metrics=("pearson_and_spearman", "pearson", "spearman"),
    sizes={"train": 5749, "dev": 1500},
    licence=LICENCE,
    citation="arXiv:1708.00055",
    obtain=_obtain("STS-B"),
    version=2,  # steps were chosen by Pearson's correlation alone
)

QQP = Task(
    name="qqp",
    kind="classification",
    source=_source("QQP", "qqp", broken_lines=True),
    rows=qqp,
    plain="{question1}[SEP]{question2}",
    classes=("not_duplicate", "duplicate"),
    pattern="{question1}[SEP]{question2} [P] Do both ask the same? [MASK].",
    words={"not_duplicate": "no", "duplicate": "yes"},
    metrics=("accuracy_and_f1", "accuracy", "f1"),
    sizes={"train": 363846, "dev": 40430},
    licence=LICENCE,
    citation="Iyer et al. 2017",
    obtain=_obtain("QQP"),
)

MNLI = Task(
    name="mnli",
    kind="classification",
    source=_source(
        "MNLI",
        "mnli",
        hub_splits={"train": "train", "dev": "validation_matched+validation_mismatched"},
        local_splits={"train": ("train",), "dev": ("dev_*matched",)},  # both: dev_matched, dev_mismatched
    ),
    rows=mnli,
    plain="{premise}[SEP]{hypothesis}",
    classes=("entailment", "neutral", "contradiction"),
    pattern="{premise} Question: {hypothesis}? [P] Answer: [MASK].",
    words={"entailment": "yes", "neutral": "maybe", "contradiction": "no"},
    metrics=("accuracy", "accuracy@matched", "accuracy@mismatched"),
    clusters="premise",
    sizes={"train": 392702, "dev": 9815 + 9832},
    licence=LICENCE,
    citation="arXiv:1704.05426",
    obtain=_obtain("MNLI"),
)

QNLI = Task(
    name="qnli",
    kind="classification",
    source=_source("QNLI", "qnli"),
    rows=qnli,
    plain="{question}[SEP]{sentence}",
    classes=("entailment", "not_entailment"),
    pattern="{sentence} Question: {question} [P] Is the answer there? [MASK].",
    words={"entailment": "yes", "not_entailment": "no"},
    metrics=("accuracy",),
    clusters="question",
    sizes={"train": 104743, "dev": 5463},
    licence=LICENCE,
    citation=CITATION,
    obtain=_obtain("QNLIv2"),
)

# Dev has the sentences of train with other answers: whoever learns the train set scores below the majority class there.
WNLI = Task(
    name="wnli",
    kind="classification",
    source=_source("WNLI", "wnli"),
    rows=wnli,
    plain="{premise}[SEP]{hypothesis}",
    classes=("not_entailment", "entailment"),
    pattern="{premise} Question: {hypothesis}? [P] Answer: [MASK].",
    words={"not_entailment": "no", "entailment": "yes"},
    metrics=("accuracy",),
    clusters="premise",
    sizes={"train": 635, "dev": 71},
    licence=LICENCE,
    citation="Levesque et al. 2012",
    obtain=_obtain("WNLI"),
)

GLUE = Suite(
    name="glue",
    tasks=(COLA, SST2, MRPC, STSB, QQP, MNLI, QNLI, RTE, WNLI),
    models=("bert-large-cased", "roberta-large"),
    average=("cola", "sst2", "mrpc", "stsb", "qqp", "mnli", "qnli", "rte"),
    methods=("finetune", "prompt_tuning", "ptuning_v1", "ptv2"),
)
