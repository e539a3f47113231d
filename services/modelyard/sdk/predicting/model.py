"""What a served model takes and answers, as a client needs to know it."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from modelyard.api.catalog.v1 import model_pb2
from modelyard.api.serving.v1 import metadata_pb2, tensor_pb2

DEFAULT = "serving_default"
MEDIA = ("image", "audio", "video")
_BY_NAME = {
    "image": "image",
    "image_bytes": "image",
    "text": "text",
    "audio": "audio",
    "audio_bytes": "audio",
    "video": "video",
    "video_bytes": "video",
    "user": "user",
    "user_id": "user",
    "item": "item",
    "item_id": "item",
}
"""What an input of this name stands for, where nobody says it."""
_DTYPES = {
    "DT_FLOAT": "float32",
    "DT_DOUBLE": "float64",
    "DT_HALF": "float16",
    "DT_INT8": "int8",
    "DT_INT16": "int16",
    "DT_INT32": "int32",
    "DT_INT64": "int64",
    "DT_UINT8": "uint8",
    "DT_UINT16": "uint16",
    "DT_UINT32": "uint32",
    "DT_UINT64": "uint64",
    "DT_BOOL": "bool",
    "DT_STRING": "string",
}


@dataclass(frozen=True, slots=True)
class Input:
    """One input of a signature."""

    name: str
    dtype: str
    """`float32`, `string`, …"""
    shape: tuple[int, ...] | None
    """-1 where any size will do; None where not even the number of dimensions is fixed."""
    kind: str
    """What it stands for: `image`, `text`, `number`, `category`, `audio`, `video`, `user`, …"""
    sample_rate: int = 0
    """Of an `audio`; 0 where nobody says."""
    categories: frozenset[str] = frozenset()
    """Of a `category`: the values that the model was trained on; empty where nobody says."""

    @property
    def is_single(self) -> bool:
        """Whether it is one value, that holds for all rows of a request."""
        return self.shape == ()

    @property
    def row_shape(self) -> tuple[int, ...] | None:
        """The shape of one row's value."""
        return None if self.shape is None else self.shape[0 if self.is_single else 1 :]

    @property
    def wanted(self) -> str:
        """Such as `age (number)`, for messages."""
        return f"{self.name} ({self.kind})"


@dataclass(frozen=True, slots=True)
class Way:
    """A signature."""

    name: str
    inputs: Mapping[str, Input]
    outputs: Mapping[str, tuple[int, ...] | None] = field(default_factory=dict)
    """Name -> shape."""

    @property
    def takes_rows(self) -> bool:
        """Whether several rows can be put into one request."""
        rows = [each.shape for each in self.inputs.values() if not each.is_single]
        return bool(rows) and all(shape is not None and shape[:1] == (-1,) for shape in (*rows, *self.outputs.values()))

    @property
    def only(self) -> Input | None:
        """Its only input that differs from row to row."""
        rows = [each for each in self.inputs.values() if not each.is_single]
        return rows[0] if len(rows) == 1 else None

    @property
    def wanted(self) -> str:
        """Its inputs, for messages."""
        return ", ".join(each.wanted for each in self.inputs.values()) or "nothing"


@dataclass(frozen=True, slots=True)
class Model:
    """A version that is served."""

    name: str
    """`reviews@3`, or the deployment's name where the version is not known to the caller."""
    ways: Mapping[str, Way]
    task: str = ""
    classes: Sequence[str] = ()
    joins: bool = False
    """Whether several rows may be asked at once: their answers are the same as one by one."""

    def takes(self, name: str) -> bool:
        """Whether any signature has an input that goes by this name."""
        return any(find_input(way, name) for way in self.ways.values())


def find_input(way: Way, name: str) -> Input | None:
    """The input that a value of this name is for: by its name, however it is written, or by what it stands for.

    Users and items go by the names that they may have in the data: `userId`, `movie_id`.
    """
    from modelyard.layouts.names import identifier
    from modelyard.layouts.table_plan import ITEMS, USERS

    if name in way.inputs:
        return way.inputs[name]
    if not name:
        return way.only
    written = [each for each in way.inputs.values() if identifier(each.name) == identifier(name)]
    plain = identifier(name)
    kind = "user" if plain in USERS else "item" if plain in ITEMS else name
    meant = written or [each for each in way.inputs.values() if each.kind == kind]
    return meant[0] if len(meant) == 1 else None


def of_version(version: model_pb2.ModelVersion, name: str) -> Model:
    """What the catalog knows of it."""
    info = version.info
    ways = {}
    for signature in info.signatures:
        inputs = {spec.name: _input(spec.name, spec.dtype, _shape(spec), info) for spec in signature.inputs}
        outputs = {spec.name: _shape(spec) for spec in signature.outputs}
        ways[signature.name] = Way(signature.name, inputs, outputs)
    return Model(name, ways, info.task, tuple(info.classes), info.row_wise)


def of_metadata(answer: metadata_pb2.GetModelMetadataResponse, name: str) -> Model:
    """What the model server says, for callers who may predict and see nothing else."""
    signatures = metadata_pb2.SignatureDefMap.FromString(answer.metadata["signature_def"].value)
    ways = {}
    for key, definition in signatures.signature_def.items():
        if key.startswith("__"):
            continue
        inputs = {
            alias: _input(alias, _dtype(info.dtype), _dimensions(info.tensor_shape), model_pb2.ModelInfo())
            for alias, info in sorted(definition.inputs.items())
        }
        outputs = {alias: _dimensions(info.tensor_shape) for alias, info in definition.outputs.items()}
        ways[key] = Way(key, inputs, outputs)
    return Model(name, ways)


def _input(name: str, dtype: str, shape: tuple[int, ...] | None, info: model_pb2.ModelInfo) -> Input:
    if name in info.inputs:
        said = info.inputs[name]
        return Input(name, dtype, shape, said.kind, said.sample_rate, frozenset(said.categories))
    kind = _BY_NAME.get(name, "text" if dtype == "string" else "number")
    if kind not in MEDIA and kind != "number" and dtype != "string":
        kind = "number"
    return Input(name, dtype, shape, kind)


def _shape(spec: model_pb2.TensorSpec) -> tuple[int, ...] | None:
    return None if spec.unknown_rank else tuple(spec.shape)


def _dimensions(shape: tensor_pb2.TensorShape) -> tuple[int, ...] | None:
    return None if shape.unknown_rank else tuple(dim.size for dim in shape.dim)


def _dtype(number: int) -> str:
    name = tensor_pb2.DataType.Name(number) if number in tensor_pb2.DataType.values() else "unknown"  # type: ignore[arg-type]
    return _DTYPES.get(name, name.removeprefix("DT_").lower())


def listed(names: Iterable[str], most: int = 12) -> str:
    """`a, b, c`, shortened."""
    all_names = list(names)
    more = len(all_names) - most
    return ", ".join(all_names[:most]) + (f" and {more} more" if more > 0 else "")
