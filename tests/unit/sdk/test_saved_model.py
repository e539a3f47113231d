"""Signatures of SavedModels, as they are read without TensorFlow."""

from pathlib import Path

import pytest

from modelyard.sdk.saved_model import Input, read_inputs
from tests.support.graphs import write_graph


def test_what_each_signature_takes_is_read(tmp_path: Path) -> None:
    write_graph(
        tmp_path,
        {"two": {"text": ("DT_STRING", [-1]), "a": ("DT_FLOAT", [-1, 3])}, "one": {"x": ("DT_INT64", None)}},
    )
    assert read_inputs(tmp_path) == {
        "one": (Input("x", "int64", None),),
        "two": (Input("a", "float32", (-1, 3)), Input("text", "string", (-1,))),
    }


def test_what_loading_runs_is_no_signature(tmp_path: Path) -> None:
    write_graph(tmp_path, {"__saved_model_init_op": {}, "serving_default": {"x": ("DT_HALF", [-1])}})
    assert read_inputs(tmp_path) == {"serving_default": (Input("x", "float16", (-1,)),)}


@pytest.mark.parametrize("content", [None, b"\xff\xff", b""])
def test_of_what_cannot_be_read_nothing_is_said(tmp_path: Path, content: bytes | None) -> None:
    if content is not None:
        (tmp_path / "saved_model.pb").write_bytes(content)
    assert read_inputs(tmp_path) is None
