"""Steps of many lanes over one backbone: what they have in common, and when the device is waited for.

Lanes that are alike are one stack (bench.train.stack). A GPU works through steps on its own; their losses are read
every so often, and a lane is then known to have diverged at the step at which it did.
"""

from __future__ import annotations

import math
import time
from collections.abc import Hashable, Sequence

import torch
from torch import Tensor

from bench.model.backbone import Backbone
from bench.model.compiled import compile_seconds
from bench.model.passes import Passes
from bench.score.evaluate import Predictor
from bench.train.lane import Lane
from bench.train.optim import Optimization
from bench.train.search import search_step
from bench.train.stack import Stack, Taken, stack_kind
from bench.train.watches import CHECK_AFTER, Watches

READ_EVERY = 32  # steps, on a device that is waited for


class Training:
    """Lanes on their way. `optimization` is given where all of them share one attachment (bench.train.joint)."""

    def __init__(
        self, backbone: Backbone, lanes: Sequence[Lane], token_budget: int, optimization: Optimization | None = None
    ) -> None:
        self.backbone, self.lanes = backbone, list(lanes)
        self.passes = Passes(backbone, token_budget)
        self.predictor = Predictor(self.passes)
        self._optimization = optimization
        self._stacks: list[Stack] | None = None
        self.watches = Watches(backbone, lanes)
        self._unread: list[tuple[Taken, Tensor]] = []
        self._since = time.perf_counter() - compile_seconds()

    def step(self, active: Sequence[Lane]) -> int:
        """One step of each of these lanes; returns their tokens. What it came to is known after `read`."""
        if not self._unread:
            self._since = time.perf_counter() - compile_seconds()
        tokens, chosen = 0, set(map(id, active))
        with self.passes.running():
            for stack in self.stacks:
                of_stack = [lane for lane in stack.lanes if id(lane) in chosen]
                if of_stack:
                    tokens += self._step(stack, of_stack)
        return tokens

    @property
    def stacks(self) -> list[Stack]:
        """Made at the first step: by then label words that are searched for are known."""
        if self._stacks is None:
            self._stacks = [Stack(self.passes, lanes, self._optimization) for lanes in self._divided()]
        return self._stacks

    def _divided(self) -> list[list[Lane]]:
        if self._optimization is not None:
            return [[lane] for lane in self.lanes]
        kinds: dict[Hashable, list[Lane]] = {}
        for lane in self.lanes:
            if lane.running and lane.num_steps:
                kinds.setdefault(stack_kind(lane, self.backbone), []).append(lane)
        return list(kinds.values())

    def _step(self, stack: Stack, lanes: Sequence[Lane]) -> int:
        taken = stack.step(lanes)
        tokens = sum(taken.tokens)
        if stack.turns and min(lane.step for lane in lanes) >= CHECK_AFTER:
            self._unread.append((taken, stack.turn(lanes)))
            for lane in lanes:
                lane.step += 1
            return tokens
        self._unread.append((taken, stack.settle()))
        if lanes[0].searches:
            self.read()
            return tokens + search_step(lanes[0], stack.slot_gradient, self.passes)
        for lane in lanes:
            self.watches.saw_gradients(lane)
        stack.apply(lanes)
        for lane in lanes:
            lane.step += 1
            self.watches.saw_moves(lane)
            lane.attachment.after_step(stack.optimization.step if stack.optimization else lane.step)
        return tokens

    def due(self, active: Sequence[Lane]) -> bool:
        """Whether the steps that were taken are to be read now."""
        if self.backbone.device.type == "cpu" or len(self._unread) >= READ_EVERY * len(self.stacks):
            return True
        return any(lane.due or lane.step <= CHECK_AFTER or lane.step >= lane.num_steps for lane in active)

    def read(self) -> None:
        """Wait for the device, and tell the lanes of their steps since the last time."""
        if not self._unread:
            return
        all_losses = torch.cat([losses for _, losses in self._unread]).tolist()
        seconds = time.perf_counter() - compile_seconds() - self._since
        all_tokens = sum(sum(taken.tokens) for taken, _ in self._unread)
        lost: dict[int, int] = {}  # by the id of a lane that diverged, the steps it took from then on
        for taken, losses in self._unread:
            of_stack, all_losses = all_losses[: len(losses)], all_losses[len(losses) :]
            for lane, number, tokens, (through, passes) in zip(
                taken.lanes, taken.numbers, taken.tokens, taken.read, strict=True
            ):
                lane.ledger.train_seconds += seconds * tokens / max(1, all_tokens)
                if id(lane) in lost:
                    lost[id(lane)] += 1
                    continue
                lane.ledger.tokens += through
                lane.ledger.forward_passes += passes
                lane.saw_loss(of_stack[number])
                if not math.isfinite(of_stack[number]):
                    lost[id(lane)] = 1
        for lane in self.lanes:
            if id(lane) in lost:
                lane.step -= 0 if lane.searches else lost[id(lane)]
                lane.fail("diverged", f"the loss was {lane.last_loss} at step {lane.step + 1}")
        self._unread.clear()
        self._since = time.perf_counter() - compile_seconds()
