import asyncio
import statistics
import threading
import time
from dataclasses import replace

import numpy as np
import pytest

from modelyard.api.serving.v1 import model_pb2, predict_pb2
from modelyard.api.serving.v1 import tensor_pb2 as pb
from modelyard.foundation.errors import InvalidArgument
from modelyard.modelserver.answers import AnswerWriter
from modelyard.modelserver.batching import BatchingEngine, Limits, Outcome, Pace
from modelyard.modelserver.errors import QueueFull
from modelyard.modelserver.predict import response
from modelyard.modelserver.servable import Array, Arrays, Servable, Signature, TensorSpec


class Model:
    """Doubles; remembers the sizes of its calls; stands still while `gate` is closed; refuses a row that is 13."""

    def __init__(self, pads: bool = False) -> None:
        self.sizes: list[int] = []
        self.gate = threading.Event()
        self.gate.set()
        self.signature = Signature(
            "serving_default",
            "",
            {"x": TensorSpec(pb.DT_INT32, (-1, 2))},
            {"y": TensorSpec(pb.DT_FLOAT, (-1, 2)), "z": TensorSpec(pb.DT_DOUBLE, (-1,))},
            {},
            self.call,
        )
        self.servable = Servable("m", 7, {"serving_default": self.signature}, b"", pads=pads)

    def call(self, inputs: Arrays) -> Arrays:
        x = inputs["x"]
        self.gate.wait(10)
        self.sizes.append(len(x))
        if (x == 13).any():
            raise InvalidArgument("13 is refused")
        return {"y": (x * np.int32(2)).astype(np.float32), "z": x.astype(np.float64).sum(1)}


def rows(*values: int) -> Array:
    return np.array([[value, value + 1] for value in values], np.int32)


async def run(engine: BatchingEngine, model: Model, array: Array) -> list[list[float]]:
    outputs = await engine.run(model.servable, model.signature, {"x": array})
    answer: list[list[float]] = outputs["y"].tolist()
    return answer


async def started(engine: BatchingEngine, model: Model, count: int) -> list[asyncio.Task[list[list[float]]]]:
    """`count` requests: the first is in the model, the others wait for it."""
    model.gate.clear()
    tasks = []
    for number in range(count):
        tasks.append(asyncio.create_task(run(engine, model, rows(number * 100))))
        await asyncio.sleep(0.05 if number == 0 else 0)
    return tasks


async def test_what_waits_while_the_model_works_shares_the_next_call() -> None:
    model, engine = Model(), BatchingEngine(Limits())
    tasks = await started(engine, model, 6)
    model.gate.set()
    answers = await asyncio.gather(*tasks)
    engine.close()
    assert answers == [[[number * 200, number * 200 + 2]] for number in range(6)]
    assert model.sizes == [1, 5]
    assert (engine.calls, engine.rows) == (2, 6)


async def test_a_batch_has_at_most_so_many_rows_and_keeps_the_order() -> None:
    model, engine = Model(), BatchingEngine(Limits(max_batch_rows=2))
    tasks = await started(engine, model, 6)
    model.gate.set()
    await asyncio.gather(*tasks)
    assert model.sizes == [1, 2, 2, 1]
    assert await run(engine, model, rows(1, 2, 3)) == [[2, 4], [4, 6], [6, 8]], "more than a batch runs alone"
    engine.close()


async def test_a_bad_row_fails_its_own_request_only() -> None:
    model, engine = Model(), BatchingEngine(Limits())
    tasks = await started(engine, model, 3)
    bad = asyncio.create_task(run(engine, model, rows(13)))
    await asyncio.sleep(0)
    model.gate.set()
    answers = await asyncio.gather(*tasks, bad, return_exceptions=True)
    engine.close()
    assert answers[:3] == [[[0, 2]], [[200, 202]], [[400, 402]]]
    assert isinstance(answers[3], InvalidArgument)


async def test_who_has_gone_away_is_not_computed() -> None:
    model, engine = Model(), BatchingEngine(Limits())
    tasks = await started(engine, model, 4)
    for task in tasks[1:3]:
        task.cancel()
    await asyncio.gather(*tasks[1:3], return_exceptions=True)
    model.gate.set()
    assert await tasks[3] == [[600, 602]]
    assert model.sizes == [1, 1]
    engine.close()


async def test_a_full_queue_says_so_at_once() -> None:
    model, engine = Model(), BatchingEngine(Limits(max_batch_rows=2, max_enqueued_batches=1))
    tasks = await started(engine, model, 3)
    with pytest.raises(QueueFull):
        await run(engine, model, rows(9))
    model.gate.set()
    await asyncio.gather(*tasks)
    engine.close()


async def test_a_timeout_waits_for_company() -> None:
    model, engine = Model(), BatchingEngine(Limits(max_batch_rows=3, timeout_s=5))
    answers = await asyncio.gather(*(run(engine, model, rows(number)) for number in range(3)))
    engine.close()
    assert (len(answers), model.sizes) == (3, [3])


async def test_a_caller_alone_never_waits() -> None:
    model, engine = Model(), BatchingEngine(Limits())
    for number in range(5):
        await run(engine, model, rows(number))
    (lane,) = engine._lanes.values()
    assert lane.pace.patience_s == 0
    engine.close()


def test_patience_follows_what_came_before() -> None:
    pace = Pace()
    pace.called(32, 0.004)
    assert (pace.expected_rows, pace.patience_s) == (32, 0.002)
    for _ in range(6):
        pace.called(1, 0.001)
    assert pace.patience_s == 0


async def test_callers_who_come_back_at_once_share_one_call_again() -> None:
    model, engine = Model(), BatchingEngine(Limits())
    quick = model.call

    def call(inputs: Arrays) -> Arrays:
        time.sleep(0.01)
        return quick(inputs)

    async def caller(number: int) -> None:
        for _ in range(30):
            await run(engine, model, rows(number * 100))
            await asyncio.sleep(0)

    model.signature = replace(model.signature, call=call)
    await asyncio.gather(*(caller(number) for number in range(16)))
    engine.close()
    assert statistics.median(model.sizes) == 16


@pytest.mark.parametrize(
    ("limits", "pads", "size"),
    [
        (Limits(), False, 5),
        (Limits(), True, 8),
        (Limits(max_batch_rows=6), True, 6),
        (Limits(max_batch_rows=32, allowed_sizes=(4, 32)), False, 32),
    ],
)
async def test_padding_makes_few_sizes_and_no_difference(limits: Limits, pads: bool, size: int) -> None:
    model, engine = Model(pads), BatchingEngine(limits)
    assert await run(engine, model, rows(1, 2, 3, 4, 5)) == [[2, 4], [4, 6], [6, 8], [8, 10], [10, 12]]
    assert model.sizes == [size]
    engine.close()


async def test_rows_of_other_shapes_and_versions_do_not_mix() -> None:
    one, two, engine = Model(), Model(), BatchingEngine(Limits())
    tasks = await started(engine, one, 2)
    other = asyncio.create_task(run(engine, two, rows(5)))
    await asyncio.sleep(0)
    one.gate.set()
    assert await other == [[10, 12]]
    await asyncio.gather(*tasks)
    assert (one.sizes, two.sizes) == ([1, 1], [1])
    engine.close()


async def test_a_version_that_is_gone_leaves_nothing_behind() -> None:
    model, engine = Model(), BatchingEngine(Limits())
    await run(engine, model, rows(1))
    engine.forget(model.servable)
    assert not engine._lanes
    engine.close()


@pytest.mark.parametrize("count", [1, 2, 17, 200])
def test_an_answer_is_the_bytes_that_protobuf_writes(count: int) -> None:
    model = Model()
    arrays = model.call({"x": rows(*range(100, 400))})
    buffers = {name: array.data.cast("B") for name, array in arrays.items()}
    outcome = Outcome(arrays, buffers)
    written = AnswerWriter(model.servable, model.signature).write(outcome, 50, count)
    expected = response(model.servable, model.signature, outcome.rows(50, count))
    assert written == expected.SerializeToString(deterministic=True)
    read = predict_pb2.PredictResponse.FromString(written)
    assert read.model_spec == model_pb2.ModelSpec(
        name="m", version=model_pb2.Int64Value(value=7), signature_name="serving_default"
    )
