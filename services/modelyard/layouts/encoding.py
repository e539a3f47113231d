"""Writes descriptions."""

import json
from typing import Any

from modelyard.layouts.description import FORMAT, Description, Feature, Items, Table


def to_json(description: Description) -> dict[str, Any]:
    """The fields as JSON has them; what is empty is left out."""
    fields: dict[str, Any] = {
        "format": FORMAT,
        "modality": description.modality,
        "layout": description.layout,
        "features": {feature.name: _feature(feature) for feature in description.features},
        "split_rule": _without_empty(
            by=description.split_rule.by,
            column=description.split_rule.column,
            held_out=dict(description.split_rule.held_out),
        ),
        "splits": {
            split.name: {"examples": split.examples, **_without_empty(files=list(split.files))}
            for split in description.splits
        },
    }
    if description.files:
        fields["files"] = dict(description.files)
    if description.table is not None:
        fields["table"] = _table(description.table)
    if description.items is not None:
        fields["items"] = _items(description.items)
    if description.generated is not None:
        fields["generated"] = dict(description.generated)
    return fields


def to_bytes(description: Description) -> bytes:
    """The file."""
    return json.dumps(to_json(description), indent=1, ensure_ascii=False).encode() + b"\n"


def _feature(feature: Feature) -> dict[str, Any]:
    return {
        "kind": feature.kind,
        "dtype": feature.dtype,
        "shape": list(feature.shape),
        "role": feature.role,
        **_without_empty(
            encoding=feature.encoding,
            classes=list(feature.classes),
            column=feature.column,
            folder=feature.folder,
            suffix=feature.suffix,
        ),
    }


def _table(table: Table) -> dict[str, Any]:
    return {
        "format": table.format,
        **_without_empty(delimiter=table.delimiter),
        "encoding": table.encoding,
        "header": table.header,
        **({} if table.quoted else {"quoted": False}),
    }


def _items(items: Items) -> dict[str, Any]:
    return {
        "file": items.file,
        "key": items.key,
        "features": {feature.name: _feature(feature) for feature in items.features},
        "table": _table(items.table),
    }


def _without_empty(**fields: Any) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value}
