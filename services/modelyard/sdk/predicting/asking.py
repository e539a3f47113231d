"""Many questions to one deployment: some at once, answers in the order of the questions."""

import time
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import grpc

from modelyard.api.serving.v1 import predict_pb2, tensor_pb2
from modelyard.sdk import errors
from modelyard.sdk.errors import InvalidArgument, ModelyardError, ResourceExhausted, Unavailable, from_rpc_error
from modelyard.sdk.predicting.answers import Answer, remarks, split
from modelyard.sdk.predicting.cells import Cell, cell
from modelyard.sdk.predicting.choosing import Matched, choose, encoded_names
from modelyard.sdk.predicting.model import Model, Way
from modelyard.sdk.predicting.rows import Row, RowProblem

IN_FLIGHT = 16
"""Requests."""
ROWS = 16
"""In one request, where the model's answers do not depend on what else is in it."""
GROUP_BYTES = 1 << 20
MAX_BYTES = 64 << 20
"""Of all requests in flight, unless one alone is larger."""
PATIENCE_S = 30.0
_AGAIN_S = (0.1, 0.5, 1.0, 2.0)
_OF_THE_ROW = (
    errors.InvalidArgument,
    errors.OutOfRange,
    errors.Internal,
    errors.DataLoss,
    errors.Unimplemented,
    errors.DeadlineExceeded,
    errors.ResourceExhausted,
)
"""What is wrong with one row or its answer, such as that it is too large; the rest goes on. What passes by waiting was
waited for before."""


class Predict(Protocol):
    """The method's stub."""

    def future(self, request: predict_pb2.PredictRequest, *, timeout: float) -> Any: ...


@dataclass(frozen=True, slots=True)
class Prepared:
    """A row as cells of tensors."""

    row: Row
    way: Way
    cells: dict[str, Cell]

    @property
    def size(self) -> int:
        """In bytes."""
        return sum(each.size for each in self.cells.values())

    @property
    def form(self) -> tuple[Any, ...]:
        """What rows of one request have in common: the signature, shapes, and values that hold for all rows."""
        single = {name for name, each in self.way.inputs.items() if each.is_single}
        return self.way.name, *(
            (name, each.shape, each.content if name in single else None) for name, each in self.cells.items()
        )


@dataclass(slots=True)
class _Asked:
    """Rows whose answer is awaited, or the answers where they are known."""

    rows: Sequence[Prepared] = ()
    request: predict_pb2.PredictRequest | None = None
    call: Any = None
    size: int = 0
    known: list[Answer] = field(default_factory=list)

    @property
    def is_done(self) -> bool:
        return self.call is None or self.call.done()


class Asker:
    """Asks a deployment. Not for several threads at once."""

    def __init__(
        self,
        predict: Predict,
        serving_name: str,
        model: Model,
        *,
        signature: str = "",
        version: int = 0,
        timeout: float = 60.0,
        in_flight: int = IN_FLIGHT,
        rows_at_once: int = ROWS,
        server: str = "",
    ) -> None:
        """`signature` "": the one that takes what is given. `rows_at_once`: in a request at most."""
        self._predict = predict
        self._serving_name = serving_name
        self.model = model
        self.signature = signature
        self._version = version
        number = model.name.rpartition("@")[2]
        self._described = version or (int(number) if number.isdecimal() else 0)
        self._timeout = timeout
        self._in_flight = in_flight
        self._rows = rows_at_once if model.joins else 1
        self._server = server
        self._chosen: dict[tuple[Any, ...], tuple[Way, Matched]] = {}

    def prepared(self, row: Row) -> Prepared:
        """The row as tensors; raises InvalidArgument, whose field is the input."""
        files = encoded_names(row.values)
        key = (tuple(row.values), tuple(files))
        if key not in self._chosen:
            self._chosen[key] = choose(self.model, row.values, self.signature, files)
        way, matched = self._chosen[key]
        cells = {matched[name]: cell(way.inputs[matched[name]], value, row.base) for name, value in row.values.items()}
        return Prepared(row, way, cells)

    def answers(self, rows: Iterable[Row | RowProblem]) -> Iterator[Answer]:
        """An answer a row, in their order; one that fails has its error. Raises what is wrong with all of them, and,
        behind the answers to those before, why there are no further rows."""
        waiting: deque[_Asked] = deque()
        try:
            yield from self._in_order(rows, waiting)
        finally:
            # Where nobody wants the rest.
            for each in waiting:
                if each.call is not None:
                    each.call.cancel()

    def _in_order(self, rows: Iterable[Row | RowProblem], waiting: deque[_Asked]) -> Iterator[Answer]:
        group: list[Prepared] = []
        broken: list[ModelyardError] = []
        flying = 0
        for row in _read_on(rows, broken):
            prepared = self._or_error(row)
            if isinstance(prepared, Answer) or (group and not self._joins(group, prepared)):
                if group:
                    waiting.append(self._ask(group))
                    flying += waiting[-1].size
                    group = []
                if isinstance(prepared, Answer):
                    waiting.append(_Asked(known=[prepared]))
            if isinstance(prepared, Prepared):
                group.append(prepared)
                if len(group) >= self._rows or not prepared.way.takes_rows:
                    waiting.append(self._ask(group))
                    flying += waiting[-1].size
                    group = []
            while waiting and (waiting[0].is_done or len(waiting) >= self._in_flight or flying > MAX_BYTES):
                flying -= waiting[0].size
                yield from self._answered(waiting.popleft())
        if group:
            waiting.append(self._ask(group))
        while waiting:
            yield from self._answered(waiting.popleft())
        if broken:
            raise broken[0]

    def _or_error(self, row: Row | RowProblem) -> Prepared | Answer:
        if isinstance(row, RowProblem):
            problem = InvalidArgument(f"{row.origin} {row.problem}", reason="ROW_UNREADABLE")
            return Answer(row.origin, error=problem)
        try:
            return self.prepared(row)
        except InvalidArgument as error:
            return Answer(row.origin, error=error)

    def _joins(self, group: list[Prepared], other: Prepared) -> bool:
        size = sum(each.size for each in group) + other.size
        return group[0].form == other.form and size <= GROUP_BYTES

    def _ask(self, rows: list[Prepared]) -> _Asked:
        request = self.request(rows)
        call = self._predict.future(request, timeout=self._timeout)
        return _Asked(rows, request, call, sum(each.size for each in rows))

    def request(self, rows: Sequence[Prepared]) -> predict_pb2.PredictRequest:
        """The message that asks for rows of one form."""
        request = predict_pb2.PredictRequest()
        way = rows[0].way
        request.model_spec.name, request.model_spec.signature_name = self._serving_name, way.name
        if self._version:
            request.model_spec.version.value = self._version
        for name, first in rows[0].cells.items():
            wanted = way.inputs[name]
            tensor = request.inputs[name]
            tensor.dtype = DTYPES[wanted.dtype]
            sizes = first.shape if wanted.is_single else (len(rows), *first.shape)
            for size in sizes:
                tensor.tensor_shape.dim.add(size=size)
            contents = (
                [rows[0].cells[name].content] if wanted.is_single else [each.cells[name].content for each in rows]
            )
            if wanted.dtype == "string":
                for each in contents:
                    tensor.string_val.extend(each)  # type: ignore[arg-type]
            else:
                tensor.tensor_content = b"".join(contents)  # type: ignore[arg-type]
        return request

    def _answered(self, asked: _Asked) -> Iterator[Answer]:
        if asked.call is None:
            yield from asked.known
            return
        try:
            response = self._result(asked)
            yield from self._read(asked.rows, response)
        except _OF_THE_ROW as error:
            if len(asked.rows) == 1:
                yield Answer(asked.rows[0].row.origin, error=error)
                return
            # One of them is wrong: each is asked alone.
            for row in asked.rows:
                yield from self._answered(self._ask([row]))

    def _read(self, rows: Sequence[Prepared], response: predict_pb2.PredictResponse) -> list[Answer]:
        version = response.model_spec.version.value
        self._described = self._described or version
        # Another version, of a switch since the model was read, may have other classes, or the same in another order.
        classes = self.model.classes if version == self._described else ()
        outputs = split(self.model, rows[0].way, response, len(rows))
        return [
            Answer(
                each.row.origin,
                found,
                [*(one.note for one in each.cells.values() if one.note), *remarks(found)],
                version,
                classes,
            )
            for each, found in zip(rows, outputs, strict=True)
        ]

    def _result(self, asked: _Asked) -> predict_pb2.PredictResponse:
        """What the call answers; asked again where nothing answers or too much is asked, up to PATIENCE_S."""
        until, tries = time.monotonic() + PATIENCE_S, 0
        while True:
            try:
                answer: predict_pb2.PredictResponse = asked.call.result()
                return answer
            except grpc.RpcError as failed:
                error = from_rpc_error(failed, self._server)
                if not _passes(error) or time.monotonic() > until:
                    raise error from None
                time.sleep(error.retry_after_s or _AGAIN_S[min(tries, len(_AGAIN_S) - 1)])  # back-off between tries
                tries += 1
                asked.call = self._predict.future(asked.request, timeout=self._timeout)  # type: ignore[arg-type]


def _read_on(rows: Iterable[Row | RowProblem], broken: list[ModelyardError]) -> Iterator[Row | RowProblem]:
    """The rows; `broken` gets why there are no more of them."""
    try:
        yield from rows
    except ModelyardError as error:
        broken.append(error)


def _passes(error: ModelyardError) -> bool:
    """Whether it may be otherwise in a moment."""
    busy = isinstance(error, ResourceExhausted) and error.retry_after_s is not None
    return busy or (isinstance(error, Unavailable) and error.reason not in ("SERVER_UNREACHABLE", "NOTHING_SERVES"))


DTYPES = {
    "bool": tensor_pb2.DT_BOOL,
    "float16": tensor_pb2.DT_HALF,
    "float32": tensor_pb2.DT_FLOAT,
    "float64": tensor_pb2.DT_DOUBLE,
    "int8": tensor_pb2.DT_INT8,
    "int16": tensor_pb2.DT_INT16,
    "int32": tensor_pb2.DT_INT32,
    "int64": tensor_pb2.DT_INT64,
    "string": tensor_pb2.DT_STRING,
    "uint8": tensor_pb2.DT_UINT8,
    "uint16": tensor_pb2.DT_UINT16,
    "uint32": tensor_pb2.DT_UINT32,
    "uint64": tensor_pb2.DT_UINT64,
}
