"""What a lane trains is what its method has announced, and an attachment is told what its docstrings say."""

from __future__ import annotations

import pytest
import torch

from bench.data.slots import Slots
from bench.errors import UsageError
from bench.model.attachment import Attachment, LayerPrefixes, SlotPrompts
from bench.registry import find_method
from bench.train.loop import fit


def attaching(monkeypatch: pytest.MonkeyPatch, name: str, attachment_of) -> None:
    """Let a method attach something else than it does."""
    monkeypatch.setattr(find_method(name), "attach", lambda method, backbone, task: attachment_of(backbone))


def slots(count: int):
    return lambda backbone: SlotPrompts(torch.randn(count, backbone.geometry.embedding))


def prefixes(backbone) -> LayerPrefixes:
    geometry = backbone.geometry
    return LayerPrefixes(
        torch.randn(3, 2 * geometry.kv_heads * geometry.head_size), (0,), geometry.kv_heads, geometry.head_size
    )


@pytest.mark.parametrize(
    ("announced", "attached", "said"),
    [
        (0, 2, "attaches 2 slot vectors, but the encoder lays 0 slots for it; its slots() must return Slots(2)"),
        (5, 2, "attaches 2 slot vectors, but the encoder lays 5 slots for it; its slots() must return Slots(2)"),
        (5, 0, "attaches 0 slot vectors, but the encoder lays 5 slots for it; its slots() must return Slots(0)"),
    ],
)
def test_slot_vectors_without_their_slots_are_refused(workshop, monkeypatch, announced, attached, said) -> None:
    monkeypatch.setattr(find_method("prompt_tuning"), "slots", lambda _: Slots(announced))
    attaching(monkeypatch, "prompt_tuning", slots(attached) if attached else lambda _: Attachment())
    (cell,) = workshop.cells("prompt_tuning")
    with pytest.raises(UsageError) as refused:
        workshop.lane(cell, workshop.backbone())
    assert str(refused.value) == f"method 'prompt_tuning' {said}"


def test_slots_that_are_announced_are_taken(workshop, monkeypatch) -> None:
    monkeypatch.setattr(find_method("prompt_tuning"), "slots", lambda _: Slots(2))
    attaching(monkeypatch, "prompt_tuning", slots(2))
    (cell,) = workshop.cells("prompt_tuning")
    assert workshop.lane(cell, workshop.backbone()).attachment.prompts().slots.shape == (2, 32)


def test_prefixes_that_are_not_among_the_methods_needs_are_refused(workshop, monkeypatch) -> None:
    attaching(monkeypatch, "linear_probe", prefixes)
    (cell,) = workshop.cells("linear_probe")
    with pytest.raises(UsageError) as refused:
        workshop.lane(cell, workshop.backbone())
    assert str(refused.value) == (
        "method 'linear_probe' attaches prefixes, but its `needs` does not say so, by which a model is chosen that "
        "takes them; add 'prefixes' to it"
    )


class Told(SlotPrompts):
    """Notes what it is told; `moved` is whether its vectors had a gradient and had moved by then."""

    def __init__(self, vectors: torch.Tensor) -> None:
        super().__init__(vectors)
        self.steps: list[tuple[str, int]] = []
        self.drawn = self.vectors.detach().clone()

    def begin(self, num_steps: int) -> None:
        self.steps.append(("begin", num_steps))

    def penalty(self) -> torch.Tensor:
        return 0.1 * self.vectors.square().sum()

    def after_step(self, step: int) -> None:
        assert self.vectors.grad is not None
        assert not torch.equal(self.vectors, self.drawn)
        self.steps.append(("after", step))


def test_an_attachment_is_told_once_of_all_steps_and_then_of_each(workshop, monkeypatch) -> None:
    attaching(monkeypatch, "prompt_tuning", lambda backbone: Told(torch.randn(5, backbone.geometry.embedding)))
    (cell,) = workshop.cells("prompt_tuning", budget={"steps": 4})
    backbone = workshop.backbone()
    lane = workshop.lane(cell, backbone)
    fit(backbone, [lane], 200)
    assert (lane.status, lane.reason) == ("done", None)
    assert lane.attachment.steps == [("begin", 4), *(("after", step) for step in (1, 2, 3, 4))]


def test_a_penalty_is_in_the_loss_and_has_its_gradient(workshop, monkeypatch) -> None:
    """Against a step without: the loss is larger by the penalty, the gradient by the penalty's own."""
    attaching(monkeypatch, "prompt_tuning", lambda backbone: Told(torch.randn(5, backbone.geometry.embedding)))
    (cell,) = workshop.cells("prompt_tuning", settings={"prompt_tuning": {"clip": 1e9}}, budget={"steps": 1})
    losses, gradients = [], []
    for penalty in (lambda told: None, Told.penalty):
        monkeypatch.setattr(Told, "penalty", penalty)
        backbone = workshop.backbone()
        lane = workshop.lane(cell, backbone)
        fit(backbone, [lane], 200)
        losses.append(lane.last_loss)
        gradients.append(lane.attachment.vectors.grad)
    drawn = workshop.lane(cell, workshop.backbone()).attachment.drawn
    assert losses[1] == pytest.approx(losses[0] + 0.1 * float(drawn.square().sum()), rel=1e-5)
    torch.testing.assert_close(gradients[1], gradients[0] + 0.2 * drawn, atol=1e-6, rtol=1e-5)
