"""Whether a dataset's images fit a model, as it is said before anything is sent."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from modelyard.api.catalog.v1 import dataset_pb2
from modelyard.cli.imports import check_fit
from modelyard.sdk.errors import InvalidArgument
from tests.support.graphs import write_graph


def images(*shape: int) -> dataset_pb2.InputSpec:
    return dataset_pb2.InputSpec(
        dataset_version="projects/p/datasets/digits/versions/2",
        features=[dataset_pb2.Feature(name="image", shape=shape), dataset_pb2.Feature(name="label")],
    )


GREY, COLOUR, MIXED = images(28, 28, 1), images(32, 48, 3), images(-1, -1, 3)


@pytest.mark.parametrize(
    ("spec", "dtype", "shape"),
    [
        (GREY, "DT_FLOAT", [-1, 28, 28, 1]),
        (GREY, "DT_UINT8", [1, 28, 28, 1]),
        (GREY, "DT_HALF", [-1, -1, -1, -1]),
        (GREY, "DT_FLOAT", [-1, 224, 224, 1]),
        (COLOUR, "DT_FLOAT", [-1, 32, 48, 3]),
        (COLOUR, "DT_FLOAT", [-1, 32, -1, 3]),
        (MIXED, "DT_FLOAT", [-1, 96, 96, 3]),
        (MIXED, "DT_STRING", [-1]),
        (MIXED, "DT_STRING", None),
    ],
)
def test_images_that_can_be_brought_into_an_inputs_form_fit(
    tmp_path: Path, spec: dataset_pb2.InputSpec, dtype: str, shape: Sequence[int] | None
) -> None:
    write_graph(tmp_path, {"other": {"y": ("DT_INT64", [-1])}, "serving_default": {"x": (dtype, shape)}})
    check_fit(tmp_path, spec, "")
    check_fit(tmp_path, spec, "x")


@pytest.mark.parametrize(
    ("spec", "dtype", "shape", "says"),
    [
        (GREY, "DT_FLOAT", [-1, 28, 28, 3], "digits@2 (28 × 28, 1 channel)"),
        (GREY, "DT_FLOAT", [-1, 784], "takes x: float32 [-1, 784]"),
        (GREY, "DT_INT32", [-1, 28, 28, 1], "x: int32"),
        (GREY, "DT_FLOAT", [8, 28, 28, 1], "[8, 28, 28, 1]"),
        (GREY, "DT_FLOAT", None, "x: float32 of any shape"),
        (COLOUR, "DT_FLOAT", [-1, 48, 32, 3], "(32 × 48, 3 channels)"),
        (MIXED, "DT_FLOAT", [-1, -1, -1, 3], "(of different sizes, 3 channels)"),
        (GREY, "DT_STRING", [-1, 2], "x: string"),
    ],
)
def test_images_that_fit_nothing_are_refused_with_what_is_wanted_and_what_is_there(
    tmp_path: Path, spec: dataset_pb2.InputSpec, dtype: str, shape: Sequence[int] | None, says: str
) -> None:
    write_graph(tmp_path, {"serving_default": {"x": (dtype, shape)}})
    with pytest.raises(InvalidArgument) as refused:
        check_fit(tmp_path, spec, "")
    assert refused.value.reason == "DATASET_FITS_NO_INPUT"
    assert "fit no input of the model (serving_default takes x: " in refused.value.message
    assert says in refused.value.message


def test_the_input_that_is_named_must_be_the_one(tmp_path: Path) -> None:
    write_graph(tmp_path, {"serving_default": {"x": ("DT_FLOAT", [-1, 28, 28, 1]), "mask": ("DT_FLOAT", [-1])}})
    for wanted in ("mask", "gone"):
        with pytest.raises(InvalidArgument, match=f"do not fit the input '{wanted}' of the model"):
            check_fit(tmp_path, GREY, wanted)


def test_what_cannot_be_told_here_is_left_to_the_import(tmp_path: Path) -> None:
    (tmp_path / "m.keras").write_bytes(b"PK")
    check_fit(tmp_path / "m.keras", GREY, "")
    check_fit(tmp_path, GREY, "")
    write_graph(tmp_path, {"serving_default": {"x": ("DT_FLOAT", [-1, 3])}})
    check_fit(tmp_path, dataset_pb2.InputSpec(features=[dataset_pb2.Feature(name="text")]), "")
