"""A micro-batch's passes captured as a CUDA graph: one launch instead of hundreds, with new rows each time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor

from bench.data.batches import MicroBatch, gather
from bench.data.cutting import Shape
from bench.data.table import ItemTable

Body = Callable[[MicroBatch], tuple[Tensor, ...]]


class Captured:
    """What runs for one shape: the body itself the first time, from then on its graph, if it can be captured."""

    def __init__(self) -> None:
        self.graph: Any = None
        self.table: ItemTable | None = None
        self.index: Tensor | None = None
        self.batch: MicroBatch | None = None
        self.outputs: tuple[Tensor, ...] = ()
        self.uses = 0


class Replays:
    """The graphs of one loop; they share one pool of memory, since no two run at a time."""

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self.captures = device.type == "cuda"
        self._stream: Any = torch.cuda.Stream(device) if self.captures else None  # type: ignore[no-untyped-call]
        self._pool: Any = None

    @contextmanager
    def stream(self) -> Iterator[None]:
        if self._stream is None or torch.cuda.current_stream(self.device) == self._stream:
            yield
            return
        self._stream.wait_stream(torch.cuda.current_stream(self.device))
        with torch.cuda.stream(self._stream):
            yield
        torch.cuda.current_stream(self.device).wait_stream(self._stream)

    def sent(self, index: Tensor) -> Tensor:
        """On the device, without waiting for it."""
        return index.pin_memory().to(self.device, non_blocking=True)

    def forget(self) -> None:
        """Give back the memory of graphs that are gone."""
        self._pool = None
        torch.cuda.empty_cache()

    def run(
        self, known: dict[tuple[int, Shape], Captured], shape: Shape, table: ItemTable, index: Tensor, body: Body
    ) -> tuple[Tensor, ...]:
        """The body's outputs for the rows of an index."""
        if not self.captures:
            return body(gather(table, index, shape))
        captured = known.setdefault((id(table), shape), Captured())
        captured.uses += 1
        if captured.uses <= 1:
            return body(self._gathered(table, index, shape))
        if captured.graph is None:
            self._capture(captured, shape, table, index, body)
        if captured.graph is None:
            return body(self._gathered(table, index, shape))
        if captured.index is not None:
            captured.index.copy_(index)
        else:
            assert captured.batch is not None
            captured.batch.copy_(gather(table, index, shape).moved(lambda tensor: tensor.pin_memory()))
        captured.graph.replay()
        return tuple(output.clone() for output in captured.outputs)

    def _gathered(self, table: ItemTable, index: Tensor, shape: Shape) -> MicroBatch:
        batch = gather(table, index, shape)
        return batch if batch.ids.device == self.device else batch.to(self.device)

    def _capture(self, captured: Captured, shape: Shape, table: ItemTable, index: Tensor, body: Body) -> None:
        captured.table = table  # its tensors are read by the graph
        on_device = table.ids.device == self.device
        captured.index = index.clone() if on_device else None
        captured.batch = None if on_device else self._gathered(table, index, shape)
        graph = torch.cuda.CUDAGraph()
        self._pool = self._pool or torch.cuda.graph_pool_handle()
        try:
            with torch.cuda.graph(graph, pool=self._pool, stream=self._stream):
                batch = gather(table, captured.index, shape) if captured.index is not None else captured.batch
                assert batch is not None
                captured.outputs = body(batch)
        except torch.OutOfMemoryError:
            raise
        except RuntimeError:  # a model that waits for the device in its forward pass cannot be captured
            torch.cuda.synchronize(self.device)
            captured.uses = -(1 << 60)
            return
        captured.graph = graph
