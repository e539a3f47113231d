import json
from typing import Any

import pytest

from modelyard.layouts import DataUnreadable, LayoutError, SplitRule
from tests.support.pictures import picture
from tests.support.trees import detected, whole

CATEGORIES = [{"id": 7, "name": "cat"}, {"id": 3, "name": "dog"}]


def boxes(count: int, **changes: Any) -> str:
    """Image number n has n % 3 boxes."""
    fields = {
        "info": {"about": "it"},
        "images": [{"id": at, "file_name": f"{at}.png", "width": 8, "height": 6} for at in range(count)],
        "annotations": [
            {
                "id": 10 * at + box,
                "image_id": at,
                "category_id": 7 if box else 3,
                "bbox": [box, 1, 2.5, 3],
                "iscrowd": 0,
            }
            for at in range(count)
            for box in range(at % 3)
        ],
        "categories": CATEGORIES,
        **changes,
    }
    return json.dumps(fields)


def images(folder: str, count: int) -> dict[str, str | bytes]:
    return {f"{folder}/{at}.png": picture(at, mode="RGB") for at in range(count)}


def test_images_and_their_boxes() -> None:
    files = images("images", 30) | {"boxes.json": boxes(30)}
    description, rows, problems = whole(files)
    image, edges, labels = description.features
    assert (description.modality, description.layout, description.split_rule.by) == ("image", "coco", "hash")
    assert (image.kind, edges.kind, edges.shape, labels.shape, labels.classes) == (
        "image",
        "boxes",
        (None, 4),
        (None,),
        ("dog", "cat"),
    )
    at = rows["train"].origins.index("images/2.png")
    assert rows["train"].columns["boxes"][at] == [[0, 1, 2.5, 4], [1, 1, 3.5, 4]]
    assert rows["train"].columns["labels"][at] == [0, 1]
    assert rows["train"].columns["image"][at] == files["images/2.png"]
    assert rows["train"].columns["boxes"][rows["train"].origins.index("images/3.png")] == []
    assert problems == []


def test_the_folders_of_the_coco_sets() -> None:
    files = images("train2017", 20) | images("val2017", 4)
    files |= {"annotations/instances_train2017.json": boxes(20), "annotations/instances_val2017.json": boxes(4)}
    description, rows, _ = whole(files)
    assert description.split_rule == SplitRule("file")
    assert rows["train"].origins[3] == "train2017/3.png"
    assert rows["validation"].origins == [f"val2017/{at}.png" for at in range(4)]


def test_what_is_wrong_with_a_box_or_an_image_is_named_and_the_rest_goes_on() -> None:
    annotations = [
        {"image_id": 0, "category_id": 7, "bbox": [0, 0, 2, 2]},
        {"image_id": 0, "category_id": 7, "bbox": [0, 0, 0, 2]},
        {"image_id": 0, "category_id": 7, "bbox": [0, 0, "2", 2]},
        {"image_id": 0, "category_id": 7, "bbox": None},
        {"image_id": 0, "category_id": 7, "bbox": [0, 0, 1e12, 2]},
        {"image_id": 0, "category_id": 7, "segmentation": [[1, 2]], "iscrowd": 1},
    ]
    files = images("images", 10) | {
        "images/3.png": b"\x89PNG\r\n\x1a\n",
        "boxes.json": boxes(12, annotations=annotations),
    }
    _, _, problems = whole(files)
    assert sorted(problems) == [
        "boxes.json: annotation 2 has no box but [0, 0, 0, 2]; a box is [x, y, width, height]",
        "boxes.json: annotation 3 has no box but [0, 0, '2', 2]; a box is [x, y, width, height]",
        "boxes.json: annotation 4 has no box but None; a box is [x, y, width, height]",
        "boxes.json: annotation 5 has a box far out: [0, 0, 1000000000000.0, 2]",
        "boxes.json: there is no file images/10.png",
        "boxes.json: there is no file images/11.png",
        "images/3.png: ends after 8 bytes, inside its header",
    ]


def test_boxes_of_unknown_images_and_categories_are_told_by_both_who_describe_and_who_read() -> None:
    annotations = [
        {"image_id": 99, "category_id": 7, "bbox": [0, 0, 2, 2]},
        {"image_id": 1, "category_id": 5, "bbox": [0, 0, 2, 2]},
    ]
    files = images("images", 10) | {"boxes.json": boxes(10, annotations=annotations)}
    _, _, problems = whole(files)
    assert sorted(problems) == [
        "boxes.json: annotation 1 is of image 99, which there is not",
        "boxes.json: annotation 2 has the category 5, which there is not",
    ]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (boxes(9)[:-20], "boxes.json is no JSON: "),
        (boxes(9).replace('"images"', '"pictures"'), "boxes.json has no 'images'; it has info, pictures"),
        (boxes(9, categories=[]), "boxes.json has no 'categories'"),
        (boxes(9, categories=[{"id": 1, "name": "a\n"}]), "boxes.json has a category called 'a\\n'"),
        (boxes(9).replace(".png", ".gif"), "boxes.json names images such as '0.gif', which are not in the folder"),
    ],
)
def test_what_is_no_file_of_boxes_says_why(content: str, said: str) -> None:
    with pytest.raises(DataUnreadable) as refused:
        detected(images("images", 9) | {"boxes.json": content})
    assert refused.value.message.startswith(said)


def test_a_box_ends_where_its_image_does_and_one_that_lies_outside_is_named_by_both_who_describe_and_who_read() -> None:
    annotations = [
        {"image_id": 1, "category_id": 7, "bbox": [-2, 1, 4, 300]},
        {"image_id": 1, "category_id": 3, "bbox": [60, 1, 4, 4]},
        {"image_id": 2, "category_id": 3, "bbox": [-9, 2, 9, 4]},
    ]
    files = images("images", 10) | {"boxes.json": boxes(10, annotations=annotations)}
    _, rows, problems = whole(files)
    every = {
        origin: box
        for split in rows.values()
        for origin, box in zip(split.origins, split.columns["boxes"], strict=True)
    }
    width, height = 8, 6
    assert every["images/1.png"] == [[0, 1, 2, height]]
    assert every["images/2.png"] == []
    assert sorted(problems) == [
        f"boxes.json: annotation 2 lies outside of images/1.png ({width} × {height} pixels): [60, 1, 4, 4]",
        f"boxes.json: annotation 3 lies outside of images/2.png ({width} × {height} pixels): [-9, 2, 9, 4]",
    ]


def test_a_large_file_of_boxes_is_read_in_pieces() -> None:
    text = boxes(9, info={"about": "x" * (3 << 20)})
    description, _, _ = whole(images("images", 9) | {"boxes.json": text})
    assert sum(description.examples.values()) == 9


def test_coco_that_is_asked_for_needs_images_and_boxes() -> None:
    with pytest.raises(LayoutError, match="there is no JSON file with"):
        detected({"a.csv": "x,y\n1,2\n"}, layout="coco")
