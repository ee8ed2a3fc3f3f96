"""Did the lanes of a loop train? Each lane's own tensors, and what no lane may move, in their first steps."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from bench.model.backbone import Backbone
from bench.train.lane import Lane
from bench.train.optim import schedule_factor
from bench.train.trained import NotTrained, Watch

CHECK_AFTER = 3  # steps; by then every tensor must have had a gradient and moved


class Watches:
    """Did it train? Each lane's own tensors, and what no lane of the loop may move."""

    def __init__(self, backbone: Backbone, lanes: Sequence[Lane]) -> None:
        moving = {id(weight) for lane in lanes for weight in lane.attachment.weights().values()}
        tensors = {**dict(backbone.model.named_parameters()), **dict(backbone.model.named_buffers())}
        still = {f"backbone.{name}": tensor for name, tensor in tensors.items() if id(tensor) not in moving}
        self._still = Watch({}, still, backbone.ranks)
        self._lanes = {id(lane): Watch(lane.training_tensors(), {}, backbone.ranks, _rates_of(lane)) for lane in lanes}

    def saw_gradients(self, lane: Lane) -> None:
        if lane.step < CHECK_AFTER:
            is_last = lane.step == min(CHECK_AFTER, lane.num_steps) - 1
            factor = schedule_factor(lane.method, lane.step, lane.num_steps) if is_last else None
            self._lanes[id(lane)].saw_gradients(factor)

    def saw_moves(self, lane: Lane) -> None:
        if lane.step <= CHECK_AFTER:
            self._lanes[id(lane)].saw_moves()

    def check(self, lanes: Sequence[Lane]) -> None:
        """Fail the lanes that break the rule after their first steps or at their end, and all of them when a frozen
        tensor moved.
        """
        for lane in lanes:
            watch = self._lanes[id(lane)]
            if lane.running and lane.step == min(CHECK_AFTER, lane.num_steps):
                _fail_unless(watch.check, [lane])
            if lane.running and lane.step == lane.num_steps:
                _fail_unless(watch.check_at_end, [lane])
        running = [lane for lane in lanes if lane.running]
        if any(lane.step in (CHECK_AFTER, lane.num_steps) for lane in running):
            _fail_unless(self._still.check, running)


def _rates_of(lane: Lane) -> dict[str, float]:
    """The learning rate of each of its tensors, before the schedule."""
    own = {id(member): rate for members, rate in lane.attachment.learning_rates() for member in members}
    return {name: own.get(id(tensor), lane.method.learning_rate) for name, tensor in lane.training_tensors().items()}


def _fail_unless(check: Callable[[int], None], lanes: Sequence[Lane]) -> None:
    try:
        check(lanes[0].step)
    except NotTrained as error:
        for lane in lanes:
            lane.fail("failed", str(error))
