"""What the files hold: record sets with a field for each feature."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from modelyard.api.catalog.v1 import dataset_pb2
from modelyard.sdk.croissant import splits
from modelyard.sdk.croissant.resources import Resource
from modelyard.sdk.croissant.splits import Told

EXAMPLES = "examples"
_Kind = dataset_pb2.Feature.Kind
_TYPES = {
    "IMAGE": "sc:ImageObject",
    "AUDIO": "sc:AudioObject",
    "VIDEO": "sc:VideoObject",
    "BOXES": "cr:BoundingBox",
}


def of_class_folders(source: Resource, spec: dataset_pb2.InputSpec, told: Told) -> dict[str, Any]:
    """A file an example; the folder it is in is its class."""
    fields = []
    for feature in spec.features:
        where = source.source(file_property="content")
        if feature.role == dataset_pb2.Feature.ROLE_TARGET:
            where = {**source.source(file_property="fullpath"), "transform": {"regex": "(?:.*/)?([^/]*)/[^/]*$"}}
        fields.append(_field(EXAMPLES, feature, where))
    split = splits.field(source, spec, told, EXAMPLES)
    for field in split:
        # mlcroissant joins by writing the split over the path, out of which the label could then not be read.
        del field["references"]
    return _record_set(EXAMPLES, [*fields, *split])


def of_table(
    source: Resource, spec: dataset_pb2.InputSpec, features: Iterable[dataset_pb2.Feature], told: Told, media: str
) -> dict[str, Any]:
    """A row an example; a column may name a file. `features` are those of the spec that have a column."""
    fields = []
    for feature in features:
        where = source.source(column=feature.column or feature.name)
        field = _field(EXAMPLES, feature, where)
        if media and _kind(feature) in ("IMAGE", "AUDIO", "VIDEO"):
            field["description"] = f"The column has the file's path; its content is in the file set {media}."
            field["dataType"] = "sc:Text"
        if told.column == (feature.column or feature.name):
            field |= splits.AS_SPLIT
        fields.append(field)
    return _record_set(EXAMPLES, [*fields, *splits.field(source, spec, told, EXAMPLES)])


def of_items(source: Resource, features: Sequence[dataset_pb2.Feature]) -> dict[str, Any]:
    """What the items of interactions are."""
    fields = [_field("items", feature, source.source(column=feature.column or feature.name)) for feature in features]
    key = [field["@id"] for field, feature in zip(fields, features, strict=True) if _is_item(feature)]
    return _record_set("items", fields) | ({"key": {"@id": key[0]}} if key else {})


def of_lines(source: Resource, spec: dataset_pb2.InputSpec, told: Told) -> dict[str, Any]:
    """A line an example."""
    fields = [_field(EXAMPLES, feature, source.source(file_property="lines")) for feature in spec.features]
    return _record_set(EXAMPLES, [*fields, *splits.field(source, spec, told, EXAMPLES)])


def of_parallel(sources: Mapping[str, Resource], spec: dataset_pb2.InputSpec, told: Told) -> list[dict[str, Any]]:
    """The same line of two files is an example. A record set for each side: one that has both would have to join them
    by a key, and a line's number is one only within a file."""
    found = []
    for feature in spec.features:
        if feature.name not in sources:
            continue
        source, name = sources[feature.name], f"{EXAMPLES}-{feature.name}"
        number = {
            "@type": "cr:Field",
            "@id": f"{name}/line",
            "name": "line",
            "description": "The same line of the files of the other side belongs to it.",
            "dataType": "sc:Integer",
            "source": source.source(file_property="lineNumbers"),
        }
        lines = _field(name, feature, source.source(file_property="lines"))
        found.append(_record_set(name, [lines, number, *splits.field(source, spec, told, name)]))
    return found


def of_contents(source: Resource, spec: dataset_pb2.InputSpec, told: Told, only: str = "") -> dict[str, Any]:
    """Files of which the format knows no more than that they have a content: IDX, TFRecord, COCO's images."""
    fields = [
        _field(EXAMPLES, feature, source.source(file_property="content"))
        for feature in spec.features
        if only in ("", feature.name)
    ]
    return _record_set(EXAMPLES, [*fields, *splits.field(source, spec, told, EXAMPLES)])


def of_coco(source: Resource) -> dict[str, Any]:
    """The boxes of a COCO file; x, y, width, height there."""
    # The file itself has its name as its id.
    name = f"{source.identifier}-boxes"
    paths = {
        "image_id": ("sc:Integer", "$.annotations[*].image_id"),
        "bbox": ("cr:BoundingBox", "$.annotations[*].bbox"),
        "category_id": (["sc:Integer", "cr:Label"], "$.annotations[*].category_id"),
    }
    fields = [
        {
            "@type": "cr:Field",
            "@id": f"{name}/{field}",
            "name": field,
            "dataType": kind,
            "source": source.source(json_path=path),
        }
        for field, (kind, path) in paths.items()
    ]
    return _record_set(name, fields)


def _record_set(name: str, fields: list[dict[str, Any]]) -> dict[str, Any]:
    return {"@type": "cr:RecordSet", "@id": name, "name": name, "field": fields}


def _field(records: str, feature: dataset_pb2.Feature, source: dict[str, Any]) -> dict[str, Any]:
    kind = _TYPES.get(_kind(feature)) or _plain_type(feature)
    field: dict[str, Any] = {
        "@type": "cr:Field",
        "@id": f"{records}/{feature.name}",
        "name": feature.name,
        "dataType": [kind, "cr:Label"] if feature.role == dataset_pb2.Feature.ROLE_TARGET else kind,
        "source": source,
    }
    if (-1 in feature.shape and _kind(feature) not in _TYPES) or _kind(feature) == "BOXES":
        field["repeated"] = True
    return field


def _plain_type(feature: dataset_pb2.Feature) -> str:
    if feature.dtype == "string" or feature.classes or _kind(feature) == "TIME":
        # A time is written as seconds or as a date.
        return "sc:Text"
    return "sc:Integer" if feature.dtype == "int64" else "sc:Float"


def _kind(feature: dataset_pb2.Feature) -> str:
    return _Kind.Name(feature.kind).removeprefix("KIND_")


def _is_item(feature: dataset_pb2.Feature) -> bool:
    return feature.role == dataset_pb2.Feature.ROLE_ITEM
