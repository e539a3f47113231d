"""Which of a dataset's features each input of a model's signature gets, or why it gets none.

The same rule before a job is made and in the job: no TensorFlow here.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod

from modelyard.foundation.errors import FailedPrecondition
from modelyard.templates.needs import KINDS, DataSeen, FeatureSeen

DEFAULT = "serving_default"
RECOMMEND = "recommend"
COUNT = "k"
"""An input that is no feature: how many are asked for."""
_SHOWN = 5
ONE = ((), (1,))
"""Shapes of a single value."""
_INTEGERS = ("int8", "int16", "int32", "int64", "uint16", "uint32", "uint64")
_FLOATS = ("float16", "bfloat16", "float32", "float64")


class DatasetNotForModel(FailedPrecondition):
    reason = "DATASET_NOT_FOR_MODEL"


class SignatureUnknown(FailedPrecondition):
    reason = "SIGNATURE_UNKNOWN"


@dataclass(frozen=True, slots=True)
class Input:
    """What a signature takes."""

    name: str
    dtype: str
    shape: tuple[int, ...] | None
    """-1 where any size will do; None where not even the number of dimensions is fixed."""

    @property
    def row(self) -> tuple[int, ...] | None:
        """The shape of one example; None where it may be anything."""
        return None if self.shape is None else self.shape[1:]

    @property
    def is_batch(self) -> bool:
        """Whether it takes as many examples as there are."""
        return self.shape is None or (len(self.shape) > 0 and self.shape[0] == -1)

    @property
    def is_count(self) -> bool:
        """Whether it is `k`: one number for all examples."""
        return self.name == COUNT and self.shape == () and self.dtype in _INTEGERS

    @property
    def form(self) -> str:
        """`float32 [any, 28, 28, 1]`."""
        return f"{self.dtype} {'of any shape' if self.shape is None else _sizes(self.shape)}"

    def __str__(self) -> str:
        return f"{self.name!r} ({self.form})"


def choose(signatures: Mapping[str, Sequence[Input]], data: DataSeen, asked: str = "") -> str:
    """The signature that a dataset is put to; raises SignatureUnknown."""
    there = ", ".join(sorted(signatures)) or "none"
    if asked:
        if asked not in signatures:
            raise SignatureUnknown(f"the model has no signature {asked[:80]!r}; it has {there}", field="signature")
        return asked
    if data.modality == "interactions" and RECOMMEND in signatures:
        return RECOMMEND
    if DEFAULT in signatures:
        return DEFAULT
    if len(signatures) == 1:
        return next(iter(signatures))
    raise SignatureUnknown(
        f"the model has no signature {DEFAULT!r}; it has {there}. Say which with signature=NAME", field="signature"
    )


def fit(
    inputs: Sequence[Input], data: DataSeen, *, model: str = "the model", kinds: Mapping[str, str] | None = None
) -> dict[str, str]:
    """Input -> feature, for all inputs but `k`. `kinds` is what the model says that its inputs are; None where that is
    not known, and all that may be right passes.

    An input gets the feature of its name, else the only one of its role (`user`, `item`), else the only one of its kind
    where no other input wants it. Raises DatasetNotForModel, naming what the model wants.
    """
    known = {feature.name: feature for feature in data.features}
    found: dict[str, str] = {}
    asked = [each for each in inputs if not each.is_count]
    open_ = [each for each in asked if each.name not in known]
    for each in asked:
        if not each.is_batch:
            raise DatasetNotForModel(
                f"{model} takes {each}, which is no batch of any size", field="dataset", feature=each.name
            )
        feature = known.get(each.name) or _only(each, open_, data, kinds)
        if feature is None:
            there = ", ".join(list(known)[:_SHOWN]) + (
                f" and {len(known) - _SHOWN} more" if len(known) > _SHOWN else ""
            )
            problem = f"{data.name} has nothing for {each}, which {model} takes; it has {there}"
        elif unfit := _unfit(each, feature):
            problem = f"{data.name} has {unfit} as {feature.name!r}; {model} takes {each}"
        else:
            found[each.name] = feature.name
            continue
        raise DatasetNotForModel(problem, field="dataset", feature=each.name, wants=each.form)
    return found


def _only(each: Input, others: Sequence[Input], data: DataSeen, kinds: Mapping[str, str] | None) -> FeatureSeen | None:
    """The feature for an input that has no namesake, if only one can be meant."""
    wanted = _wanted(each, kinds or {})
    found = [feature for feature in data.features if _is(feature, wanted)]
    alone = sum(_wanted(other, kinds or {}) == wanted for other in others) == 1
    if alone and len(found) == 1:
        return found[0]
    if kinds is None and each.dtype == "string":
        return next((feature for feature in data.features if _is(feature, ("text", "image", "user", "item"))), None)
    return None


def _is(feature: FeatureSeen, wanted: Sequence[str]) -> bool:
    return (
        feature.role in wanted
        if feature.role in ("user", "item")
        else feature.role == "input" and feature.kind in wanted
    )


def _wanted(each: Input, kinds: Mapping[str, str]) -> Sequence[str]:
    """The kinds or the role of feature that it may be; () for what only a name tells."""
    kind = kinds.get(each.name, each.name if each.name in ("user", "item") else "")
    if kind:
        return (kind,)
    if each.row != () and (each.dtype == "uint8" or each.dtype in _FLOATS):
        return ("image", "audio", "video")
    return ("text",) if each.dtype == "string" else ()


def _unfit(each: Input, feature: FeatureSeen) -> str:
    """What the feature is, where that is nothing for the input; "" where it is."""
    match feature.kind:
        case "image":
            return _unfit_image(each, feature)
        case "audio":
            return "" if each.dtype in _FLOATS else "sounds"
        case "video":
            return "" if each.dtype == "uint8" or each.dtype in _FLOATS else "videos"
        case "text" | "category" | "id":
            return "" if _takes(each, feature) and each.dtype == "string" else _several(feature)
        case "number" | "time":
            return "" if _takes(each, feature) and each.dtype in (*_INTEGERS, *_FLOATS) else _several(feature)
    return KINDS[feature.kind][1] if feature.kind in KINDS else "something unknown"


def _takes(each: Input, feature: FeatureSeen) -> bool:
    """Whether an example's values have the shape that the input takes: one value, alone or as a list of one, or just
    as many as there are in each example."""
    row, stored = each.row, feature.shape
    if any(size is None or size < 0 for size in stored):
        return False
    if row is None or (row in ONE and stored in ONE):
        return True
    return len(row) == len(stored) and all(wanted in (-1, size) for wanted, size in zip(row, stored, strict=True))


def _several(feature: FeatureSeen) -> str:
    """`numbers`, or `numbers of [3]` where an example has several."""
    called = KINDS[feature.kind][1]
    return called if feature.shape == () else f"{called} of {_sizes(feature.shape)}"


def _unfit_image(each: Input, feature: FeatureSeen) -> str:
    """Files are decoded and resized to what the model takes; pixels that are stored raw keep their channels."""
    stored, row = feature.shape, each.row
    known = len(stored) == 3 and all(size is not None and size >= 0 for size in stored)
    called = f"images of {_sizes(stored)}" if known else "images of different sizes"
    if each.dtype == "string":
        return called if feature.encoding in ("", "raw") or row not in (None, ()) else ""
    if each.dtype != "uint8" and each.dtype not in _FLOATS:
        return called
    if row is None:
        return "" if known else called
    if len(row) != 3:
        return "" if known and -1 not in row and prod(row) == prod(size or 0 for size in stored) else called
    if -1 in row[:2] and not known:
        return called
    channels = stored[2] if len(stored) == 3 else None
    same = row[2] in (-1, channels) or (feature.encoding != "raw" and row[2] in (1, 3, 4))
    return "" if same else called


def _sizes(shape: Sequence[int | None]) -> str:
    return "[" + ", ".join("any" if size is None or size < 0 else str(size) for size in shape) + "]"
