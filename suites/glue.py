"""GLUE (Wang et al. 2019, arXiv:1804.07461): SST-2, the task of it in the P-tuning v2 paper (table 4), and STS-B, whose
labels are numbers.
"""

from collections.abc import Iterator

from bench.data.typed import Row, text
from bench.data.values import label_text
from bench.task import Source, Suite, Task

NAMES = {"0": "negative", "1": "positive"}


def sst2(row: Row) -> Iterator[Row]:
    """The label is a number in GLUE's tables, a name on the hub."""
    label = label_text(row["label"])
    named = {"idx": row["idx"]} if "idx" in row else {}
    yield {**named, "sentence": text(row, "sentence"), "label": NAMES.get(label, label)}


def stsb(row: Row) -> Iterator[Row]:
    """The label is `score` in GLUE's tables, which number their rows by `index`; on the hub `label` and `idx`."""
    label = row["score"] if "score" in row else row["label"]
    sentences = {name: text(row, name) for name in ("sentence1", "sentence2")}
    yield {"idx": row.get("index", row.get("idx")), **sentences, "label": label}


SST2 = Task(
    name="sst2",
    kind="classification",
    source=Source(hub="nyu-mll/glue", config="sst2", local=("SST-2/{split}.tsv", "sst2/{split}.tsv")),
    rows=sst2,
    plain="{sentence}",
    classes=("negative", "positive"),
    pattern="{sentence} [P] It was [MASK].",
    words={"negative": "terrible", "positive": "great"},
    metrics=("accuracy",),
    sizes={"train": 67349, "dev": 872},
    licence="as its authors state; research use",
    citation="Socher et al. 2013",
    obtain="SST-2.zip is at gluebenchmark.com/tasks.",
)

# Similarity from 0 to 5. GLUE reports both correlations; the labels of its test set (1,379 pairs) are not public.
STSB = Task(
    name="stsb",
    kind="regression",
    source=Source(hub="nyu-mll/glue", config="stsb", local=("STS-B/{split}.tsv", "stsb/{split}.tsv")),
    rows=stsb,
    plain="{sentence1}[SEP]{sentence2}",
    metrics=("pearson", "spearman"),
    sizes={"train": 5749, "dev": 1500},
    licence="as its authors state; research use",
    citation="arXiv:1708.00055",
    obtain="STS-B.zip is at gluebenchmark.com/tasks.",
)

GLUE = Suite(
    name="glue",
    tasks=(SST2, STSB),
    models=("bert-large-cased", "roberta-large"),
    average=("sst2",),  # of the task that has published numbers; a correlation is not a share
    methods=("finetune", "prompt_tuning", "ptuning_v1", "ptv2"),
)
