"""What cells cost alone that shared a loop, or a GPU with other workers: a few steps of each, once a run is over.

Nothing of them is kept but that.

A cell runs with its own budget, rows and settings, in a loop to itself, and is stopped after some steps. Their seconds
up to the first steps, in which states that no lane changes are made once and kernels set up, count as they are, and
every step that is left as the mean of those after them; the selection slice is evaluated twice, since states that are
kept make the second time and all later ones shorter. On a CPU, where memory is the whole process's, each cell's is
what it adds to the process as it was before the first of them: it grows meanwhile by what no cell is to blame for.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime

from bench.model.backbone import Backbone
from bench.model.compiled import compile_seconds
from bench.model.device import device_name
from bench.resolved import ResolvedCell, resolve
from bench.store.alone import Alone, alone_key
from bench.store.record import Record
from bench.train.backbones import Backbones
from bench.train.compiling import Compiling, decide, place_of
from bench.train.groups import Group
from bench.train.lane import Lane
from bench.train.meter import peak_bytes, release, reset_peak, resident_bytes
from bench.train.options import Options
from bench.train.prepare import prepare
from bench.train.run_data import RunData
from bench.train.search import find_label_words
from bench.train.training import Training
from bench.train.watches import CHECK_AFTER

SECONDS, MOST_SECONDS = 1.0, 5.0  # of steps that are timed
FEWEST = 10  # of them, unless they take too long
SETTING_UP = CHECK_AFTER + 1  # steps; graphs are captured from then on


def lacking(records: Iterable[Record], known: Iterable[Alone], device: str) -> list[Record]:
    """One record for each cell, whatever its seed, that shared a loop or this device and was not measured alone.

    A cell with a first stage over several data sets is left out: it does not begin without that stage's values.
    """
    found = {each.key: each.device for each in known}
    lacks: dict[str, Record] = {}
    for record in records:
        shared = record.status == "done" and record.cell.stage == "score" and record.was_shared
        if shared and not record.cell.joint and record.provenance.get("device") == device:
            key = alone_key(record.cell)
            if found.get(key) != device:
                lacks.setdefault(key, record)
    return list(lacks.values())


def measured(records: Sequence[Record], options: Options, data: RunData, seconds: float) -> Iterator[Alone]:
    """Measurements of these records' cells, model by model, a task of every line before the next, until so many seconds
    have gone by. What cannot be run again is left out.
    """
    begun, backbones, before = time.perf_counter(), Backbones(options), 0
    for record in _in_turn(records):
        if time.perf_counter() - begun > seconds:
            break
        resolved = resolve(record.cell)
        compiling = Compiling(before={place_of(resolved): bool(record.provenance.get("compiled"))})
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the run has told what data and model are like
            try:
                prepare([resolved], data, options.devices)
                group = Group((resolved,))
                backbone = backbones.of(group)
                decide(backbone, options, compiling, group, data)
                reset_peak(*backbone.devices)
                before = before or resident_bytes(options.device)
                grown = resident_bytes(options.device) - before
                each = _of(record, resolved, backbone, options, data)
                yield each.model_copy(update={"peak_bytes": min(each.peak_bytes - grown, record.costs.peak_bytes)})
            except Exception:  # whatever it is: the run's own records are all there, and this is not one of them
                backbones.drop()
    backbones.drop()
    release(options.device)


def _in_turn(records: Sequence[Record]) -> list[Record]:
    """By model; of each the first task of every line, then the second."""
    turns: dict[tuple[object, ...], int] = {}
    places = []
    for record in records:
        cell = record.cell
        line = (cell.model_path, cell.precision, cell.method, repr(cell.settings), repr(cell.budget))
        turns[line] = turns.get(line, -1) + 1
        places.append((cell.model_path, cell.precision, turns[line]))
    return [record for _, record in sorted(zip(places, records, strict=True), key=lambda pair: pair[0])]


def _of(record: Record, resolved: ResolvedCell, backbone: Backbone, options: Options, data: RunData) -> Alone:
    """RuntimeError where it does not train as it did."""
    lane = Lane.alone(resolved, backbone, data.of(resolved, backbone))
    training = Training(backbone, [lane], options.tokens_for(resolved))
    train_seconds = _train_seconds(lane, training)
    first, again = (_evaluate_seconds(lane, training) for _ in range(2))
    if not lane.running:
        raise RuntimeError(lane.reason)
    scored = len(lane.data.scored_examples) / max(1, len(lane.data.selection_examples))
    return Alone(
        key=alone_key(resolved.cell), device=device_name(backbone.device), steps=lane.step, num_steps=lane.num_steps,
        train_seconds=train_seconds, evaluate_seconds=first * (1 + scored) + again * max(0, len(record.curve) - 1),
        peak_bytes=peak_bytes(*backbone.devices), measured=datetime.now(UTC).isoformat(timespec="seconds"),
    )  # fmt: skip


def _train_seconds(lane: Lane, training: Training) -> float:
    """Take steps until enough are timed; the seconds of all of the lane's steps at that rate."""
    if not lane.num_steps:
        return 0.0
    begun = _now()
    find_label_words([lane], training.passes)
    at, look_at = {0: begun}, 0  # steps taken -> when that was known
    while lane.running and lane.step < lane.num_steps:
        training.step([lane])
        if lane.step >= look_at or training.due([lane]):  # what is waited for at each step is slower on a GPU
            training.read()
            training.watches.check([lane])
            last, at[lane.step] = max(at), _now()
            is_slow = at[lane.step] - at[last] > SECONDS / 2 * (lane.step - last)
            look_at = lane.step + (1 if is_slow or lane.step < SETTING_UP else FEWEST)
            first = next((step for step in at if step >= SETTING_UP), None)
            if first is not None and _enough(lane.step - first, at[lane.step] - at[first]):
                break
    return reckoned({step: moment - begun for step, moment in at.items()}, lane.num_steps)


def _enough(steps: int, seconds: float) -> bool:
    return (steps >= FEWEST and seconds >= SECONDS) or (steps > 0 and seconds >= MOST_SECONDS)


def reckoned(at: Mapping[int, float], num_steps: int) -> float:
    """Seconds of `num_steps` steps, of which so many were taken `at` these seconds: what is left takes by the step what
    those after the first took.
    """
    last = max(at)
    if last >= num_steps:
        return at[last]
    first = min((step for step in at if step >= SETTING_UP and step < last), default=0)
    return at[last] + (num_steps - last) * (at[last] - at[first]) / (last - first)


def _evaluate_seconds(lane: Lane, training: Training) -> float:
    begun = _now()
    training.predictor.predict([lane.selection()])
    return _now() - begun


def _now() -> float:
    """Seconds by a clock that stands still while layers are compiled and graphs captured, as a record's."""
    return time.perf_counter() - compile_seconds()
