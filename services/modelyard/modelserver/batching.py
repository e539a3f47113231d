"""Puts the rows of waiting requests into one call of a signature.

A lane holds the requests that can share a call: same version, same signature, same shape of a row. One thread
calls TensorFlow; while it works, requests gather. The bytes of a batch are joined once and read as one array; a
batch's answers go back to the event loop in one step. A batch that fails is run again request by request, so that
a bad row fails only its own request.
"""

import asyncio
import logging
import math
import threading
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from modelyard.modelserver.engine import DirectEngine
from modelyard.modelserver.errors import QueueFull
from modelyard.modelserver.servable import Array, Arrays, Servable, Signature
from modelyard.modelserver.tensors import NUMPY

log = logging.getLogger(__name__)

Part = bytes | Array
"""One input's rows: the little-endian bytes of a numeric tensor, or an array of strings."""


@dataclass(frozen=True, slots=True)
class Limits:
    max_batch_rows: int = 64
    timeout_s: float | None = None
    """Longest wait for company while TensorFlow is free. None: see Pace."""
    max_enqueued_batches: int = 64
    allowed_sizes: tuple[int, ...] = ()


@dataclass(eq=False, slots=True)
class Outcome:
    """What a batch gave; every request of it owns some rows."""

    arrays: Arrays
    buffers: dict[str, memoryview] = field(default_factory=dict)
    """The same outputs as bytes, where an output is a plain buffer."""

    def rows(self, start: int, count: int) -> Arrays:
        return {name: array[start : start + count] for name, array in self.arrays.items()}


@dataclass(eq=False, slots=True)
class Waiting:
    parts: tuple[Part, ...]
    rows: int
    future: asyncio.Future[tuple[Outcome, int]]
    """Resolves to the outcome and this request's first row in it."""


@dataclass(slots=True)
class Pace:
    """How many rows are worth a wait, and how long: learned from the calls before.

    Callers who wait for their answers send their next request as soon as they have one. So after a call of many rows as
    many are on their way, and a wait of a fraction of that call's time gathers them into one call again, which costs
    far less than two. A caller alone is never kept waiting.
    """

    expected_rows: float = 1.0
    call_s: float = 0.0

    @property
    def patience_s(self) -> float:
        return self.call_s / 2 if self.expected_rows >= 2 else 0.0

    def called(self, rows: int, seconds: float) -> None:
        self.expected_rows = max(float(rows), (self.expected_rows + rows) / 2)
        self.call_s = seconds


class Lane:
    def __init__(
        self, batcher: "Batcher", servable: Servable, signature: Signature, row_shapes: Sequence[tuple[int, ...]]
    ) -> None:
        self._batcher = batcher
        self.servable = servable
        self.signature = signature
        self._dtypes = [NUMPY[spec.dtype] for spec in signature.inputs.values()]
        self._row_shapes = list(row_shapes)
        self.row_bytes = [
            math.prod(shape) * dtype.itemsize for shape, dtype in zip(row_shapes, self._dtypes, strict=True)
        ]
        self.waiting: deque[Waiting] = deque()
        self.waiting_rows = 0
        self.pace = Pace()

    def submit(self, parts: tuple[Part, ...], rows: int) -> asyncio.Future[tuple[Outcome, int]]:
        """`parts` in the order of the signature's inputs. Raises QueueFull."""
        return self._batcher.submit(self, parts, rows)

    def call(self, requests: Sequence[Waiting], pad_to: int) -> Outcome:
        """Blocking. Raises ModelyardError."""
        rows = sum(request.rows for request in requests)
        inputs: Arrays = {}
        for position, key in enumerate(self.signature.inputs):
            inputs[key] = self._join(position, [request.parts[position] for request in requests], pad_to - rows)
        arrays = self.signature.call(inputs)
        return Outcome(
            arrays,
            {
                name: np.ascontiguousarray(array).data.cast("B")
                for name, array in arrays.items()
                if array.size and array.dtype.kind == "f" and array.dtype.itemsize >= 4
            },
        )

    def _join(self, position: int, parts: list[Part], padding: int) -> Array:
        """Padding repeats the first row: unlike zeros it is known to be a row that the model takes."""
        dtype, row_shape = self._dtypes[position], self._row_shapes[position]
        if dtype.hasobject:
            arrays = [part for part in parts if isinstance(part, np.ndarray)]
            if padding:
                arrays.append(np.repeat(arrays[0][:1], padding, axis=0))
            return np.concatenate(arrays)
        pieces = [part for part in parts if isinstance(part, bytes)]
        if padding:
            pieces.append(pieces[0][: self.row_bytes[position]] * padding)
        content = pieces[0] if len(pieces) == 1 else b"".join(pieces)
        if dtype == np.bool_:
            return (np.frombuffer(content, np.uint8) != 0).reshape((-1, *row_shape))
        return np.frombuffer(content, dtype).reshape((-1, *row_shape))


class Batcher:
    """Owns the thread that calls TensorFlow. Used from one event loop."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._loop = asyncio.get_running_loop()
        self._ready = threading.Condition()
        self._lanes: deque[Lane] = deque()
        """Lanes with waiting requests, the longest waiting first."""
        self._wake_rows = 1
        """Rows in a lane for which the thread wants to be woken."""
        self._closed = False
        self.calls = 0
        self.rows = 0
        self._thread = threading.Thread(target=self._work, name="tensorflow", daemon=True)
        self._thread.start()

    def submit(self, lane: Lane, parts: tuple[Part, ...], rows: int) -> asyncio.Future[tuple[Outcome, int]]:
        limits = self._limits
        if lane.waiting_rows >= limits.max_enqueued_batches * limits.max_batch_rows:
            raise QueueFull("The batch scheduling queue to which this task was submitted is full")
        request = Waiting(parts, rows, self._loop.create_future())
        with self._ready:
            if not lane.waiting:
                self._lanes.append(lane)
            lane.waiting.append(request)
            lane.waiting_rows += rows
            if lane.waiting_rows >= self._wake_rows or len(self._lanes) > 1:
                self._ready.notify()
        return request.future

    def close(self) -> None:
        """Ends the thread after the call it is in; requests that wait are abandoned."""
        with self._ready:
            self._closed = True
            self._ready.notify()
        self._thread.join()

    def _work(self) -> None:
        while (taken := self._take()) is not None:
            lane, requests = taken
            if requests:
                results = self._run(lane, requests)
                self._loop.call_soon_threadsafe(_deliver, requests, results)

    def _take(self) -> tuple[Lane, list[Waiting]] | None:
        """The next batch, None when closed."""
        limits = self._limits
        with self._ready:
            self._wake_rows = 1
            self._ready.wait_for(lambda: self._lanes or self._closed)
            if self._closed:
                return None
            lane = self._lanes[0]
            self._wait_for_company(lane)
            self._lanes.popleft()
            requests: list[Waiting] = []
            rows = 0
            while lane.waiting and (not requests or rows + lane.waiting[0].rows <= limits.max_batch_rows):
                request = lane.waiting.popleft()
                lane.waiting_rows -= request.rows
                if not request.future.cancelled():
                    requests.append(request)
                    rows += request.rows
            if lane.waiting:
                self._lanes.append(lane)
            return lane, requests

    def _wait_for_company(self, lane: Lane) -> None:
        """Not while another lane waits too."""
        rows, patience_s = self._limits.max_batch_rows, self._limits.timeout_s
        if patience_s is None:
            rows, patience_s = min(rows, int(lane.pace.expected_rows)), lane.pace.patience_s
        if patience_s:
            self._wake_rows = rows
            self._ready.wait_for(
                lambda: lane.waiting_rows >= rows or len(self._lanes) > 1 or self._closed, timeout=patience_s
            )

    def _run(self, lane: Lane, requests: list[Waiting]) -> "list[tuple[Outcome, int] | Exception]":
        rows = sum(request.rows for request in requests)
        self.calls += 1
        self.rows += rows
        try:
            began = time.monotonic()
            outcome = lane.call(requests, self._padded(lane, rows))
            lane.pace.called(rows, time.monotonic() - began)
        except Exception as error:  # noqa: BLE001 - each request is told
            if len(requests) == 1:
                return [error]
            return [result for request in requests for result in self._run(lane, [request])]
        starts: list[tuple[Outcome, int] | Exception] = []
        start = 0
        for request in requests:
            starts.append((outcome, start))
            start += request.rows
        return starts

    def _padded(self, lane: Lane, rows: int) -> int:
        if rows > self._limits.max_batch_rows:
            return rows
        if self._limits.allowed_sizes:
            return next(size for size in self._limits.allowed_sizes if size >= rows)
        if lane.servable.pads:
            return min(1 << (rows - 1).bit_length(), self._limits.max_batch_rows)
        return rows


def _deliver(requests: list[Waiting], results: "list[tuple[Outcome, int] | Exception]") -> None:
    for request, result in zip(requests, results, strict=True):
        if request.future.done():
            continue
        if isinstance(result, Exception):
            request.future.set_exception(result)
        else:
            request.future.set_result(result)


class BatchingEngine:
    """Batches what can be batched; everything else is a call of its own."""

    def __init__(self, limits: Limits, parallelism: int = 0) -> None:
        self._batcher = Batcher(limits)
        self._direct = DirectEngine(parallelism)
        self._lanes: dict[tuple[int, str, tuple[tuple[int, ...], ...]], Lane] = {}

    def lane(self, servable: Servable, signature: Signature, row_shapes: tuple[tuple[int, ...], ...]) -> Lane:
        key = (id(servable), signature.name, row_shapes)
        lane = self._lanes.get(key)
        if lane is None:
            lane = self._lanes[key] = Lane(self._batcher, servable, signature, row_shapes)
        return lane

    async def run(self, servable: Servable, signature: Signature, inputs: Arrays) -> Arrays:
        arrays = [inputs[key] for key in signature.inputs]
        rows = arrays[0].shape[0] if signature.batchable else 0
        if not rows or any(array.shape[0] != rows for array in arrays):
            return await self._direct.run(servable, signature, inputs)
        lane = self.lane(servable, signature, tuple(array.shape[1:] for array in arrays))
        parts = tuple(array if array.dtype.hasobject else array.tobytes() for array in arrays)
        outcome, start = await lane.submit(parts, rows)
        return outcome.rows(start, rows)

    def forget(self, servable: Servable) -> None:
        for key in [key for key, lane in self._lanes.items() if lane.servable is servable]:
            del self._lanes[key]

    def close(self) -> None:
        self._batcher.close()
        self._direct.close()

    @property
    def calls(self) -> int:
        """Calls of signatures."""
        return self._batcher.calls + self._direct.calls

    @property
    def rows(self) -> int:
        """Rows that were in them."""
        return self._batcher.rows + self._direct.rows
