"""What is known of a model version, and what nobody may say of one."""

import json
import math
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from modelyard.api.catalog.v1 import model_pb2
from modelyard.catalog.adapters.model_info_json import info_of, info_to_json
from modelyard.catalog.domain.model_info import (
    Gate,
    InputMeaning,
    ModelInfo,
    Requirement,
    Signature,
    TensorSpec,
    validate_model_info,
)
from modelyard.catalog.servicers.model_messages import _model_info_message, model_info_of
from modelyard.foundation.errors import InvalidArgument

IMAGE = TensorSpec("image", "uint8", (-1, 28, 28, 1))
ANSWER = TensorSpec("probabilities", "float32", (-1, 10))
WHOLE = ModelInfo(
    metrics={"accuracy": 0.98},
    gates=(Gate("load", True, "fine"), Gate("row_wise", False, "differs")),
    row_wise=True,
    frameworks={"keras": "3"},
    foreign=True,
    signatures=(
        Signature("serving_default", (IMAGE,), (ANSWER,)),
        Signature("any", (TensorSpec("x", "string", None), TensorSpec("y", "float32", ())), ()),
    ),
    resident_bytes=123_456_789,
    latency=timedelta(microseconds=4321),
    requirements=(Requirement("numpy", "2.1.0", "BSD-3-Clause"), Requirement("my_pkg.x", "0", "")),
    task="tabular-classification",
    classes=("no", "yes"),
    inputs={"job": InputMeaning("category", categories=("clerk",)), "audio": InputMeaning("audio", 16_000, 1.5)},
)


def test_what_sql_keeps_is_what_was_said() -> None:
    stored = json.loads(json.dumps(info_to_json(validate_model_info(WHOLE, "model_info"))))
    assert info_of(stored) == WHOLE
    assert info_of(info_to_json(None)) is None


def test_what_the_api_says_is_what_was_said() -> None:
    assert model_info_of(_model_info_message(WHOLE)) == WHOLE


def test_a_row_of_an_earlier_version_still_means_something() -> None:
    stored = {"metrics": {"a": 1.0}, "gates": [["load", True, ""]], "row_wise": True, "frameworks": {}}
    assert info_of(stored) == ModelInfo({"a": 1.0}, (Gate("load", True, ""),), True)


def test_a_shape_of_no_dimensions_is_not_an_unknown_one() -> None:
    stored = info_of(info_to_json(WHOLE))
    assert stored is not None
    assert [tensor.shape for tensor in stored.signatures[1].inputs] == [None, ()]


def signature(**changes: Any) -> tuple[Signature, ...]:
    return (Signature("s", (replace(IMAGE, **changes),), ()),)


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"metrics": {"a": math.nan}}, "metrics"),
        ({"metrics": {f"m{n}": 1.0 for n in range(257)}}, "metrics"),
        ({"gates": (Gate("load", True, ""),) * 33}, "gates"),
        ({"gates": (Gate("load", True, "x" * 2001),)}, ""),
        ({"frameworks": {f"f{n}": "1" for n in range(33)}}, "frameworks"),
        ({"signatures": tuple(Signature(f"s{n}", (), ()) for n in range(65))}, "signatures"),
        ({"signatures": (Signature("s", (), ()), Signature("s", (), ()))}, "signatures[1].name"),
        ({"signatures": (Signature("", (), ()),)}, "signatures[0].name"),
        ({"signatures": (Signature("s", (IMAGE, IMAGE), ()),)}, "signatures[0].inputs[1].name"),
        ({"signatures": signature(name="x" * 513)}, "signatures[0].inputs[0].name"),
        ({"signatures": signature(dtype="")}, "signatures[0].inputs[0].dtype"),
        ({"signatures": signature(dtype="DT_UINT8")}, "signatures[0].inputs[0].dtype"),
        ({"signatures": signature(shape=(-2,))}, "signatures[0].inputs[0].shape"),
        ({"signatures": signature(shape=(1,) * 33)}, "signatures[0].inputs[0].shape"),
        (
            {"signatures": (Signature("s", tuple(replace(IMAGE, name=f"t{n}") for n in range(1001)), ()),)},
            "signatures",
        ),
        ({"resident_bytes": -1}, "resident_bytes"),
        ({"resident_bytes": 1 << 51}, "resident_bytes"),
        ({"latency": timedelta(seconds=-1)}, "latency"),
        ({"latency": timedelta(hours=2)}, "latency"),
        ({"requirements": (Requirement("numpy", "1", ""),) * 2001}, "requirements"),
        ({"requirements": (Requirement("", "1", ""),)}, "requirements[0].name"),
        ({"requirements": (Requirement("a b", "1", ""),)}, "requirements[0].name"),
        ({"requirements": (Requirement("numpy", "", ""),)}, "requirements[0].version"),
        ({"requirements": (Requirement("numpy", "1", "x" * 501),)}, "requirements[0].license"),
        ({"task": "x" * 201}, "task"),
        ({"classes": ("c",) * 1001}, "classes"),
        ({"classes": ("x" * 201,)}, "classes"),
        ({"inputs": {"x": InputMeaning("")}}, "inputs['x']"),
        ({"inputs": {"": InputMeaning("text")}}, "inputs['']"),
        ({"inputs": {"x": InputMeaning("audio", -1)}}, "inputs['x']"),
        ({"inputs": {"x": InputMeaning("audio", 1, math.nan)}}, "inputs['x']"),
        ({"inputs": {"x": InputMeaning("category", categories=("c",) * 10_001)}}, "inputs"),
        ({"inputs": {f"x{n}": InputMeaning("text") for n in range(1001)}}, "inputs"),
    ],
)
def test_what_is_too_much_or_makes_no_sense_is_refused_with_its_field(changes: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidArgument) as caught:
        validate_model_info(replace(WHOLE, **changes), "model_info")
    assert caught.value.field == f"model_info.{field}".rstrip(".")


def test_an_unknown_rank_has_no_shape_and_a_latency_is_a_length_of_time() -> None:
    tensor = model_pb2.TensorSpec(name="x", dtype="uint8", shape=[1], unknown_rank=True)
    wrong = model_pb2.ModelInfo(signatures=[model_pb2.Signature(name="s", outputs=[tensor])])
    with pytest.raises(InvalidArgument) as caught:
        model_info_of(wrong)
    assert caught.value.field == "model_info.signatures[0].outputs[0].shape"
    endless = model_pb2.ModelInfo()
    endless.latency.seconds = 1 << 60
    with pytest.raises(InvalidArgument) as caught:
        model_info_of(endless)
    assert caught.value.field == "model_info.latency"
