"""Extractive question answering: SQuAD 1.1 (arXiv:1606.05250) and 2.0 (arXiv:1806.03822), scored on dev."""

from bench.data.squad import squad
from bench.task import Source, Suite, Task

LICENCE = "CC BY-SA 4.0"
MAX_LENGTH, STRIDE = 384, 128  # tokens, as in the official baselines


def _local(version: str) -> tuple[str, ...]:
    name = f"{{split}}-{version}.json"
    return f"squad/{name}", name, f"squad/{version}-{{split}}.json"


SQUAD1 = Task(
    name="squad1",
    kind="span",
    source=Source(hub="rajpurkar/squad", local=_local("v1.1")),
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
    source=Source(hub="rajpurkar/squad_v2", local=_local("v2.0")),
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
