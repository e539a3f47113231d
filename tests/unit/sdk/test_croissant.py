"""Croissant 1.0: what its specification requires holds for each layout, and every reference leads somewhere."""

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath
from typing import Any

import pytest

from modelyard.api.catalog.v1 import dataset_pb2
from modelyard.catalog.servicers.dataset_messages import input_spec_message
from modelyard.sdk import croissant
from modelyard.tree import Entry
from tests.support.pictures import idx_pair, picture
from tests.support.sounds import wav
from tests.support.trees import detected

VERSION = "projects/default/datasets/things/versions/3"
REQUIRED = ("@context", "@type", "conformsTo", "description", "license", "name", "url", "creator", "datePublished")
COCO = {
    "images": [{"id": 1, "file_name": "1.png", "width": 8, "height": 6}],
    "annotations": [{"id": 1, "image_id": 1, "category_id": 1, "bbox": [1, 1, 3, 3]}],
    "categories": [{"id": 1, "name": "cat"}],
}
LAYOUTS: dict[str, dict[str, str | bytes]] = {
    "class folders": {f"{split}/{name}/1.png": picture(1) for split in ("train", "test") for name in "ab"},
    "idx": dict(idx_pair("train", [0, 1, 2])),
    "table": {"train.csv": "Some size,colour\n1,red\n2,blue\n", "test.csv": "Some size,colour\n1,red\n"},
    "one table": {"all.csv": "size,colour\n" + "".join(f"{at},{'rb'[at % 2]}\n" for at in range(40))},
    "sounds of a table": {
        "train.csv": "audio,transcript\na.wav,hello there\nb.wav,good day\n",
        "a.wav": wav(seed=1),
        "b.wav": wav(seed=2),
    },
    "lines": {"train.txt": "one line\nanother\n", "test.txt": "a third\n"},
    "parallel": {f"{split}.{language}": "one\ntwo\n" for split in ("train", "test") for language in ("en", "it")},
    "coco": {
        **{f"{split}/1.png": picture(at) for at, split in enumerate(("train", "val"))},
        **{f"{split}.json": json.dumps(COCO) for split in ("train", "val")},
    },
    "interactions": {
        "train.csv": "user,item,rating,time\n1,2,3,1600000000\n2,3,4,1600000001\n",
        "test.csv": "user,item,rating,time\n1,3,3,1600000002\n",
        "items.csv": "item,title\n2,Two\n3,Three\n",
    },
}  # fmt: skip


def described(files: Mapping[str, str | bytes], licence: str = "") -> dict[str, Any]:
    description, _ = detected(files)
    version = dataset_pb2.DatasetVersion(name=VERSION, digest=f"sha256:{'ab' * 32}", creator="users/ada")
    version.create_time.FromJsonString("2026-02-03T04:05:06Z")
    data = {path: content.encode() if isinstance(content, str) else content for path, content in files.items()}
    entries = [Entry(path, len(each), hashlib.sha256(each).hexdigest(), "pack", 0) for path, each in data.items()]
    document = croissant.describe(version, input_spec_message(VERSION, description), entries, licence)
    reread: dict[str, Any] = json.loads(json.dumps(document))
    return reread


def nodes(value: Any) -> Iterator[dict[str, Any]]:
    """Every object in the document but the context."""
    if isinstance(value, list):
        for each in value:
            yield from nodes(each)
    elif isinstance(value, dict):
        yield value
        for key, each in value.items():
            if key not in ("@context", "data"):
                yield from nodes(each)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_what_the_specification_requires_is_there(layout: str) -> None:
    document = described(LAYOUTS[layout])
    assert not [key for key in REQUIRED if not document.get(key)]
    assert document["@type"] == "sc:Dataset"
    assert document["conformsTo"] == "http://mlcommons.org/croissant/1.0"
    assert document["datePublished"] == "2026-02-03"
    assert document["version"] == "3.0.0"
    for part in document["distribution"]:
        assert part["@type"] in ("cr:FileObject", "cr:FileSet")
        assert part["name"]
        assert part["encodingFormat"]
        if part["@type"] == "cr:FileObject":
            assert part["contentUrl"]
            assert re.fullmatch("[0-9a-f]{64}", part["sha256"])
        else:
            assert part["includes"]
            assert part["containedIn"]
    for records in document["recordSet"]:
        assert records["@type"] == "cr:RecordSet"
        assert records["field"]
        for field in records["field"]:
            assert field["@type"] == "cr:Field"
            assert field["dataType"]
            assert field["@id"].rpartition("/")[2] == field["name"]


@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_identifier_is_unique_and_every_reference_leads_to_one(layout: str) -> None:
    document = described(LAYOUTS[layout])
    defined = [node["@id"] for node in nodes(document) if "@id" in node and len(node) > 1]
    assert len(defined) == len(set(defined))
    assert {node["@id"] for node in nodes(document) if set(node) == {"@id"}} <= set(defined)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_file_is_described_and_no_pattern_finds_nothing(layout: str) -> None:
    files = LAYOUTS[layout]
    left = set(files)
    for part in described(files)["distribution"]:
        if part["@type"] == "cr:FileObject":
            left.discard(part["contentUrl"])
            continue
        patterns = [part["includes"]] if isinstance(part["includes"], str) else part["includes"]
        for pattern in patterns:
            found = {path for path in files if _matches(path, pattern)}
            assert found, pattern
            left -= found
    assert not left


@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_field_says_where_its_values_are(layout: str) -> None:
    for records in described(LAYOUTS[layout])["recordSet"]:
        if "data" in records:
            assert all(set(row) == {field["@id"] for field in records["field"]} for row in records["data"])
            continue
        for field in records["field"]:
            source = field["source"]
            assert len({"fileObject", "fileSet"} & set(source)) == 1
            assert set(source["extract"]) <= {"column", "fileProperty", "jsonPath"}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_record_set_joins_whatever_its_values_come_from(layout: str) -> None:
    """As mlcroissant checks it: two sources need a reference between them, and a reference names a field."""
    for records in described(LAYOUTS[layout])["recordSet"]:
        sources = set()
        for field in records["field"]:
            if "source" in field:
                (place,) = (field["source"][kind] for kind in ("fileObject", "fileSet") if kind in field["source"])
                sources.add(place["@id"])
            assert set(field.get("references", {"field": ""})) == {"field"}
        assert len(sources) <= 1


@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_field_is_of_a_type_that_a_reader_can_make(layout: str) -> None:
    known = {"sc:Text", "sc:Integer", "sc:Float", "sc:URL", "sc:ImageObject", "sc:AudioObject", "cr:BoundingBox"}
    for records in described(LAYOUTS[layout])["recordSet"]:
        for field in records["field"]:
            kinds = field["dataType"] if isinstance(field["dataType"], list) else [field["dataType"]]
            assert known & set(kinds), field["@id"]


def test_columns_are_called_as_in_the_file() -> None:
    (_, examples) = described(LAYOUTS["table"])["recordSet"]
    columns = {field["name"]: field["source"]["extract"].get("column") for field in examples["field"]}
    assert columns["some_size"] == "Some size"
    assert columns["colour"] == "colour"


@pytest.mark.parametrize(
    ("path", "split", "layout"),
    [("train/a/1.png", "train", "class folders"), ("test.csv", "test", "table"), ("val/1.png", "val", "coco")],
)
def test_the_split_can_be_read_from_a_path(path: str, split: str, layout: str) -> None:
    examples = next(each for each in described(LAYOUTS[layout])["recordSet"] if each["@id"] == "examples")
    (field,) = (each for each in examples["field"] if each["name"] == "split")
    assert field["references"] == {"field": {"@id": "splits/name"}}
    found = re.search(field["source"]["transform"]["regex"], f"folder/{path}")
    assert found is not None
    assert found.group(1) == split


@pytest.mark.parametrize(
    ("licence", "written"),
    [
        ("CC-BY-4.0", "https://spdx.org/licenses/CC-BY-4.0.html"),
        ("https://example.org/terms", "https://example.org/terms"),
        ("", {"@type": "sc:CreativeWork", "name": "not stated"}),
        ("for research only", {"@type": "sc:CreativeWork", "name": "for research only"}),
    ],
)
def test_a_licence_is_an_address_where_it_can_be(licence: str, written: object) -> None:
    assert described(LAYOUTS["lines"], licence)["license"] == written


def _matches(path: str, pattern: str) -> bool:
    """As glob does it: ** is any number of folders."""
    top, double, rest = pattern.partition("/**/")
    if not double:
        return PurePosixPath(path).match(pattern) and path.count("/") == pattern.count("/")
    return path.startswith(f"{top}/") and PurePosixPath(path).match(rest)
