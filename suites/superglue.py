"""SuperGLUE (Wang et al. 2019, arXiv:1905.00537): tasks in their authors' layout, with cloze forms for masked LMs.

Patterns and words follow P-tuning v1 (arXiv:2103.10385); `[P]` is where its prompt vectors stand.
"""

from bench.spec import Source, Suite, Task

HUB = "aps/super_glue"
LICENCE = "as its authors state; research use"
CITATION = "arXiv:1905.00537"
OBTAIN = "The zip files are at super.gluebenchmark.com/tasks; unpack them side by side."

RTE = Task(
    name="rte",
    kind="classification",
    source=Source(hub=HUB, config="rte", local="RTE/{split}.jsonl"),
    texts=("premise", "hypothesis"),
    label="label",
    classes=("entailment", "not_entailment"),
    pattern="{premise} Question: {hypothesis}? [P] Answer: [MASK].",
    words={"entailment": "yes", "not_entailment": "no"},
    metrics=("accuracy",),
    sizes={"train": 2490, "dev": 277},
    licence=LICENCE,
    citation=CITATION,
    obtain=OBTAIN,
)

BOOLQ = Task(
    name="boolq",
    kind="classification",
    source=Source(hub=HUB, config="boolq", local="BoolQ/{split}.jsonl"),
    texts=("passage", "question"),
    label="label",
    classes=("false", "true"),
    pattern="{passage}. [P] Question: {question}? Answer: [MASK].",
    words={"false": "no", "true": "yes"},
    metrics=("accuracy",),
    sizes={"train": 9427, "dev": 3270},
    licence="CC BY-SA 3.0",
    citation="arXiv:1905.10044",
    obtain=OBTAIN,
)

CB = Task(
    name="cb",
    kind="classification",
    source=Source(hub=HUB, config="cb", local="CB/{split}.jsonl"),
    texts=("premise", "hypothesis"),
    label="label",
    classes=("entailment", "contradiction", "neutral"),
    pattern="{premise}[SEP]{hypothesis}? [P] answer: [MASK]",
    words={"entailment": "yes", "contradiction": "no", "neutral": "maybe"},
    metrics=("accuracy", "macro_f1"),
    sizes={"train": 250, "dev": 56},
    licence=LICENCE,
    citation="De Marneffe et al. 2019",
    obtain=OBTAIN,
)

SUPERGLUE = Suite(
    name="superglue",
    tasks=(BOOLQ, CB, RTE),
    models=("bert-large-cased", "roberta-large"),
    average=("rte", "boolq", "cb"),  # figure 1 of the P-tuning v2 paper
    methods=("finetune", "prompt_tuning", "ptuning_v1", "ptv2"),
)
