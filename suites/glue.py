"""GLUE (Wang et al. 2019, arXiv:1804.07461): SST-2, the task of it in the P-tuning v2 paper (table 4)."""

from collections.abc import Iterator

from bench.data.values import label_text
from bench.task import Source, Suite, Task

from .rows.fields import Row, text

NAMES = {"0": "negative", "1": "positive"}


def sst2(row: Row) -> Iterator[Row]:
    """The label is a number in GLUE's tables, a name on the hub."""
    label = label_text(row["label"])
    named = {"idx": row["idx"]} if "idx" in row else {}
    yield {**named, "sentence": text(row, "sentence"), "label": NAMES.get(label, label)}


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

GLUE = Suite(
    name="glue",
    tasks=(SST2,),
    models=("bert-large-cased", "roberta-large"),
    average=("sst2",),
    methods=("finetune", "prompt_tuning", "ptuning_v1", "ptv2"),
)
