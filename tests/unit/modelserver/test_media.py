"""Files in a request are looked at before the graph decodes them."""

import json
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest

from modelyard.api.serving.v1 import tensor_pb2 as pb
from modelyard.modelserver.errors import InvalidRequest
from modelyard.modelserver.media import meanings
from modelyard.modelserver.predict import checked_inputs
from modelyard.modelserver.servable import Signature, TensorSpec
from tests.support.pictures import picture
from tests.support.sounds import wav
from tests.support.videos import claiming, video

HUGE = claiming(video("webm", 1, (320, 256)), (320, 256), (16_000, 9_000))


def signature(kind: str, sample_rate: int = 0) -> Signature:
    spec = TensorSpec(pb.DT_STRING, (-1,), kind, sample_rate)
    return Signature("s", "", {"x": spec}, {}, {}, lambda inputs: inputs)


def png(width: int, height: int) -> bytes:
    header = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + header + struct.pack(">I", zlib.crc32(header))


@pytest.mark.parametrize(
    ("kind", "content", "problem"),
    [
        ("image", png(10_000, 10_000), "example 1 is 10,000 × 10,000 pixels; at most 67 million are decoded"),
        ("image", b"GARBAGE", "example 1 begins with 'GARBAGE'; it is no PNG, JPEG, WebP, GIF or BMP image"),
        ("audio", wav(rate=44_100), "example 1 has 44,100 samples a second in 1 channel(s); the model takes 8,000 in"),
        ("audio", wav(channels=2), "example 1 has 8,000 samples a second in 2 channel(s)"),
        ("video", b"", "example 1 is empty"),
        ("video", HUGE, "example 1 is 16,000 × 9,000 pixels; at most 67 million are decoded"),
    ],
)
def test_a_file_that_the_model_does_not_take_is_refused_with_its_input_and_number(
    kind: str, content: bytes, problem: str
) -> None:
    good = {"image": picture(), "audio": wav(), "video": picture(format="GIF")}[kind]
    with pytest.raises(InvalidRequest) as caught:
        checked_inputs(signature(kind, 8000), {"x": np.array([good, content], object)})
    assert problem in caught.value.message
    assert caught.value.field == "inputs.x"


def test_text_and_inputs_that_nobody_described_are_left_alone() -> None:
    for kind in ("", "text", "category"):
        array = np.array([b"GARBAGE", b""], object)
        assert checked_inputs(signature(kind), {"x": array})["x"] is array


def test_the_field_of_a_wrong_name_is_that_name() -> None:
    with pytest.raises(InvalidRequest) as caught:
        checked_inputs(signature(""), {"y": np.array([b""], object)})
    assert caught.value.field == "inputs.y"
    with pytest.raises(InvalidRequest) as caught:
        checked_inputs(signature(""), {})
    assert caught.value.field == "inputs.x"


@pytest.mark.parametrize(
    ("description", "found"),
    [
        (
            {"inputs": {"a": "audio", "t": "text"}, "audio": {"sample_rate": 16000}},
            {"a": ("audio", 16000), "t": ("text", 0)},
        ),
        ({"inputs": {"a": "audio", "b": 3}}, {"a": ("audio", 0)}),
        ({"inputs": ["a"]}, {}),
        ([], {}),
        (None, {}),
    ],
)
def test_the_models_description_says_what_its_inputs_stand_for(
    tmp_path: Path, description: object, found: dict[str, tuple[str, int]]
) -> None:
    if description is not None:
        (tmp_path / "modelyard.model.json").write_text(json.dumps(description))
    assert dict(meanings(tmp_path)) == found
