"""What is measured on: Task, Suite, Example, frozen and validated. This room never imports torch."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Literal

from pydantic import Field, model_validator

from bench.cell import Budget, Frozen, Protocol
from bench.errors import unknown
from bench.kind import KindFacts, find_kind

Split = Literal["train", "dev", "test"]
SLOT_MARK, MASK_MARK, SEP_MARK = "[P]", "[MASK]", "[SEP]"
CANDIDATE = "choice"  # the field of the text that a choice's `[MASK]` stands for


class Division(Frozen):
    """How a user's own rows are divided where nothing says which are scored: always the same, by label, whole groups,
    equal texts together (bench.data.division).
    """

    share: float = Field(0.2, gt=0, lt=1)  # of the rows, that are scored
    most: int = Field(10_000, ge=1)  # rows that are scored at most
    seed: int = 0


class Source(Frozen):
    """Where a task's rows come from: the hub, a local folder in its authors' layout, a generator, or a user's own files.

    `local` are paths under `--data` with `{split}` in them, the first that is there is read; `*` and `**` stand for
    many files read as one. Content and ending tell the format: JSON in any form, `.csv` and `.tsv` (with a header
    line), parquet, a folder of `save_to_disk`; any other is a column file (blank lines between sentences). Rows with
    named fields are looked for under the same names with another of these endings too. A further `.gz` is unpacked.
    `hub_splits` and `local_splits` translate the harness's split names to theirs; local ones may have several names.

    Of a user's own data (bench.own) `files` are each split's, under `--data`; several splits may be of one file, which a
    column (`split_column`, with the values that `local_splits` lists) or a `division` tells apart. Of more rows than
    `most_rows` so many are drawn, always the same.
    """

    hub: str | None = None
    config: str | None = None
    revision: str | None = None
    local: tuple[str, ...] = ()
    hub_splits: dict[str, str] = {"train": "train", "dev": "validation", "test": "test"}
    local_splits: dict[str, tuple[str, ...]] = {"train": ("train",), "dev": ("val", "dev"), "test": ("test",)}
    generate: Callable[[str], list[dict[str, Any]]] | None = Field(default=None, exclude=True)
    files: dict[Split, tuple[str, ...]] = {}
    split_column: str = ""
    division: Division | None = None
    most_rows: int | None = None


class Task(Frozen):
    """A data source, how a row becomes Examples, and how predictions are scored. The first metric is the main one.

    `rows` turns a row of the source into any number of rows in the harness's fields; the class of each kind, a file of
    bench/kinds/, lists its own. Without it the source has them already. It may raise ValueError, KeyError or TypeError:
    the user then reads file and line, of a bench.errors.WordError the word's own line.

    `fields` says the same without code: of each field of the kind the source's column (of candidates, several), as
    bench.data.mapping reads them. A task that has them is data alone: it goes where no plugin does.

    Any row may also have `idx` (its id), `group` (what must stay together when rows are divided or resampled: passage,
    document; `clusters` is the word for it), `part` (what of a group stays together where groups are too few to be
    divided, `parts` the word for it: a passage of an article), `query` (the question that several rows answer together)
    and `repaired` (a list: what was mended in it, a short text for each repair). Rows of equal texts that have no group
    are one. A row that has `no_example` (why) is none: it stands for a part of the source that makes no example, such
    as a sentence without a predicate. Both are counted by their texts and told once a split.

    `plain` is the form a linear head reads, `pattern` the cloze form: text with `{field}`, `[P]` (prompt slots), at
    most one `[SEP]` and, in `pattern`, `[MASK]`. `words` maps each class to the word that stands for it at `[MASK]`; a
    choice's `[MASK]` stands for the candidate itself, one mask per token.
    """

    name: str
    kind: str
    source: Source
    rows: Callable[[dict[str, Any]], Iterable[dict[str, Any]]] | None = Field(default=None, exclude=True)
    fields: dict[str, str | tuple[str, ...]] = {}
    plain: str = ""
    classes: tuple[str, ...] = ()
    pattern: str | None = None
    words: dict[str, str] = {}
    metrics: tuple[str, ...]
    scored: Literal["dev", "test"] = "dev"  # the split that scores are from, as the field's papers have it
    max_length: int | None = None  # tokens of text this task wants; a budget's own number goes before it
    stride: int = 128  # span: tokens by which neighbouring windows of a long context overlap
    origin: float = 0.0  # regression: the number that the loss counts from,
    unit: float = 1.0  # and what it counts in; what is predicted and scored is the number itself
    answerless: bool = False  # span: some questions have no answer
    clusters: str = ""  # what a row's group is (passage, document …); empty where its source names none
    parts: str = ""  # what a row's part is (passage, sentence …)
    sizes: dict[str, int] = {}  # official numbers per split of rows, before any is left out of train
    sizes_of: Literal["rows", "sentences"] = "rows"  # or of sentences in columns, of which several rows may be
    licence: str = ""
    citation: str = ""
    obtain: str = ""  # one line on how to get the data, for errors
    version: int = 1  # raise it when the task's reading or forms change

    @property
    def main_metric(self) -> str:
        return self.metrics[0]

    @property
    def outside(self) -> int:
        """Index of the class of a word in no entity: `O`, or the first class where there is none of that name."""
        return self.classes.index("O") if "O" in self.classes else 0

    @property
    def is_data(self) -> bool:
        """Whether it is of a user's own data: a declaration without code, which goes to workers and stays with results."""
        return bool(self.fields)

    @property
    def has_cloze(self) -> bool:
        return self.pattern is not None

    @property
    def facts(self) -> KindFacts:
        """What is known of its kind."""
        return find_kind(self.kind)

    @property
    def columns(self) -> int:
        """Scores a linear head gives for each position it reads: classes; 1 of a candidate; start and end of a span."""
        return self.facts.columns(len(self.classes))

    @property
    def positions_compete(self) -> bool:
        """Whether positions compete with one another (candidates, starts and ends of spans) or classes at each."""
        return self.facts.positions_compete

    @property
    def reads_tokens(self) -> bool:
        """Whether scores are of the text's own tokens, or of one thing for the whole text."""
        return self.facts.reads_tokens

    def splits(self, protocol: Protocol) -> tuple[Split, ...]:
        """The splits a run needs: train, the one scored, and dev where steps are chosen on it."""
        chosen_on: tuple[Split, ...] = ("dev",) if protocol == "paper" and self.scored != "dev" else ()
        return ("train", *chosen_on, self.scored)

    @model_validator(mode="after")
    def _consistent(self) -> Task:
        facts = self.facts
        if not self.metrics:
            raise ValueError(f"task {self.name!r} needs at least one metric")
        if self.fields and self.rows is not None:
            raise ValueError(f"task {self.name!r}: rows are read by its fields or by its function, not by both")
        if facts.needs_classes and len(self.classes) < 2:
            raise ValueError(f"task {self.name!r} needs at least two classes")
        if facts.has_forms and not self.plain:
            raise ValueError(f"task {self.name!r} needs a plain form, like '{{premise}}[SEP]{{hypothesis}}'")
        if not facts.has_forms and (self.plain or self.pattern):
            raise ValueError(f"task {self.name!r}: a {self.kind} task lays out its rows itself, without a form")
        if facts.cloze is None and self.pattern is not None:
            raise ValueError(f"task {self.name!r}: a {self.kind} task has no cloze form; leave its pattern out")
        for form, num_masks in ((self.plain, 0), (self.pattern, 1)):
            if form is not None and (form.count(MASK_MARK) != num_masks or form.count(SEP_MARK) > 1):
                raise ValueError(f"task {self.name!r}: a pattern has exactly one [MASK], a form at most one [SEP]")
        if self.pattern is not None and facts.cloze == "words" and set(self.words) != set(self.classes):
            raise ValueError(f"task {self.name!r}: words must name exactly the classes {self.classes}")
        for name in self.metrics:
            if name not in facts.metric_names:
                hint = f"Task {self.name!r} asks for it."
                raise unknown(f"metric of a {self.kind} task", name, facts.metric_names, hint)
        return self


def bio(*types: str) -> tuple[str, ...]:
    """The classes of a tagging task over these entity types: O, then B- and I- of each."""
    return ("O", *(f"{part}-{kind}" for kind in types for part in "BI"))


class Answer(Frozen):
    """A right answer of a span task: its text, and the character of the context it starts at."""

    text: str
    start: int


class Example(Frozen):
    """One thing to score.

    `labels` are class indices: one for classification, one per word for tagging; for choice the numbers of the right
    candidates; for span (1,) or (0,), whether the context has an answer; none for regression, whose number is `value`.
    """

    id: str
    texts: dict[str, str] = {}
    choices: tuple[dict[str, str], ...] = ()
    words: tuple[str, ...] = ()
    marks: tuple[int, ...] = ()
    answers: tuple[Answer, ...] = ()
    labels: tuple[int, ...]
    value: float | None = None
    group: str | None = None
    part: str | None = None
    query: str | None = None


class Suite(Frozen):
    """A named list of tasks, the models it is usually run on, and what is usual for them."""

    name: str
    tasks: tuple[Task, ...]
    models: tuple[str, ...] = ()
    average: tuple[str, ...] = ()  # the tasks whose mean is the y of the scale figure
    methods: tuple[str, ...] = ()
    budget: Budget = Budget()
    seeds: int = 3
    settings: dict[str, dict[str, Any]] = {}  # per method, what this suite sets otherwise than the method's defaults

    @model_validator(mode="after")
    def _consistent(self) -> Suite:
        names = [task.name for task in self.tasks]
        for name in names:
            if names.count(name) > 1:
                raise ValueError(f"suite {self.name!r} has two tasks called {name!r}")
        for name in self.average:
            if name not in names:
                raise unknown(f"task in the average of suite {self.name!r}", name, names)
        for field, methods in (("methods", self.methods), ("settings", self.settings)):
            if not all(name.strip() for name in methods):
                raise ValueError(f"suite {self.name!r}: its {field} name a method with an empty text")
        return self

    def task(self, name: str) -> Task:
        return next(task for task in self.tasks if task.name == name)
