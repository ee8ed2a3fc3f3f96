"""Work that comes again and again, captured as a CUDA graph: one launch instead of hundreds.

A graph reads and writes the same memory each time. What changes from time to time must be put where it was when the
graph was captured, and what it has made must be taken away before the next one runs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor

from bench.data.batches import MicroBatch, gather
from bench.data.cutting import Shape
from bench.data.table import ItemTable
from bench.errors import is_out_of_memory
from bench.model.compiled import compiling

Outputs = tuple[Tensor, ...]


class Graphs:
    """The graphs of one loop: they share a stream, and a pool of memory, since no two run at a time.

    Without `captures` everything just runs, as it does on a processor.
    """

    def __init__(self, device: torch.device, captures: bool) -> None:
        self.device = device
        self.captures = captures and device.type == "cuda"
        self._stream: Any = torch.cuda.Stream(device) if self.captures else None  # type: ignore[no-untyped-call]
        self._pool: Any = None

    @contextmanager
    def stream(self) -> Iterator[None]:
        """Within the block what runs on the device runs where it can be captured."""
        if self._stream is None or torch.cuda.current_stream(self.device) == self._stream:
            yield
            return
        self._stream.wait_stream(torch.cuda.current_stream(self.device))
        with torch.cuda.stream(self._stream):
            yield
        torch.cuda.current_stream(self.device).wait_stream(self._stream)

    def sent(self, values: Tensor) -> Tensor:
        """On the device, without waiting for it."""
        if self.device.type == "cuda":
            return values.pin_memory().to(self.device, non_blocking=True)
        return values.to(self.device)

    def forget(self) -> None:
        """Give back the memory of graphs that are gone."""
        self._pool = None
        torch.cuda.empty_cache()

    def capture(self, body: Callable[[], Outputs]) -> tuple[Any, Outputs] | None:
        """The graph of a body that has run before, and its outputs; None where it waits for the device within."""
        graph = torch.cuda.CUDAGraph()
        self._pool = self._pool or torch.cuda.graph_pool_handle()
        try:
            with compiling(), torch.cuda.graph(graph, pool=self._pool, stream=self._stream):
                outputs = body()
        except RuntimeError as error:
            if is_out_of_memory(error):
                raise
            torch.cuda.synchronize(self.device)
            return None
        return graph, outputs


class Recorded:
    """A body that is run the first time, captured the second, and replayed from then on; on a processor it just runs.

    The outputs are those of the last call, and the next one overwrites them.
    """

    def __init__(self, graphs: Graphs, body: Callable[[], Outputs]) -> None:
        self._graphs, self._body = graphs, body
        self._known: tuple[Any, Outputs] | None = None
        self._uses = 0

    @property
    def captured(self) -> bool:
        return self._known is not None

    def __call__(self) -> Outputs:
        self._uses += 1
        if self._graphs.captures and self._uses == 2:
            self._known = self._graphs.capture(self._body)
        if self._known is None:
            return self._body()
        self._known[0].replay()
        return self._known[1]


class RecordedPass:
    """What is done with micro-batches of one shape and table."""

    def __init__(self, graphs: Graphs, table: ItemTable, shape: Shape, body: Callable[[MicroBatch], Outputs]) -> None:
        self._graphs, self._table, self._shape = graphs, table, shape
        self._here = table.ids.device.type == graphs.device.type
        self._index: Tensor | None = None
        self._batch: MicroBatch | None = None
        self._run = Recorded(graphs, lambda: body(self._rows()))

    @property
    def captured(self) -> bool:
        return self._run.captured

    def __call__(self, index: Tensor) -> Outputs:
        """The outputs for the rows of an index (bench.data.batches.batch_index), which lies on the host."""
        if self._here:
            sent = self._graphs.sent(index)
            self._index = sent if self._index is None else self._index.copy_(sent)
        else:
            batch = gather(self._table, index, self._shape)
            if self._batch is None:
                self._batch = batch.to(self._graphs.device)
            else:
                self._batch.copy_(batch.moved(lambda tensor: tensor.pin_memory()))
        outputs = self._run()
        return tuple(output.clone() for output in outputs) if self.captured else outputs

    def _rows(self) -> MicroBatch:
        if self._index is not None:
            return gather(self._table, self._index, self._shape)
        assert self._batch is not None
        return self._batch
