"""What every task must do: its labels come through tokenisation and back, its metrics tell right from wrong."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from bench.check.finding import Broken, Skipped
from bench.data.encode import encode
from bench.data.examples import read_examples
from bench.data.kind import LayoutSpec, data_of
from bench.data.places import has_files
from bench.data.rows import Item
from bench.data.slots import Slots
from bench.data.specials import special
from bench.data.tokens import TokenStore
from bench.score.kind import kind_of
from bench.score.metrics import metrics_of, score
from bench.score.predicted import PredictedRows, Prediction
from bench.task import Example, Source, Split, Task
from bench.writing import scratch

if TYPE_CHECKING:
    from bench.score.answers import ScoredAnswer, Scores

MOST = 60  # examples of a split
Form = Literal["plain", "cloze"]
LONG, SHORT = 256, 24  # tokens of text: little is cut, and much is
MADE_UP = {"train": 48, "dev": 24, "test": 24}  # rows
SLOTS = (Slots(), Slots(5), Slots(5, "pattern"))


def with_rows(task: Task, tokenizer: Any, data: Path | None) -> tuple[Task, Path | None, str]:
    """The task with rows that are there, the folder they are in, and what rows they are.

    Its own where it generates them or `data` has its files; else made up from its declaration, of words the tokenizer
    knows. Label words that it does not know have others in their place. Skipped where rows cannot be made up.
    """
    vocabulary = sorted(word for word in tokenizer.get_vocab() if word.isalpha() and len(word) > 1)
    task, replaced = _with_known_words(task, tokenizer, vocabulary)
    note = f"; label words the model does not know have others in their place: {replaced}" if replaced else ""
    if task.source.generate is not None:
        return task, None, f"its own{note}"
    if data is not None and task.source.local and has_files(task, "train", data):
        return task, data, f"the first {MOST} of {data}{note}"
    if task.rows is not None:
        raise Skipped("its rows are of its source's own layout: give --data")

    def generate(split: str) -> list[dict[str, Any]]:
        rng = random.Random(f"{task.name} {split}")
        return [data_of(task).made_up(task, number, vocabulary, rng) for number in range(MADE_UP[split])]

    made_up = task.model_copy(update={"source": Source(generate=generate), "sizes": {}})
    return made_up, None, f"made up from the declaration{note}"


def _with_known_words(task: Task, tokenizer: Any, vocabulary: Sequence[str]) -> tuple[Task, str]:
    """The task, and the label words that the tokenizer does not know, which are others in it."""
    unknown = [word for word in task.words.values() if tokenizer.unk_token_id in tokenizer(word)["input_ids"]]
    if not unknown:
        return task, ""
    known_words = random.Random(task.name).sample(vocabulary, len(task.words))
    words = dict(zip(task.words, known_words, strict=True))
    return task.model_copy(update={"words": words}), ", ".join(unknown)


@dataclass(frozen=True)
class TaskRig:
    """A task with a tokenizer and its examples; `data` is the folder of its files, None where rows are generated."""

    task: Task
    tokenizer: Any
    data: Path | None = None
    exact: bool = True  # a perfect answer must score 100; of real texts labels may end inside a token

    def examples(self, split: Split) -> list[Example]:
        """The first ones of a split."""
        return self._read[split]

    @cached_property
    def _read(self) -> dict[Split, list[Example]]:
        splits = self.task.splits("holdout")
        return {split: read_examples(self.task, split, self.data).examples[:MOST] for split in splits}

    @cached_property
    def _tokens(self) -> TokenStore:
        return TokenStore()

    @property
    def scored(self) -> list[Example]:
        return self.examples(self.task.scored)

    @property
    def forms(self) -> list[tuple[Form, Slots]]:
        """Every form with every place for slots."""
        forms: tuple[Form, ...] = ("plain", "cloze") if self.task.has_cloze else ("plain",)
        return [(form, slots) for form in forms for slots in SLOTS]

    def items(self, form: Form, slots: Slots, length: int = LONG) -> list[Item]:
        """The scored examples as items."""
        spec = LayoutSpec(special(self.tokenizer, None), self._tokens, slots, form == "cloze", length)
        return encode(self.task, spec, self.scored)

    def score(self, predictions: Sequence[Prediction]) -> dict[str, float]:
        """Every metric, of predictions for the scored examples."""
        return score(self.task, self.scored, predictions)

    def random_predictions(self) -> list[Prediction]:
        """One for each scored example, often wrong."""
        rng = random.Random(self.task.name)
        return [_random(self.task, example, rng) for example in self.scored]


def labels_come_back(rig: TaskRig) -> str:
    """Labels come through tokenisation and back, in every form, slots or not: a perfect answer scores 100."""
    worst = 100.0
    for form, slots in rig.forms:
        items = rig.items(form, slots)
        whole = {item.example for item in items} - {item.example for item in items if item.cut}
        kept = [example for number, example in enumerate(rig.scored) if number in whole]
        predictions = [answered for number, answered in enumerate(_perfect(rig, items)) if number in whole]
        if not kept:
            raise Skipped(f"every text is longer than {LONG} tokens")
        for name, value in score(rig.task, kept, predictions).items():
            worst = min(worst, value)
            if rig.exact and not math.isclose(value, 100):
                raise Broken(f"{form} form, {slots.count} slots: a perfect answer scores {value:.1f} by {name}")
    if worst < 90:
        raise Broken(f"a perfect answer scores {worst:.1f}")
    return "" if math.isclose(worst, 100) else f"a perfect answer scores {worst:.1f}: tokens do not end where labels do"


def positions_are_right(rig: TaskRig) -> None:
    """Slots stand where they were asked for, and what is read is no slot; in a cloze form it is [MASK]."""
    for form, slots in rig.forms:
        for row in (row for item in rig.items(form, slots, SHORT) for row in item.rows):
            if len(row.ids) > SHORT + slots.count or len(row.slots) != slots.count or set(row.slots) & set(row.read):
                raise Broken(f"{form} form, {slots.count} slots: wrong positions in {row}")
            if form == "cloze" and {row.ids[at] for at in row.read} != {rig.tokenizer.mask_token_id}:
                raise Broken(f"{form} form, {slots.count} slots: what is read is not [MASK]")


def slots_move_what_is_read(rig: TaskRig) -> None:
    """With slots in front everything stands that much later, and is otherwise the same."""
    count = 7
    for bare, moved in zip(rig.items("plain", Slots()), rig.items("plain", Slots(count)), strict=True):
        same = (bare.targets, bare.places, bare.spans) == (moved.targets, moved.places, moved.spans)
        for row, later in zip(bare.rows, moved.rows, strict=True):
            same &= [at + count for at in row.read] == later.read and row.ids == later.ids[count:]
        if not same:
            raise Broken(f"example {rig.scored[bare.example].id}: slots change more than positions")


def cut_texts_are_answered(rig: TaskRig) -> str:
    """Where texts are cut every example is still answered, once."""
    items = rig.items("plain", Slots(), SHORT)
    scores = rig.score(_perfect(rig, items))
    if not all(math.isfinite(value) and value <= 100 for value in scores.values()):
        raise Broken(f"scores of cut texts are {scores}")
    return f"{sum(item.cut for item in items)} of {len(items)} cut at {SHORT} tokens"


def predictions_on_disk_score_alike(rig: TaskRig) -> None:
    """Predictions that were written and read again have the same scores."""
    from bench.score.answers import ScoredAnswer
    from bench.score.table import prediction_table
    from bench.store.predictions import read_predictions, write_predictions

    predictions = rig.random_predictions()
    answers = [ScoredAnswer(probabilities=(1.0,) * len(rig.task.classes)) for _ in predictions]
    with scratch("bench-check-") as folder:
        path = folder / "predictions.parquet"
        write_predictions(path, prediction_table(rig.task, rig.scored, answers, predictions))
        rows = PredictedRows(**read_predictions(path.read_bytes()))
    written = {name: metric.score(rig.task, rows) for name, metric in metrics_of(rig.task).items()}
    computed = rig.score(predictions)
    if any(not math.isclose(written[name], computed[name], abs_tol=1e-9) for name in computed):
        raise Broken(f"from disk {written}, before {computed}")


def wrong_answers_score_less(rig: TaskRig) -> str:
    """Random answers and the trivial baseline do not score 100, and there is a baseline for every metric."""
    from bench.score.trivial import trivial

    baseline = trivial(rig.task, rig.examples("train"), rig.scored)
    by_chance = rig.score(rig.random_predictions())
    for name in rig.task.metrics:
        if by_chance[name] >= 100:
            raise Broken(f"random answers score 100 by {name}")
        if not baseline[name] < 100:
            raise Broken(f"the trivial answer scores {baseline[name]} by {name}: there is nothing to learn")
    return "trivial " + ", ".join(f"{name} {value:.1f}" for name, value in baseline.items())


CHECKS: tuple[Callable[[TaskRig], str | None], ...] = (
    labels_come_back,
    positions_are_right,
    slots_move_what_is_read,
    cut_texts_are_answered,
    predictions_on_disk_score_alike,
    wrong_answers_score_less,
)


def _perfect(rig: TaskRig, items: Sequence[Item]) -> list[Prediction]:
    """The predictions of a head whose scores say exactly what is wanted."""
    task, kind = rig.task, kind_of(rig.task)
    predictions: list[Prediction] = []
    for number, example in enumerate(rig.scored):
        of_example = [item for item in items if item.example == number]
        if not of_example:
            raise Broken(f"example {example.id} is in no item")
        scores = [_perfect_scores(task, item) for item in of_example]
        answer: ScoredAnswer = kind.answer(task, example, of_example, scores)
        predictions.append(kind.prediction(answer, 0.0))
    return predictions


def _perfect_scores(task: Task, item: Item) -> Scores:
    """(positions, columns): 10 where a target is and 0 elsewhere, or the target itself where it is a number."""
    import numpy as np

    columns = range(task.columns)
    if task.positions_compete:  # a target's bits are its columns
        scores = [[10.0 * (int(target) >> column & 1) for column in columns] for target in item.targets]
    elif task.classes:
        scores = [[10.0 * (target == column) for column in columns] for target in item.targets]
    else:
        scores = [[float(target)] for target in item.targets]
    return np.array(scores, np.float32)


def _random(task: Task, example: Example, rng: random.Random) -> Prediction:
    """A text, a number, or the number of a class or candidate for each thing that is asked."""
    if "context" in example.texts and not task.classes:
        return rng.choice(["", *example.texts["context"].split(), *(answer.text for answer in example.answers)])
    if example.value is not None:
        return rng.random()
    most = len(example.choices) or len(task.classes)
    return [rng.randrange(most) for _ in (example.words or [None])]
