"""What whoever made a model version found out about it."""

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta

from modelyard.foundation.errors import InvalidArgument

MAX_METRICS = 256
MAX_TEXT = 2000
MAX_GATES = 32
MAX_FRAMEWORKS = 32
MAX_SIGNATURES = 64
MAX_TENSORS = 1000
MAX_DIMENSIONS = 32
MAX_TENSOR_NAME = 512
MAX_REQUIREMENTS = 2000
MAX_REQUIREMENT_TEXT = 200
MAX_LICENSE = 500
MAX_BYTES = 1 << 50
MAX_LATENCY = timedelta(hours=1)
MAX_CLASSES = 1000
MAX_INPUTS = 1000
MAX_CATEGORIES = 10_000
MAX_NAME = 200
MAX_SAMPLE_RATE = 1_000_000
_DTYPE = re.compile(r"[a-z][a-z0-9_]{0,31}", re.ASCII)
_KIND = re.compile(r"[a-z][a-z_]{0,31}", re.ASCII)
_DISTRIBUTION = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Gate:
    """One check of a model version."""

    kind: str
    passed: bool
    detail: str


@dataclass(frozen=True, slots=True)
class TensorSpec:
    name: str
    dtype: str
    shape: tuple[int, ...] | None
    """-1 where any size will do; None where not even the number of dimensions is fixed."""


@dataclass(frozen=True, slots=True)
class Signature:
    """A way to ask a model."""

    name: str
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]


@dataclass(frozen=True, slots=True)
class Requirement:
    """A Python distribution that was installed for the code that made a model."""

    name: str
    version: str
    license: str


@dataclass(frozen=True, slots=True)
class InputMeaning:
    """What an input stands for."""

    kind: str
    sample_rate: int = 0
    seconds: float = 0.0
    categories: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ModelInfo:
    metrics: Mapping[str, float] = field(default_factory=dict)
    gates: tuple[Gate, ...] = ()
    row_wise: bool = False
    frameworks: Mapping[str, str] = field(default_factory=dict)
    foreign: bool = False
    """Made by code or files that others wrote."""
    signatures: tuple[Signature, ...] = ()
    resident_bytes: int = 0
    latency: timedelta | None = None
    requirements: tuple[Requirement, ...] = ()
    task: str = ""
    classes: tuple[str, ...] = ()
    inputs: Mapping[str, InputMeaning] = field(default_factory=dict)
    """By the names that they have in the signatures."""

    @property
    def rejected(self) -> bool:
        """A failed `row_wise` gate only means that a server must not batch."""
        return any(not gate.passed for gate in self.gates if gate.kind != "row_wise")


def validate_model_info(info: ModelInfo, at: str) -> ModelInfo:
    """InvalidArgument with the path below `at` of what is too much or makes no sense."""
    validate_metrics(info.metrics, f"{at}.metrics")
    _at_most(len(info.gates), MAX_GATES, f"{at}.gates")
    _at_most(len(info.frameworks), MAX_FRAMEWORKS, f"{at}.frameworks")
    texts = [*info.frameworks, *info.frameworks.values(), *(gate.kind + gate.detail for gate in info.gates)]
    if any(len(text) > MAX_TEXT for text in texts):
        raise InvalidArgument(f"{at} holds a text longer than {MAX_TEXT}", field=at)
    _validate_signatures(info.signatures, f"{at}.signatures")
    if not 0 <= info.resident_bytes <= MAX_BYTES:
        raise InvalidArgument(f"{at}.resident_bytes is {info.resident_bytes}", field=f"{at}.resident_bytes")
    if info.latency is not None and not timedelta(0) <= info.latency <= MAX_LATENCY:
        raise InvalidArgument(f"{at}.latency is not between 0 and {MAX_LATENCY}", field=f"{at}.latency")
    _validate_requirements(info.requirements, f"{at}.requirements")
    _validate_meaning(info, at)
    return info


def _validate_meaning(info: ModelInfo, at: str) -> None:
    _validate_texts((info.task,), 1, f"{at}.task")
    _validate_texts(info.classes, MAX_CLASSES, f"{at}.classes")
    _at_most(len(info.inputs), MAX_INPUTS, f"{at}.inputs")
    _at_most(sum(len(each.categories) for each in info.inputs.values()), MAX_CATEGORIES, f"{at}.inputs", "categories")
    for name, meaning in info.inputs.items():
        field = f"{at}.inputs[{name[:80]!a}]"
        if not 1 <= len(name) <= MAX_TENSOR_NAME or not _KIND.fullmatch(meaning.kind):
            raise InvalidArgument(f"{field} is of the kind {meaning.kind[:80]!a}, which is no word", field=field)
        if not 0 <= meaning.sample_rate <= MAX_SAMPLE_RATE or not 0 <= meaning.seconds < math.inf:
            raise InvalidArgument(f"{field} has {meaning.sample_rate} samples a second", field=field)
        _validate_texts(meaning.categories, MAX_CATEGORIES, f"{field}.categories")


def _validate_texts(texts: tuple[str, ...], most: int, at: str) -> None:
    _at_most(len(texts), most, at)
    if any(len(text) > MAX_NAME for text in texts):
        raise InvalidArgument(f"{at} holds a text longer than {MAX_NAME}", field=at)


def validate_metrics(metrics: Mapping[str, float], at: str) -> None:
    _at_most(len(metrics), MAX_METRICS, at)
    for name, value in metrics.items():
        if not math.isfinite(value):
            raise InvalidArgument(f"{at}[{name[:80]!a}] is not a finite number", field=at)
        if not 1 <= len(name) <= MAX_TEXT:
            raise InvalidArgument(f"{at} has a name that is empty or longer than {MAX_TEXT}", field=at)


def _validate_signatures(signatures: tuple[Signature, ...], at: str) -> None:
    _at_most(len(signatures), MAX_SIGNATURES, at)
    _at_most(sum(len(s.inputs) + len(s.outputs) for s in signatures), MAX_TENSORS, at, "tensors")
    _validate_names((signature.name for signature in signatures), at)
    for index, signature in enumerate(signatures):
        for side, tensors in (("inputs", signature.inputs), ("outputs", signature.outputs)):
            _validate_names((tensor.name for tensor in tensors), f"{at}[{index}].{side}")
            for position, tensor in enumerate(tensors):
                _validate_tensor(tensor, f"{at}[{index}].{side}[{position}]")


def _validate_tensor(tensor: TensorSpec, at: str) -> None:
    if not _DTYPE.fullmatch(tensor.dtype):
        raise InvalidArgument(f"{at}.dtype is {tensor.dtype[:80]!a}, no name of a type", field=f"{at}.dtype")
    shape = tensor.shape or ()
    if len(shape) > MAX_DIMENSIONS or any(size < -1 for size in shape):
        raise InvalidArgument(
            f"{at}.shape has more than {MAX_DIMENSIONS} dimensions or one below -1", field=f"{at}.shape"
        )


def _validate_names(names: Iterable[str], at: str) -> None:
    seen: set[str] = set()
    for index, name in enumerate(names):
        if not 1 <= len(name) <= MAX_TENSOR_NAME or name in seen:
            raise InvalidArgument(
                f"{at}[{index}].name is {name[:80]!a}; names have 1 to {MAX_TENSOR_NAME} letters and occur once",
                field=f"{at}[{index}].name",
            )
        seen.add(name)


def _validate_requirements(requirements: tuple[Requirement, ...], at: str) -> None:
    _at_most(len(requirements), MAX_REQUIREMENTS, at)
    for index, requirement in enumerate(requirements):
        field = f"{at}[{index}]"
        if len(requirement.name) > MAX_REQUIREMENT_TEXT or not _DISTRIBUTION.fullmatch(requirement.name):
            raise InvalidArgument(
                f"{field}.name is {requirement.name[:80]!a}, no distribution's", field=f"{field}.name"
            )
        if not 1 <= len(requirement.version) <= MAX_REQUIREMENT_TEXT:
            raise InvalidArgument(f"{field}.version has 1 to {MAX_REQUIREMENT_TEXT} letters", field=f"{field}.version")
        if len(requirement.license) > MAX_LICENSE:
            raise InvalidArgument(f"{field}.license is longer than {MAX_LICENSE}", field=f"{field}.license")


def _at_most(count: int, most: int, at: str, what: str = "entries") -> None:
    if count > most:
        raise InvalidArgument(f"{at} has {count} {what}; at most {most} are allowed", field=at)
