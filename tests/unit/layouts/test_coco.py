import json
from typing import Any

import pytest

from modelyard.layouts import DataUnreadable, LayoutError, SplitRule
from tests.support.pictures import picture
from tests.support.trees import detected, whole

CATEGORIES = [{"id": 7, "name": "cat"}, {"id": 3, "name": "dog"}]
GOOD = [{"image_id": 5, "category_id": 7, "bbox": [0, 0, 2, 2]}] * 5


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
        *GOOD,
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
        *GOOD,
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
        *GOOD,
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


def test_ids_may_be_texts_or_whole_floats() -> None:
    fields = json.loads(boxes(10))
    for image in fields["images"]:
        image["id"] = f"{image['id']:06}"
    for annotation in fields["annotations"]:
        annotation["image_id"] = f"{annotation['image_id']:06}"
        annotation["category_id"] = float(annotation["category_id"])
    expected = whole(images("images", 10) | {"boxes.json": boxes(10)})
    assert whole(images("images", 10) | {"boxes.json": json.dumps(fields)}) == expected


def test_categories_may_be_known_by_texts() -> None:
    fields = json.loads(boxes(10, categories=[{"id": "d", "name": "dog"}, {"id": "c", "name": "cat"}]))
    for annotation in fields["annotations"]:
        annotation["category_id"] = {7: "c", 3: "d"}[annotation["category_id"]]
    description, rows, problems = whole(images("images", 10) | {"boxes.json": json.dumps(fields)})
    assert (description.features[2].classes, problems) == (("cat", "dog"), [])
    assert rows["train"].columns["labels"][rows["train"].origins.index("images/2.png")] == [1, 0]


def test_what_has_no_id_or_the_id_of_another_is_named_by_both_who_describe_and_who_read() -> None:
    listed = [{"id": at, "file_name": f"{at}.png"} for at in range(10)]
    listed += [{"id": None, "file_name": "10.png"}, {"id": 1.5, "file_name": "11.png"}, {"id": 3.0, "file_name": "a"}]
    categories = [*CATEGORIES, {"id": 7, "name": "cow"}, {"id": True, "name": "ant"}, {"name": "bee"}]
    annotations = [
        {"category_id": 7, "bbox": [0, 0, 2, 2]},
        {"image_id": 1, "category_id": [7], "bbox": [0, 0, 2, 2]},
        {"image_id": "1", "category_id": 7, "bbox": [0, 0, 2, 2]},
        *GOOD,
    ]
    text = boxes(10, images=listed, categories=categories, annotations=annotations)
    description, _, problems = whole(images("images", 12) | {"boxes.json": text})
    assert description.features[2].classes == ("dog", "cat")
    rule = "an id is a whole number or a text"
    assert sorted(problems) == [
        f"boxes.json: annotation 1 has no image_id but None; {rule}",
        f"boxes.json: annotation 2 has no category_id but [7]; {rule}",
        "boxes.json: annotation 3 is of image '1', which there is not",
        "boxes.json: category 3 ('cow') has the id 7 of 'cat'",
        f"boxes.json: category 4 ('ant') has no id but True; {rule}",
        f"boxes.json: category 5 ('bee') has no id but None; {rule}",
        f"boxes.json: image 11 ('10.png') has no id but None; {rule}",
        f"boxes.json: image 12 ('11.png') has no id but 1.5; {rule}",
        "boxes.json: image 13 ('a') has the id 3 of '3.png'",
    ]


def test_a_file_most_of_whose_images_have_no_id_of_their_own_is_refused() -> None:
    listed = [{"id": max(at, 6), "file_name": f"{at}.png"} for at in range(10)]
    with pytest.raises(DataUnreadable) as refused:
        detected(images("images", 10) | {"boxes.json": boxes(10, images=listed, annotations=[])})
    assert refused.value.message == (
        "boxes.json names 10 images, of which 4 can be used: boxes.json: image 2 ('1.png') has the id 6 of '0.png'"
    )
    listed = [{"file_name": f"{at}.png"} for at in range(10)]
    with pytest.raises(DataUnreadable, match=r"^boxes\.json has no image: boxes\.json: image 1 \('0\.png'\) has no id"):
        detected(images("images", 10) | {"boxes.json": boxes(10, images=listed)})


def test_a_file_half_of_whose_boxes_can_not_be_used_is_refused() -> None:
    annotations = [{"image_id": 1, "category_id": 5, "bbox": [0, 0, 2, 2]} for _ in GOOD]
    files = images("images", 10) | {"boxes.json": boxes(10, annotations=[*GOOD, *annotations])}
    with pytest.raises(DataUnreadable) as refused:
        detected(files)
    assert refused.value.message == (
        "boxes.json has 10 boxes, of which 5 can't be used: annotation 6 has the category 5, which there is not; "
        "correct these annotations, or remove them"
    )
    assert refused.value.reason == "ROWS_UNUSABLE"


def test_an_image_that_is_listed_several_times_is_one_example_with_the_boxes_of_all() -> None:
    listed = [{"id": at, "file_name": f"{at % 10}.png"} for at in range(30)]
    once = [{"image_id": at, "category_id": 7, "bbox": [0, 0, 2, 2]} for at in range(30)]
    _, rows, problems = whole(images("images", 10) | {"boxes.json": boxes(10, images=listed, annotations=once)})
    assert problems == []
    found = [len(each) for split in rows.values() for each in split.columns["boxes"]]
    assert sorted(found) == [3] * 10


def test_what_is_no_object_is_named() -> None:
    fields: dict[str, Any] = json.loads(boxes(10, annotations=[*GOOD, [1, 2], None]))
    fields["images"].append("10.png")
    fields["categories"].append(3)
    _, _, problems = whole(images("images", 11) | {"boxes.json": json.dumps(fields)})
    assert sorted(problems) == [
        "boxes.json: annotation 6 is no object but [1, 2]",
        "boxes.json: categories: element 3 is no object but 3",
        "boxes.json: images: element 11 is no object but '10.png'",
    ]


def test_boxes_find_their_images_in_folders_of_splits_that_got_another_name() -> None:
    names = [f"train/{at}.png" for at in range(12)] + [f"val/{at}.png" for at in range(8)]
    listed = [{"id": at, "file_name": name} for at, name in enumerate(names)]
    files = images("train", 12) | images("validation", 8) | {"boxes.json": boxes(20, images=listed)}
    _, rows, problems = whole(files)
    assert problems == []
    assert "validation/7.png" in {origin for split in rows.values() for origin in split.origins}


def test_a_box_of_a_number_without_end_is_named() -> None:
    annotations = [*GOOD, {"image_id": 5, "category_id": 7, "bbox": [0, 0, 10**400, 1]}]
    _, _, problems = whole(images("images", 20) | {"boxes.json": boxes(20, annotations=annotations)})
    assert "annotation 6 has a box far out: [0, 0, 10000" in str(problems[0])
