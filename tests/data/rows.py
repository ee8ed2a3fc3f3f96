"""A task of each kind over one local file, a row that fits it, and how rows are read."""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import Any

from bench.data.examples import SplitExamples, read_examples
from bench.task import Source, Split, Task, bio

Row = dict[str, Any]
LOCAL = Source(local=("{split}.jsonl",))
PAIRS = Task(
    name="pairs", kind="classification", source=LOCAL, plain="{premise}[SEP]{hypothesis}", metrics=("accuracy",),
    pattern="{premise} {cloze_only} [MASK]", classes=("false", "true"), words={"false": "No", "true": "Yes"},
)  # fmt: skip
CHOICES = Task(
    name="choices", kind="choice", source=LOCAL, plain="{question}[SEP]{choice}", metrics=("accuracy",),
    pattern="{statement} [MASK]",
)  # fmt: skip
TAGS = Task(name="tags", kind="tagging", source=LOCAL, classes=bio("PER", "ARGM-LOC"), metrics=("entity_f1",))
SPANS = Task(name="spans", kind="span", source=LOCAL, metrics=("f1",))
ANSWERLESS = SPANS.model_copy(update={"answerless": True})

PAIR = {"premise": "p", "hypothesis": "h", "cloze_only": "", "label": "true"}
CANDIDATES = [{"choice": "a", "statement": "is a"}, {"choice": "b", "statement": "is b"}]
CHOICE = {"question": "q", "choices": CANDIDATES, "label": 1}
TAGGED = {"words": ["Ann", "left"], "tags": ["B-PER", "O"]}
SPAN = {"question": "q", "context": "one two one", "answers": [{"text": "one", "start": 8}]}


class Reader:
    """Writes rows as a task's local file and reads them; says nothing of warnings."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __call__(self, task: Task, *rows: Row, split: Split = "train") -> SplitExamples:
        name = {"train": "train", "dev": "val", "test": "test"}[split]
        (self.folder / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return read_examples(task, split, self.folder)
