"""The suite of this figure: six tasks, the rows and steps that every method gets alike, the methods, the seeds."""

from bench import Suite
from bench.cell import Budget
from bench.suites.glue import SST2
from bench.suites.ner import CONLL04
from bench.suites.qa import SQUAD1
from bench.suites.srl import SRL_EWT
from bench.suites.superglue import CB, RTE

TASKS = (SST2, CB, RTE, CONLL04, SQUAD1, SRL_EWT)

SUITE = Suite(
    name="figure-one",
    tasks=TASKS,
    average=tuple(task.name for task in TASKS),
    methods=("finetune", "lora", "ptv2", "prompt_tuning", "ptuning_v1"),
    budget=Budget(steps=1000, batch_size=32, evaluations=10, train_rows=8000, scored_rows=5000),
    seeds=5,
)
