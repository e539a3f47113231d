"""What datasets say of themselves, and what was found in them, as messages and back."""

import math
from collections.abc import Iterable, Mapping
from typing import Any

from google.protobuf import json_format
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message

from modelyard.api.catalog.v1 import dataset_pb2, statistics_pb2
from modelyard.catalog.domain.statistics import MAX_BYTES, Statistics
from modelyard.foundation.errors import InvalidArgument
from modelyard.layouts.description import Description, Feature

MAX_TEXT = 2048
MAX_ENTRIES = 10_000


def input_spec_message(version: str, description: Description) -> dataset_pb2.InputSpec:
    rule = description.split_rule
    return dataset_pb2.InputSpec(
        layout=description.layout,
        modality=description.modality,
        features=map(_feature_message, description.features),
        splits=[dataset_pb2.Split(name=split.name, example_count=split.examples) for split in description.splits],
        dataset_version=version,
        split_rule=dataset_pb2.SplitRule(by=rule.by, column=rule.column, held_out=dict(rule.held_out)),
        item_features=map(_feature_message, description.items.features if description.items else ()),
        generated_by=_generator(description.generated or {}),
    )


def _feature_message(feature: Feature) -> dataset_pb2.Feature:
    return dataset_pb2.Feature(
        name=feature.name,
        dtype=feature.dtype,
        shape=[-1 if size is None else size for size in feature.shape],
        encoding=feature.encoding,
        classes=feature.classes,
        kind=dataset_pb2.Feature.Kind.Value(f"KIND_{feature.kind.upper()}"),
        role=dataset_pb2.Feature.Role.Value(f"ROLE_{feature.role.upper()}"),
        column=feature.column,
    )


def _generator(generated: Mapping[str, Any]) -> str:
    """`modelyard gallery, seed 1`"""
    shown = [str(value) if key == "by" else f"{key} {value}" for key, value in sorted(generated.items())]
    return ", ".join(shown)[:MAX_TEXT]


def statistics_message(statistics: Statistics) -> statistics_pb2.Statistics:
    message = json_format.ParseDict(dict(statistics.found), statistics_pb2.Statistics(), ignore_unknown_fields=True)
    message.dataset_version = str(statistics.dataset)
    message.job = str(statistics.job)
    message.create_time.FromDatetime(statistics.create_time)
    message.report = statistics.report
    return message


def found_of(message: statistics_pb2.Statistics, at: str) -> dict[str, Any]:
    """What was counted, as it is kept. InvalidArgument for what can't be: names the field."""
    if message.ByteSize() > MAX_BYTES:
        raise InvalidArgument(f"{at} has {message.ByteSize()} bytes; at most {MAX_BYTES} are kept", field=at)
    if not message.splits:
        raise InvalidArgument(f"{at}.splits is empty; count the examples of each split", field=f"{at}.splits")
    counted = statistics_pb2.Statistics()
    counted.CopyFrom(message)
    # What is kept by itself.
    for field in ("dataset_version", "job", "create_time", "report"):
        counted.ClearField(field)
    _check(counted, at)
    return json_format.MessageToDict(counted, preserving_proto_field_name=True)


def _check(message: Message, at: str) -> None:
    """Refuses numbers that JSON has no word for, counts below zero, and texts that SQL can't keep."""
    for field, value in message.ListFields():
        path = f"{at}.{field.name}"
        values: Iterable[Any] = value if field.is_repeated else (value,)
        if field.is_repeated and len(value) > MAX_ENTRIES:
            raise InvalidArgument(f"{path} has {len(value)} entries; at most {MAX_ENTRIES} are kept", field=path)
        for one in values:
            if field.type == FieldDescriptor.TYPE_MESSAGE:
                _check(one, path)
            elif problem := _problem(field.type, one):
                raise InvalidArgument(f"{path} {problem}", field=path)


def _problem(kind: int, value: Any) -> str:
    if kind == FieldDescriptor.TYPE_DOUBLE and not math.isfinite(value):
        return f"is {value}, which is no number that can be kept"
    if kind == FieldDescriptor.TYPE_INT64 and value < 0:
        return f"is {value}; counts are 0 or more"
    if kind == FieldDescriptor.TYPE_STRING and (len(value) > MAX_TEXT or "\0" in value):
        return f"has a text of {len(value)} characters; at most {MAX_TEXT} are kept, and none with NUL"
    return ""
