"""Datasets in memory, as Croissant describes them; and what a reader makes of a path."""

import hashlib
import json
import re
from collections.abc import Mapping
from typing import Any

from modelyard.api.catalog.v1 import dataset_pb2
from modelyard.catalog.servicers.dataset_messages import input_spec_message
from modelyard.sdk import croissant
from modelyard.tree import Entry
from tests.support.trees import detected

VERSION = "projects/default/datasets/things/versions/3"


def described(files: Mapping[str, str | bytes], licence: str = "", **options: Any) -> dict[str, Any]:
    """The document, written and read again."""
    description, _ = detected(files, **options)
    version = dataset_pb2.DatasetVersion(name=VERSION, digest=f"sha256:{'ab' * 32}", creator="users/ada")
    version.create_time.FromJsonString("2026-02-03T04:05:06Z")
    data = {path: content.encode() if isinstance(content, str) else content for path, content in files.items()}
    entries = [Entry(path, len(each), hashlib.sha256(each).hexdigest(), "pack", 0) for path, each in data.items()]
    document = croissant.describe(
        version,
        input_spec_message(VERSION, description),
        description,
        entries,
        licence,
        lambda entry: data[entry.path][: croissant.HEAD_BYTES],
    )
    reread: dict[str, Any] = json.loads(json.dumps(document))
    return reread


def examples_of(document: dict[str, Any]) -> dict[str, Any]:
    """The fields of the examples by their names."""
    (examples,) = (each for each in document["recordSet"] if each["@id"] == "examples")
    return {field["name"]: field for field in examples["field"]}


def extracted(field: dict[str, Any], path: str) -> str:
    """What is made of a path, as mlcroissant does it: the pattern has to match from the beginning."""
    found = re.match(field["source"]["transform"]["regex"], path)
    assert found is not None, path
    return found[1]


def boxes(*names: str) -> str:
    """A COCO file of these images."""
    return json.dumps(
        {
            "images": [{"id": at, "file_name": name, "width": 8, "height": 6} for at, name in enumerate(names, 1)],
            "annotations": [
                {"id": at, "image_id": at, "category_id": 1, "bbox": [1, 1, 3, 3]} for at in range(1, len(names) + 1)
            ],
            "categories": [{"id": 1, "name": "cat"}],
        }
    )
