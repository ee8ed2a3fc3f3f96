"""A frozen backbone spread over two devices is the one of one device, to the bit, in every family and method.

The second device is pretended (tests/model/pretended.py): no function may be given tensors of both.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.overrides import _pop_mode_temporarily

from bench.errors import UsageError
from bench.model.backbone import Backbone
from bench.model.loading import load_backbone
from bench.model.probe import Probe
from bench.model.prompts import Prompts
from bench.model.source import find_model
from bench.model.spread import layer_devices, numbered_devices
from bench.model.stacked import Stacked
from bench.runner import Runner
from bench.store.record import Record
from bench.store.store import Store
from bench.train.options import Options
from tests.conftest import Quiet, Workshop, pieces
from tests.model.families import FAMILIES
from tests.model.pretended import AWAY, HOME, Mixed, Pretended


def loaded(folder: Path, *others: torch.device) -> Backbone:
    return load_backbone(find_model(str(folder)), HOME, "fp32", True, others=others)


def pretended(backbone: Backbone) -> Pretended:
    """Two devices on which the backbone's weights lie where they would."""
    two = Pretended()
    two.lay(backbone.model, layer_devices(backbone.model, backbone.family, (HOME, AWAY)))
    with two:
        backbone.layer_devices = numbered_devices(backbone.encoder, backbone.model, backbone.family)
    return two


def states_and_gradients(backbone: Backbone) -> list[Tensor]:
    """Of two rows with prefixes in all layers that take them."""
    probe, geometry, prompts = Probe(backbone, backbone.positions), backbone.geometry, Prompts()
    draw = torch.Generator().manual_seed(0)
    shape = (len(geometry.prefixed), 2, geometry.kv_heads, 3, geometry.head_size)
    prefixes = torch.randn(shape, generator=draw).requires_grad_()
    if geometry.prefixed:
        prompts = Prompts(prefixes=prefixes, layers=geometry.prefixed)
    batch = probe._batch(probe.fed or [probe.short, probe.long], False)
    states = backbone.hidden(batch, Stacked([prompts]))
    states.square().sum().backward()
    return [states.detach(), torch.zeros(()) if prefixes.grad is None else prefixes.grad]


SOME = ("bert", "mpnet", "xlnet", "deberta-v2", "longformer", "gpt2", "llama", "falcon-alibi", "t5", "bart")
EVERY = [name if name in SOME else pytest.param(name, marks=pytest.mark.slow) for name in FAMILIES if name != "albert"]


@pytest.mark.parametrize("family", EVERY)
def test_states_and_gradients_are_those_of_one_device(folders: Callable[[str], Path], family: str) -> None:
    backbone = loaded(folders(family), AWAY)
    with pretended(backbone) as two:
        found = states_and_gradients(backbone)
        assert two.of(found[0]) == two.of(found[1]) == HOME
    assert two.moves > 0
    for ours, expected in zip(found, states_and_gradients(loaded(folders(family))), strict=True):
        assert torch.equal(ours, expected)


def test_what_is_given_to_every_layer_is_sent_once(folders: Callable[[str], Path], tmp_path: Path) -> None:
    from tests.conftest import write_tiny_bert

    moves = []
    for layers in (4, 8):
        backbone = loaded(write_tiny_bert(tmp_path / str(layers), layers=layers), AWAY)
        with pretended(backbone) as two, torch.no_grad():
            probe = Probe(backbone, backbone.positions)
            backbone.hidden(probe._batch([probe.short], False), Stacked([Prompts()]))
        moves.append(two.moves)
    assert moves == [3, 3]  # states and mask there, states back


def test_layers_left_where_they_are_not_would_be_seen(folders: Callable[[str], Path]) -> None:
    backbone = loaded(folders("bert"))  # nothing carries states
    with pretended(backbone), pytest.raises(Mixed):
        states_and_gradients(backbone)


def test_layers_lie_in_order_and_their_bytes_are_balanced(tmp_path: Path) -> None:
    from tests.conftest import write_tiny_bert

    backbone = loaded(write_tiny_bert(tmp_path / "deep", layers=12))
    three = tuple(torch.device("cuda", number) for number in range(3))
    places = layer_devices(backbone.model, backbone.family, three)
    assert places.pop("") == three[0]
    numbers = [device.index for device in places.values()]
    assert numbers == sorted(numbers)
    parts = dict.fromkeys(range(3), 0)
    for name, weight in backbone.model.named_parameters():
        place = next((device.index for part, device in places.items() if name.startswith(f"{part}.")), 0)
        parts[place] += weight.nbytes
    layer = sum(weight.nbytes for name, weight in backbone.model.named_parameters() if ".layer.0." in name)
    assert max(parts.values()) - min(parts.values()) <= layer


def test_a_model_of_fewer_layers_than_devices_is_refused(folders: Callable[[str], Path]) -> None:
    with pytest.raises(UsageError, match="it has 1 layer, which"):
        loaded(folders("albert"), AWAY)


METHODS = ("ptv2", "prompt_tuning", "ptuning_v1", "linear_probe", "lora", "ia3", "bitfit")


@pytest.fixture
def over_two(monkeypatch: pytest.MonkeyPatch) -> Pretended:
    """Within it a runner's backbones lie on two devices, where its options have two."""
    two = Pretended()

    def load(*arguments: Any) -> Backbone:
        if not arguments[-1]:
            return load_backbone(*arguments)
        with _pop_mode_temporarily():  # a loader has modes of its own
            backbone = load_backbone(*arguments)
            two.lay(backbone.model, layer_devices(backbone.model, backbone.family, (HOME, AWAY)))
        backbone.layer_devices = numbered_devices(backbone.encoder, backbone.model, backbone.family)
        return backbone

    monkeypatch.setattr("bench.train.backbones.load_backbone", load)
    return two


@pytest.mark.parametrize(
    ("names", "dropout", "checkpointing"), [(METHODS, False, False), (("ptv2", "lora"), True, True)]
)
def test_records_are_those_of_one_device(
    workshop, over_two: Pretended, tmp_path: Path, names: tuple[str, ...], dropout: bool, checkpointing: bool
) -> None:
    settings = {"lora": {"dropout": 0.1 if dropout else 0.0}}
    cells = workshop.cells(*names, settings=settings, budget={"backbone_dropout": dropout})

    def measured(name: str, others: tuple[torch.device, ...]) -> dict[str, Record]:
        options = Options(HOME, checkpointing=checkpointing, others=others)
        records = Runner(Store.create(tmp_path / name), options, Quiet()).run(pieces(cells))
        assert {record.reason for record in records} == {None}
        return {record.cell.method: record for record in records}

    alone = measured("one", ())
    with over_two:
        spread = measured("two", (AWAY,))
    assert over_two.moves > 0
    for name in names:
        assert (spread[name].scores, spread[name].curve) == (alone[name].scores, alone[name].curve)
        assert spread[name].provenance["devices"] == 2
        files = [Store.open(tmp_path / place).cell_folder(spread[name].id) for place in ("two", "one")]
        assert len({(folder / "tuned.safetensors").read_bytes() for folder in files}) == 1


@pytest.mark.gpu
@pytest.mark.skipif(torch.cuda.device_count() < 2, reason="wants two GPUs")
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
@pytest.mark.parametrize("family", ["llama", "bert"])
def test_two_gpus_come_to_the_numbers_of_one(
    folders, fixed_superglue: Path, tmp_path: Path, family: str, precision: Any
) -> None:
    """To the bit: kernels are the same, and moving rounds nothing. One GPU captures its passes, two do not."""
    shop = Workshop(folders(family), fixed_superglue)
    cells = [cell.changed(precision=precision) for cell in shop.cells(*METHODS[:5], seeds=(0, 1))]

    def measured(name: str, *others: torch.device) -> dict[str, Record]:
        options = Options(torch.device("cuda", 0), compile="off", others=others)
        records = Runner(Store.create(tmp_path / name), options, Quiet()).run(pieces(cells))
        assert {record.reason for record in records} == {None}
        return {record.id: record for record in records}

    one, two = measured("one"), measured("two", torch.device("cuda", 1))
    for cell_id, record in two.items():
        assert (record.scores, record.curve) == (one[cell_id].scores, one[cell_id].curve)
        files = [Store.open(tmp_path / place).cell_folder(cell_id) for place in ("one", "two")]
        assert len({(folder / "tuned.safetensors").read_bytes() for folder in files}) == 1


@pytest.mark.gpu
@pytest.mark.skipif(torch.cuda.device_count() < 2, reason="wants two GPUs")
def test_the_second_gpu_of_a_machine_works_as_the_first(workshop, tmp_path: Path) -> None:
    cells, found = workshop.cells("ptv2", "lora", budget={"backbone_dropout": True}), []
    for number in (0, 1):
        options = Options(torch.device("cuda", number), compile="off")
        records = Runner(Store.create(tmp_path / str(number)), options, Quiet()).run(pieces(cells))
        found.append([(record.id, record.scores, record.curve) for record in records])
    assert found[0] == found[1]
