"""bench run --vary: cells in which a single random stream has another seed, and nothing else moves."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch

from bench.cell import Cell
from bench.errors import UsageError
from bench.seeds import VARIED
from bench.train.training import Training


def seeds_of(cells: tuple[Cell, ...]) -> list[tuple[int, dict[str, int]]]:
    return [(cell.seed, cell.streams) for cell in cells]


def test_a_varied_stream_takes_the_further_seeds_while_all_else_stays_at_the_first(workshop: Any) -> None:
    cells = workshop.cells("ptv2", seeds=(11, 44, 55), vary=("order", "init"))
    assert seeds_of(cells) == [
        (11, {}), (44, {}), (55, {}),
        (11, {"order": 44}), (11, {"order": 55}), (11, {"init": 44}), (11, {"init": 55}),
    ]  # fmt: skip
    assert len({cell.id for cell in cells}) == 7
    assert {cell.label for cell in cells} == {"ptv2 (learning_rate=0.01, length=6)"}
    assert [cell.seed_label for cell in cells[2:4]] == ["seed 55", "seed 11, order 44"]


def test_chosen_settings_are_what_is_varied(workshop: Any) -> None:
    cells = workshop.cells("ptv2", seeds=(0, 1), vary=("init",), trials=2)
    assert seeds_of(cells) == [(0, {}), (1, {}), (0, {"init": 1})]
    assert len({cell.tried for cell in cells}) == 1


@pytest.mark.parametrize(
    ("grid", "message"),
    [
        ({"vary": ("init",), "seeds": (0,)}, "--vary init: one seed has nothing to vary over; give --seeds 2 or more"),
        ({"vary": ("split",), "seeds": (0, 1), "protocol": "paper"}, "--vary split: under --protocol paper nothing is"),
        ({"vary": ("inti",), "seeds": (0, 1)}, "unknown random stream 'inti'; did you mean 'init'? known: dropout,"),
    ],
)
def test_what_cannot_be_varied_is_refused(workshop: Any, grid: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError) as refused:
        workshop.cells("ptv2", **grid)
    assert message in str(refused.value)


@pytest.fixture
def drawn(workshop: Any) -> Callable[[Cell], dict[str, Any]]:
    """What a cell's lane has drawn, by stream."""

    def of(cell: Cell) -> dict[str, Any]:
        lane = workshop.lane(cell, workshop.backbone())
        numbers, seed = lane.next_batch()
        return {
            "init": torch.cat([value.detach().flatten() for value in lane.training_tensors().values()]).tolist(),
            "order": numbers,
            "dropout": seed,
            "split": sorted(example.id for example in lane.data.selection_examples),
        }

    return of


@pytest.mark.parametrize("stream", VARIED)
def test_a_stream_varied_alone_moves_its_own_draws_and_no_others(
    workshop: Any, drawn: Callable[[Cell], dict[str, Any]], stream: str
) -> None:
    base, _, varied = workshop.cells("ptv2", seeds=(0, 1), vary=(stream,))
    before, after = drawn(base), drawn(varied)
    assert {name for name in before if before[name] != after[name]} == {stream}


def test_the_seed_moves_everything_but_the_split(workshop: Any, drawn: Callable[[Cell], dict[str, Any]]) -> None:
    first, second = map(drawn, workshop.cells("ptv2", seeds=(0, 1)))
    assert {name for name in first if first[name] != second[name]} == {"init", "order", "dropout"}


def test_a_stream_at_the_cells_own_seed_is_the_same_draw(
    workshop: Any, drawn: Callable[[Cell], dict[str, Any]]
) -> None:
    _, second = workshop.cells("ptv2", seeds=(0, 1))
    streams = dict.fromkeys(("init", "order", "dropout"), 1)
    assert drawn(second) == drawn(second.changed(seed=0, streams=streams))


@pytest.mark.parametrize("shared", [True, False])
def test_an_adapters_own_dropout_is_of_the_dropout_stream(workshop: Any, shared: bool) -> None:
    pytest.importorskip("peft")
    settings = {"lora": {"adapter_dropout": 0.5}}
    base, _, init, dropout = workshop.cells("lora", settings=settings, seeds=(0, 1), vary=("init", "dropout"))
    losses = []
    for cell in (base, base.changed(streams={"order": 0}), dropout):
        backbone = workshop.backbone(frozen=shared)
        lane = workshop.lane(cell, backbone)
        training = Training(backbone, [lane], 10_000)
        training.step([lane])
        training.read()
        losses.append(lane.last_loss)
    assert losses[0] == losses[1] != losses[2]
    seeds = [workshop.lane(cell, workshop.backbone(frozen=shared)).next_batch()[1] for cell in (base, init, dropout)]
    assert seeds[0] == seeds[1] != seeds[2]


def test_varied_cells_run_and_stay_out_of_the_table(bench: Any) -> None:
    flags = ["--seeds", "3", "--steps", "3"]
    assert bench.run(*flags)[0] == 0
    before = bench("report", "out", "--format", "md")[1]
    code, out, _ = bench.run(*flags, "--vary", "init,split")
    assert (code, "3 cells: 1 methods × 1 tasks × 1 models × 3 seeds; 4 more vary init, split alone" in out) == (
        0,
        True,
    )
    after = bench("report", "out", "--format", "md")[1]
    table, _, apart = after.partition("## Seeds taken apart")
    assert table.strip() == before.partition("## Costs")[0].strip()
    (row,) = [line for line in apart.splitlines() if line.startswith("| tiny-bert")]
    assert row.startswith("| tiny-bert | ptv2 | rte accuracy |")
    assert row.endswith("| 3 |")
