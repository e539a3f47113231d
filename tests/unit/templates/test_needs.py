"""What a template needs of a dataset, and what it says to one that is of another kind."""

import pytest

from modelyard.templates.needs import DataNeeds, DataSeen, DatasetNotForTemplate, FeatureSeen

IMAGE, LABEL = FeatureSeen("image", "image", "input"), FeatureSeen("label", "category", "target")
DIGITS = DataSeen("digits", "image", "idx", ("train", "test"), (IMAGE, LABEL))
ADULT = DataSeen(
    "adult",
    "table",
    "table",
    ("train", "test"),
    (
        FeatureSeen("age", "number", "input"),
        FeatureSeen("job", "category", "input"),
        FeatureSeen("hours", "number", "input"),
        FeatureSeen("salary", "number", "target"),
    ),
)
CLASSIFIER = DataNeeds(modalities=("image",), layouts=("idx",), splits=("train",), inputs=("image",))


def test_a_dataset_that_has_all_fits() -> None:
    CLASSIFIER.check("image-classification", DIGITS)
    DataNeeds().check("anything", DataSeen("empty", "", "", (), ()))


@pytest.mark.parametrize(
    ("needs", "data", "sentence"),
    [
        (
            DataNeeds(modalities=("text",), inputs=("text",), targets=("category",)),
            DIGITS,
            "digits has an image and, as its target, a category; it wants a text",
        ),
        (
            DataNeeds(inputs=("text", "image")),
            ADULT,
            "adult has 2 numbers and a category and, as its target, a number; it wants a text and an image",
        ),
        (DataNeeds(modalities=("image", "text")), ADULT, "adult is of rows of a table; it takes images or texts"),
        (
            DataNeeds(targets=("category", "boxes")),
            ADULT,
            "adult has 2 numbers and a category and, as its target, a number; "
            "it wants a category or boxes as its target",
        ),
        (
            DataNeeds(targets=("category",)),
            DataSeen("photos", "image", "class_folders", ("train",), (IMAGE,)),
            "photos has an image; it wants a category as its target",
        ),
        (
            DataNeeds(targets=("category", "number")),
            DataSeen("people", "table", "table", ("train",), ADULT.features[:2]),
            "people has a number and a category; it wants a category or a number as its target; "
            "push it with --target COLUMN",
        ),
        (DataNeeds(roles=("user", "item")), ADULT, "adult has no feature of role user; it needs one (see its README)"),
        (
            DataNeeds(layouts=("coco", "class_folders")),
            DIGITS,
            "digits has the layout idx; it reads coco or class_folders",
        ),
        (
            DataNeeds(splits=("train", "validation")),
            DIGITS,
            "digits has no split validation, which it needs (it has train, test)",
        ),
        (
            DataNeeds(inputs=("image",)),
            DataSeen("bare", "", "", (), ()),
            "bare has nothing that a model could take; it wants an image",
        ),
    ],
)
def test_one_that_does_not_fit_hears_what_it_has_and_what_is_wanted(
    needs: DataNeeds, data: DataSeen, sentence: str
) -> None:
    with pytest.raises(DatasetNotForTemplate) as caught:
        needs.check("it", data)
    assert caught.value.message == sentence
