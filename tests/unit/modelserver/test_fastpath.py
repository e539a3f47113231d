"""The short way and the long way are one way."""

import asyncio

import numpy as np

from modelyard.api.serving.v1 import model_pb2, predict_pb2
from modelyard.api.serving.v1 import tensor_pb2 as pb
from modelyard.foundation.errors import ModelyardError
from modelyard.modelserver.batching import BatchingEngine, Limits
from modelyard.modelserver.fastpath import FastPath
from modelyard.modelserver.models import LoadPolicy, Models, Wanted
from modelyard.modelserver.predict import Predictor
from modelyard.modelserver.servable import Arrays, Servable, Signature, TensorSpec
from tests.support.predict_corpus import corpus, field, shape


def sums(inputs: Arrays) -> Arrays:
    return {"sum": inputs["image"].reshape(len(inputs["image"]), -1).sum(1, dtype=np.float32)}


SERVABLE = Servable(
    "digits",
    3,
    {
        "serving_default": Signature(
            "serving_default",
            "",
            {"image": TensorSpec(pb.DT_UINT8, (-1, 28, 28, 1))},
            {"sum": TensorSpec(pb.DT_FLOAT, (-1,))},
            {},
            sums,
        )
    },
    b"",
)


class OneModel(Models):
    def resolve(self, wanted: Wanted) -> Servable:
        self._available = {"digits": {3: SERVABLE}}
        self._settled = True
        return super().resolve(wanted)


async def never(servable: Servable) -> None:
    raise AssertionError


def both() -> tuple[Predictor, Predictor, FastPath, BatchingEngine]:
    models = OneModel(lambda *_: SERVABLE, never, lambda _: None, LoadPolicy())
    engine = BatchingEngine(Limits())
    short = FastPath(models, engine)
    return Predictor(models, engine, short), Predictor(models, engine), short, engine


async def outcome(predictor: Predictor, body: bytes) -> bytes | tuple[str, str]:
    try:
        return await predictor.predict(body)
    except ModelyardError as error:
        return error.reason, error.message


def request(rows: int, seed: int) -> bytes:
    content = np.random.default_rng(seed).integers(0, 255, rows * 784).astype(np.uint8).tobytes()
    return predict_pb2.PredictRequest(
        model_spec=model_pb2.ModelSpec(name="digits"),
        inputs={"image": pb.Tensor(dtype=pb.DT_UINT8, tensor_shape=shape(rows, 28, 28, 1), tensor_content=content)},
    ).SerializeToString()


async def test_the_whole_corpus_has_the_same_outcome_both_ways() -> None:
    short, long, _, engine = both()
    answered = 0
    for body in [*corpus(), *(request(rows, rows) for rows in (1, 2, 5))] * 2:
        first, second = await outcome(short, body), await outcome(long, body)
        assert first == second
        answered += isinstance(first, bytes)
    assert answered > 10
    engine.close()


async def test_a_repeated_request_is_recognized_and_its_own_values_answered() -> None:
    short, long, path, engine = both()
    bodies = [request(1, seed) for seed in range(50)]
    assert await asyncio.gather(*map(short.predict, bodies)) == await asyncio.gather(*map(long.predict, bodies))
    assert path._count == 1
    engine.close()


async def test_a_request_that_only_looks_like_a_known_one_is_read_anew() -> None:
    short, long, _, engine = both()
    usual = request(1, 1)
    await short.predict(usual)
    # Of the same length; another name, another version, or a different field in the place of the bytes.
    spec = model_pb2.ModelSpec(name="digitz").SerializeToString()
    tensor = usual[len(field(1, spec)) :]
    for other in (field(1, spec) + tensor, usual[:-1] + b"\0", usual.replace(b"image", b"imago")):
        assert len(other) == len(usual)
        assert await outcome(short, other) == await outcome(long, other)
    engine.close()


async def test_the_memory_of_requests_is_bounded() -> None:
    short, _, path, engine = both()
    for rows in range(1, 700):
        await outcome(short, request(rows % 30 + 1, 0) + b"\x78" + bytes([rows % 128]) + b"\x78\x01" * (rows % 9))
    assert path._count <= 512
    engine.close()
