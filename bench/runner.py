"""Cells become records: cells that share a frozen backbone train together, the others alone."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime

from safetensors.torch import save_file

from bench.collecting import set_aside
from bench.data.display import example_table
from bench.ending import heed
from bench.errors import CannotShare, DeviceLost, DiskError, UsageError, is_out_of_memory
from bench.model.backbone import Backbone
from bench.model.compiled import compile_seconds
from bench.model.device import is_lost
from bench.model.ranks import ALONE, Ranks
from bench.resolved import ResolvedCell
from bench.score.evaluate import Predictions, Predictor
from bench.score.table import prediction_table
from bench.store.examples import examples_key, write_examples
from bench.store.predictions import PREDICTIONS, write_predictions
from bench.store.record import Record
from bench.store.store import Store, Writer
from bench.train.audience import Audience
from bench.train.backbones import Backbones
from bench.train.compiling import Compiling, decide
from bench.train.failure import brief, failure
from bench.train.groups import Group
from bench.train.joint import FirstStages
from bench.train.lane import Lane
from bench.train.loop import fit
from bench.train.meter import peak_bytes, release, reset_peak
from bench.train.options import Options
from bench.train.outcome import Before, Loop, outcome
from bench.train.prepare import prepare
from bench.train.run_data import RunData
from bench.train.team import Team, TeamError
from bench.train.trained import NotTrained


class Runner:
    """Measures cells and writes their records to a store.

    `data` is what has been read and encoded before; what lacks there is added. `compiling` is what a plan says of that.
    `ranks` are the processes of a team, in one of them.
    """

    def __init__(
        self,
        store: Store,
        options: Options,
        audience: Audience,
        data: RunData | None = None,
        compiling: Compiling | None = None,
        ranks: Ranks = ALONE,
    ) -> None:
        self.store, self.options, self.audience = store, options, audience
        self.data = RunData() if data is None else data
        self._compiling = compiling or Compiling()
        self._backbones = Backbones(options, ranks)
        self._first_stages = FirstStages(self.data, options, audience)
        self._team = Team(options, store, audience)

    def run(self, pieces: Iterable[Group], expected: Sequence[ResolvedCell] = ()) -> list[Record]:
        """Measure every group's cells and write their records; returns them in the order they finished.

        `expected` are cells that will come: what they use together is charged to each in part. UsageError where data or
        models are unfit. After that a cell that fails or diverges becomes a record with its reason, and only a full
        disk (DiskError) ends the run, or a device that is lost (DeviceLost); what finished is kept.
        """
        written: list[Record] = []
        self._backbones.expect(expected)
        try:
            with set_aside():
                for group in pieces:
                    for record in self._prepared(group):
                        self.audience.finished(record)
                        written.append(record)
        except DeviceLost as lost:
            lost.records = tuple(written)
            raise
        finally:
            self.end()
        return written

    def _prepared(self, group: Group) -> Iterator[Record]:
        """As `measure`, once what a group needs is read; where memory lacks for that, its cells fail."""
        started = datetime.now(UTC)
        try:
            prepare(group.cells, self.data, self.options.devices)
        except Exception as error:
            if not is_out_of_memory(error):
                raise
            for resolved in group.cells:
                yield self._fail(resolved, error, started)
            return
        self._backbones.expect(group.cells)
        yield from self.measure(group)

    def end(self) -> None:
        """End the processes that were started for cells that change weights; they would wait for the next one."""
        self._team.end()

    def measure(self, group: Group) -> Iterator[Record]:
        """Train a group's cells in one loop, and write each one's record before it is given back.

        A cell that must change the backbone after all then gets one of its own. When the loop itself breaks, each is
        tried alone, so that only the culprit fails. With several devices a cell that changes weights is trained by a
        team of processes, which writes its record.
        """
        started = datetime.now(UTC)
        if self.options.others and not group.shared:
            yield from self._by_team(group, started)
            return
        self._team.end()  # it would take memory of the same devices
        try:
            backbone = self._loaded(group)
        except Exception as error:  # a model that does not load, or does not fit the device, fails its cells only
            self._check_device(error)
            for resolved in group.cells:
                yield self._fail(resolved, error, started)
            return
        left: list[ResolvedCell] = []
        try:
            for record in self._train(group, backbone, started, left):
                if record.status == "failed":
                    self._backbones.drop()  # it may have trained what it should not
                yield record
        except DiskError:
            raise
        except Exception as error:
            self._check_device(error)
            self._backbones.drop()  # whatever broke may have left its marks on the shared weights
            if len(group) == 1:
                yield self._fail(group.cells[0], error, started)
                return
            done = self.store.done()
            again = [cell for cell in group.cells if cell not in left and cell.cell.id not in done]
        else:
            again = []
        del backbone  # neither it nor the error is to be held while another is loaded
        for resolved in again:
            yield from self.measure(Group((resolved,)))
        for resolved in left:
            yield from self.measure(Group((resolved,), shared=False))

    def train(self, group: Group) -> Iterator[Record]:
        """The records of a group's cells as `measure` writes them, of a team's process; whatever breaks is raised."""
        return self._train(group, self._loaded(group), datetime.now(UTC), [])

    def _check_device(self, error: Exception) -> None:
        """DeviceLost where an error has left a device on which every other cell would fail too."""
        if is_lost(self.options.device):
            raise DeviceLost(f"{self.options.device} runs nothing more in this process: {brief(error)}") from error

    def _loaded(self, group: Group) -> Backbone:
        backbone = self._backbones.of(group)
        decide(backbone, self.options, self._compiling, group, self.data)
        return backbone

    def _by_team(self, group: Group, started: datetime) -> Iterator[Record]:
        self._backbones.drop()
        release(self.options.device)
        try:
            yield from self._team.measure(group)
        except DiskError:
            raise
        except (TeamError, UsageError) as error:
            for resolved in group.cells:
                told = error.record if isinstance(error, TeamError) else None
                if told is None:
                    yield self._fail(resolved, error, started)
                else:
                    self.store.write(told)
                    yield told

    def _train(self, group: Group, backbone: Backbone, started: datetime, left: list[ResolvedCell]) -> Iterator[Record]:
        """The records of a group's cells; those that cannot share the backbone have none, and are put into `left`."""
        starts = [self._first_stages.start(resolved, backbone) for resolved in group.cells]
        begun, compiled_before = time.perf_counter(), compile_seconds()
        lanes = []
        for resolved, start in zip(group.cells, starts, strict=True):
            try:
                lanes.append(Lane.alone(resolved, backbone, self.data.of(resolved, backbone), start))
            except CannotShare:
                if not group.shared:
                    raise
                left.append(resolved)
        if not lanes:
            return
        token_budget = backbone.ranks.smallest(self.options.tokens_for(group.cells[0], group.shared))
        reset_peak(*backbone.devices)
        with self.audience.loop([lane.cell for lane in lanes]):
            training = fit(backbone, lanes, token_budget, self.audience.step)
        _check_shared(lanes)
        peak = peak_bytes(*backbone.devices)
        predictions = _scored(lanes, training.predictor)
        overhead = (time.perf_counter() - begun - sum(lane.ledger.seconds for lane in lanes)) / len(lanes)
        passes, compiling = training.passes, compile_seconds() - compiled_before
        loop = Loop(started, len(lanes), passes.token_budget, passes.halvings, peak, overhead, compiling)
        for lane in lanes:
            of_lane, cell_id = predictions.get(id(lane)), lane.cell.id
            before = Before(self._backbones.seconds(cell_id), self.data.seconds.of(cell_id))
            yield self._write(outcome(lane, of_lane, backbone, loop, before), lane, of_lane, backbone.ranks)

    def _write(self, record: Record, lane: Lane, predictions: Predictions | None, ranks: Ranks) -> Record:
        files: dict[str, Writer] = {}
        begun = time.perf_counter()
        if predictions is not None:
            task, examples = lane.task, lane.data.scored_examples
            self.store.write_examples(
                examples_key(lane.cell),
                lambda path: write_examples(path, example_table(task, examples), task.name, task.kind),
            )
            table = prediction_table(task, examples, predictions.scored_answers, predictions.predicted)
            files[PREDICTIONS] = lambda path: write_predictions(path, table)
            stored = lane.stored() if self.options.save_tuned else {}
            tensors = {name: ranks.kept(tensor) for name, tensor in stored.items()}
            if tensors:
                metadata = {"cell": record.id}  # one entry: several would be written in another order each time
                files["tuned.safetensors"] = lambda path: save_file(tensors, path, metadata=metadata)
        record.costs.add_storing(time.perf_counter() - begun)
        self.store.write(record, files)
        return record

    def _fail(self, resolved: ResolvedCell, error: Exception, started: datetime) -> Record:
        heed()  # what libraries make of a request to end is no failure of a cell
        record = failure(resolved, error, started, self.options.device)
        self.store.write(record)
        return record


def _check_shared(lanes: Sequence[Lane]) -> None:
    """NotTrained when lanes failed and none is done: one may have moved what all share, and alone only it fails."""
    failed = [lane for lane in lanes if lane.status == "failed"]
    if failed and len(lanes) > 1 and not any(lane.status == "done" for lane in lanes):
        raise NotTrained(failed[0].reason)


def _scored(lanes: Sequence[Lane], predictor: Predictor) -> dict[int, Predictions]:
    """By the lane's id the predictions of those that are done; a trial ends without a look at the scored split."""
    begun = time.perf_counter() - compile_seconds()
    scored = [lane for lane in lanes if lane.status == "done" and lane.cell.stage == "score"]
    predictions = predictor.predict([lane.scored() for lane in scored])
    seconds = time.perf_counter() - compile_seconds() - begun
    for lane in scored:
        lane.ledger.evaluate_seconds += seconds / len(scored)
    return dict(zip(map(id, scored), predictions, strict=True))
