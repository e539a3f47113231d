"""A loaded model version: its signatures and how to call them. Pure; `saved_model` makes them from a SavedModel."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy.typing as npt

Array = npt.NDArray[Any]
"""Strings are arrays of dtype object that hold bytes."""
Arrays = dict[str, Array]

DEFAULT_SIGNATURE = "serving_default"


@dataclass(frozen=True, slots=True)
class TensorSpec:
    dtype: int
    """A value of modelyard.api.serving.v1.DataType."""
    shape: tuple[int, ...] | None
    """-1 is any size; None is any rank."""
    kind: str = ""
    """What an input of strings stands for, where the model says it: `image`, `audio`, `video`, …"""
    sample_rate: int = 0
    """Of an `audio`; 0 where the model does not say."""

    def accepts(self, shape: tuple[int, ...]) -> bool:
        if self.shape is None:
            return True
        return len(shape) == len(self.shape) and all(
            want in (-1, have) for want, have in zip(self.shape, shape, strict=True)
        )

    @property
    def batched(self) -> bool:
        """The first dimension, and only it, is free."""
        return self.shape is not None and self.shape[:1] == (-1,) and -1 not in self.shape[1:]


@dataclass(frozen=True, slots=True)
class Signature:
    name: str
    method: str
    inputs: Mapping[str, TensorSpec]
    outputs: Mapping[str, TensorSpec]
    defaults: Mapping[str, Array]
    call: Callable[[Arrays], Arrays]
    """Blocking; takes every input. Raises ModelyardError."""

    @property
    def batchable(self) -> bool:
        """Rows of several requests can be put into one call: every input and output has a free first dimension."""
        return (
            all(spec.batched for spec in self.inputs.values())
            and bool(self.inputs)
            and all(spec.shape is not None and spec.shape[:1] == (-1,) for spec in self.outputs.values())
        )


@dataclass(frozen=True, slots=True)
class Servable:
    name: str
    version: int
    signatures: Mapping[str, Signature]
    signature_def_map: bytes
    """tensorflow.serving.SignatureDefMap, serialized."""
    warmup: tuple[bytes, ...] = ()
    """PredictRequests to answer before the version is available."""
    pads: bool = False
    """A batch of a new size costs compilation (an accelerator, XLA), so few sizes should be used."""
