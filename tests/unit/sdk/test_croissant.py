"""Croissant 1.0: what its specification requires holds for each layout, and every reference leads somewhere."""

import re
from collections.abc import Iterable, Iterator
from fnmatch import fnmatchcase
from typing import Any

import pytest

from modelyard.layouts import DESCRIPTION_FILE
from tests.support.croissant import boxes, described, extracted
from tests.support.pictures import idx_pair, picture
from tests.support.sounds import wav

REQUIRED = ("@context", "@type", "conformsTo", "description", "license", "name", "url", "creator", "datePublished")
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
        **{f"{split}.json": boxes("1.png") for split in ("train", "val")},
    },
    "interactions": {
        "train.csv": "user,item,rating,time\n1,2,3,1600000000\n2,3,4,1600000001\n",
        "test.csv": "user,item,rating,time\n1,3,3,1600000002\n",
        "items.csv": "item,title\n2,Two\n3,Three\n",
    },
    "interactions of one table": {
        "interactions.csv": "user,item,rating\n" + "".join(f"{at % 7},{at % 5},{at % 9}\n" for at in range(90)),
        "items.csv": "item,title\n" + "".join(f"{at},Film {at}\n" for at in range(5)),
    },
    "movielens": {
        "README.txt": "Summary\n",
        "links.csv": "movieId,imdbId,tmdbId\n1,2,3\n",
        "movies.csv": "movieId,title,genres\n" + "".join(f"{at},Film {at},Drama|Comedy\n" for at in range(5)),
        "ratings.csv": "userId,movieId,rating,timestamp\n"
        + "".join(f"{at % 7},{at % 5},{at % 9 / 2},{1260759144 + at}\n" for at in range(90)),
        "tags.csv": "userId,movieId,tag,timestamp\n1,2,fun,1260759144\n",
    },
    "notes beside class folders": {
        **{f"{name}/{at}.png": picture(at) for at in range(9) for name in "ab"},
        "README.md": "About\n",
        "notes.csv": "what,who\nlight,ann\n",
        "a/about.txt": "mine\n",
    },
    "names with spaces": {
        "my ratings.tsv": "user\titem\n" + "".join(f"{at % 7}\t{at % 5}\n" for at in range(90)),
        "the items.csv": "item,title\n1,One\n2,Two\n",
    },
    "a column of splits": {
        "all.csv": "x,split,label\n" + "".join(f"{at},{'train' if at % 3 else 'test'},{at % 2}\n" for at in range(40)),
    },
    "a column called like the split of the files": {
        f"{name}.csv": "x,split,label\n" + "".join(f"{at},{at % 7},{at % 2}\n" for at in range(40))
        for name in ("train", "test")
    },
}  # fmt: skip


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


def files_of(document: dict[str, Any], identifier: str, paths: Iterable[str]) -> list[str]:
    """The files that a part of the distribution means, as mlcroissant finds them: `*` is any text, also with a /."""
    (part,) = (part for part in document["distribution"] if part["@id"] == identifier)
    if part["@type"] == "cr:FileObject":
        return [path for path in paths if path == part["contentUrl"]]
    patterns = [part["includes"]] if isinstance(part["includes"], str) else part["includes"]
    assert all(any(fnmatchcase(path, pattern) for path in paths) for pattern in patterns)
    return [path for path in paths if any(fnmatchcase(path, pattern) for pattern in patterns)]


def place(records: dict[str, Any]) -> str:
    """The part of the distribution that a record set is read from."""
    source = records["field"][0]["source"]
    identifier: str = (source.get("fileObject") or source["fileSet"])["@id"]
    return identifier


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
def test_every_identifier_is_one_that_mlcroissant_takes(layout: str) -> None:
    assert not [node["@id"] for node in nodes(described(LAYOUTS[layout])) if re.search(r"\s", node.get("@id", ""))]


@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_file_is_described_once_and_no_pattern_finds_nothing(layout: str) -> None:
    document, found = described(LAYOUTS[layout]), []
    for part in document["distribution"]:
        files = files_of(document, part["@id"], [*LAYOUTS[layout], DESCRIPTION_FILE])
        assert files, part
        found += files
    assert sorted(found) == sorted(LAYOUTS[layout])


@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_column_is_one_of_the_files_that_it_is_read_from(layout: str) -> None:
    for records in described(LAYOUTS[layout])["recordSet"]:
        for field in records["field"]:
            column = field.get("source", {}).get("extract", {}).get("column")
            if column is None:
                continue
            place = field["source"].get("fileObject") or field["source"]["fileSet"]
            for path in files_of(described(LAYOUTS[layout]), place["@id"], LAYOUTS[layout]):
                header = str(LAYOUTS[layout][path]).partition("\n")[0]
                assert column in re.split(r"[,\t]", header), (field["@id"], path)


@pytest.mark.parametrize(
    ("layout", "ratings", "items"),
    [
        ("interactions", ["train.csv", "test.csv"], "items.csv"),
        ("interactions of one table", ["interactions.csv"], "items.csv"),
        ("movielens", ["ratings.csv"], "movies.csv"),
        ("names with spaces", ["my ratings.tsv"], "the items.csv"),
    ],
)
def test_ratings_and_items_are_read_from_the_tables_that_a_job_reads(
    layout: str, ratings: list[str], items: str
) -> None:
    document, files = described(LAYOUTS[layout]), list(LAYOUTS[layout])
    _, examples, of_items = document["recordSet"]
    assert sorted(files_of(document, place(examples), files)) == sorted(ratings)
    assert files_of(document, place(of_items), files) == [items]
    title = next((field for field in of_items["field"] if field["name"] == "title"), None)
    assert title is not None
    assert title["source"]["extract"] == {"column": "title"}


def test_parallel_texts_are_texts_whatever_they_are_called() -> None:
    formats = {part["encodingFormat"] for part in described(LAYOUTS["parallel"])["distribution"]}
    assert formats == {"text/plain"}


def test_a_time_is_read_as_it_is_written() -> None:
    days = "day,sold,label\n" + "".join(f"2026-02-{at % 28 + 1:02},{at},{at % 2}\n" for at in range(40))
    (_, examples) = described({"days.csv": days})["recordSet"]
    assert next(field["dataType"] for field in examples["field"] if field["name"] == "day") == "sc:Text"


@pytest.mark.parametrize("layout", ["class folders", "notes beside class folders"])
def test_the_folder_that_a_file_is_in_is_its_class(layout: str) -> None:
    document = described(LAYOUTS[layout])
    (_, examples) = document["recordSet"]
    (label,) = (field for field in examples["field"] if field["name"] == "label")
    for path in files_of(document, place(examples), LAYOUTS[layout]):
        assert extracted(label, path) == path.split("/")[-2]
        assert path.endswith(".png")
    # mlcroissant writes what a joined field is made into over the path, out of which the label is read.
    assert not [field for field in examples["field"] if "references" in field]


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


@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_split_that_a_path_says_is_one_that_is_declared(layout: str) -> None:
    document = described(LAYOUTS[layout])
    splits, *others = document["recordSet"]
    names = {row["splits/name"] for row in splits["data"]}
    for field in (field for records in others for field in records["field"]):
        if "cr:Split" in field["dataType"] and "transform" in field["source"]:
            paths = files_of(document, field["source"]["fileSet"]["@id"], LAYOUTS[layout])
            assert {extracted(field, path) for path in paths} == names


def test_a_column_of_splits_is_the_split_and_no_second_field_is() -> None:
    (_, examples) = described(LAYOUTS["a column of splits"])["recordSet"]
    (split,) = (field for field in examples["field"] if "cr:Split" in field["dataType"])
    assert split["source"]["extract"] == {"column": "split"}
    assert split["references"] == {"field": {"@id": "splits/name"}}


@pytest.mark.parametrize(
    ("licence", "written"),
    [
        ("CC-BY-4.0", "https://spdx.org/licenses/CC-BY-4.0.html"),
        ("cc0-1.0", "https://spdx.org/licenses/CC0-1.0.html"),
        ("GPL-2", {"@type": "sc:CreativeWork", "name": "GPL-2"}),
        ("proprietary", {"@type": "sc:CreativeWork", "name": "proprietary"}),
        ("https://example.org/terms", "https://example.org/terms"),
        ("", {"@type": "sc:CreativeWork", "name": "not stated"}),
        ("for research only", {"@type": "sc:CreativeWork", "name": "for research only"}),
    ],
)
def test_a_licence_is_an_address_where_it_can_be(licence: str, written: object) -> None:
    assert described(LAYOUTS["lines"], licence)["license"] == written
