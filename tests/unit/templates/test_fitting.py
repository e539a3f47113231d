import pytest

from modelyard.templates.fitting import DatasetNotForModel, Input, SignatureUnknown, choose, fit
from modelyard.templates.needs import DataSeen, FeatureSeen

IMAGE = FeatureSeen("image", "image", "input", (28, 28, 1), "raw")
PNG = FeatureSeen("image", "image", "input", (-1, -1, 3), "png")
LABEL = FeatureSeen("label", "category", "target")
TEXT = FeatureSeen("message", "text", "input")
AGE, JOB = FeatureSeen("age", "number", "input"), FeatureSeen("job", "category", "input")
USER, ITEM = FeatureSeen("user_id", "id", "user"), FeatureSeen("item_id", "id", "item")

PIXELS = Input("image", "uint8", (-1, 28, 28, 1))
COUNT = Input("k", "int32", ())
SIZES = FeatureSeen("size", "number", "input", (3,))
TAGS = FeatureSeen("tags", "category", "input", (2,))


def seen(*features: FeatureSeen, modality: str = "table") -> DataSeen:
    return DataSeen("d@1", modality, "table", ("train",), features)


@pytest.mark.parametrize(
    ("inputs", "features", "found"),
    [
        ([PIXELS], [IMAGE, LABEL], {"image": "image"}),
        ([Input("x", "float32", (-1, 28, 28, 1))], [IMAGE, LABEL], {"x": "image"}),
        ([Input("x", "float32", (-1, 784))], [IMAGE], {"x": "image"}),
        ([Input("image", "uint8", (-1, 64, 64, 1))], [PNG], {"image": "image"}),
        ([Input("image_bytes", "string", (-1,))], [PNG], {"image_bytes": "image"}),
        ([Input("text", "string", (-1,))], [TEXT, LABEL], {"text": "message"}),
        ([Input("age", "float32", (-1, 1)), Input("job", "string", (-1,))], [AGE, JOB], {"age": "age", "job": "job"}),
        ([Input("size", "float32", (-1, 3))], [SIZES], {"size": "size"}),
        ([Input("size", "float32", (-1, -1))], [SIZES], {"size": "size"}),
        ([Input("size", "int64", None)], [SIZES], {"size": "size"}),
        ([Input("tags", "string", (-1, 2))], [TAGS], {"tags": "tags"}),
        ([Input("user", "string", (-1,)), COUNT], [USER, ITEM], {"user": "user_id"}),
        (
            [Input("user", "string", (-1,)), Input("item", "string", (-1,))],
            [USER, ITEM],
            {"user": "user_id", "item": "item_id"},
        ),
    ],
)
def test_an_input_gets_its_namesake_or_the_only_feature_that_can_be_meant(
    inputs: list[Input], features: list[FeatureSeen], found: dict[str, str]
) -> None:
    assert fit(inputs, seen(*features)) == found
    kinds = {"image_bytes": "image"}
    assert fit(inputs, seen(*features), kinds=kinds) == found


@pytest.mark.parametrize(
    ("inputs", "features", "problem"),
    [
        (
            [PIXELS],
            [AGE, JOB],
            "d@1 has nothing for 'image' (uint8 [any, 28, 28, 1]), which m@2 takes; it has age, job",
        ),
        (
            [Input("image", "uint8", (-1, 28, 28, 3))],
            [IMAGE],
            "d@1 has images of [28, 28, 1] as 'image'; m@2 takes 'image' (uint8 [any, 28, 28, 3])",
        ),
        (
            [Input("x", "float32", (-1, 100))],
            [IMAGE],
            "d@1 has images of [28, 28, 1] as 'image'; m@2 takes 'x' (float32 [any, 100])",
        ),
        ([Input("image", "uint8", (-1, -1, -1, 3))], [PNG], "d@1 has images of different sizes as 'image'; m@2 takes"),
        ([Input("age", "string", (-1,))], [AGE], "d@1 has numbers as 'age'; m@2 takes 'age' (string [any])"),
        ([Input("job", "float32", (-1,))], [JOB], "d@1 has categories as 'job'; m@2 takes 'job' (float32 [any])"),
        (
            [Input("size", "float32", (-1,))],
            [SIZES],
            "d@1 has numbers of [3] as 'size'; m@2 takes 'size' (float32 [any])",
        ),
        (
            [Input("size", "float32", (-1, 4))],
            [SIZES],
            "d@1 has numbers of [3] as 'size'; m@2 takes 'size' (float32 [a",
        ),
        ([Input("age", "float32", (-1, 3))], [AGE], "d@1 has numbers as 'age'; m@2 takes 'age' (float32 [any, 3])"),
        (
            [Input("words", "int64", None)],
            [FeatureSeen("words", "number", "input", (-1,))],
            "d@1 has numbers of [any] as 'words'; m@2 takes 'words' (int64 of any shape)",
        ),
        (
            [Input("tags", "string", (-1,))],
            [TAGS],
            "d@1 has categories of [2] as 'tags'; m@2 takes 'tags' (string [any])",
        ),
        ([Input("a", "string", (-1,)), Input("b", "string", (-1,))], [TEXT], "d@1 has nothing for 'a' (string [any])"),
        ([Input("age", "float32", (1,))], [AGE], "m@2 takes 'age' (float32 [1]), which is no batch of any size"),
    ],
)
def test_what_does_not_fit_is_said_with_what_the_model_takes(
    inputs: list[Input], features: list[FeatureSeen], problem: str
) -> None:
    with pytest.raises(DatasetNotForModel) as caught:
        fit(inputs, seen(*features), model="m@2", kinds={})
    assert caught.value.message.startswith(problem)
    assert caught.value.facts["feature"] == inputs[0].name


def test_what_the_model_says_of_its_inputs_decides() -> None:
    inputs, sound = [Input("x", "float32", (-1, 16000))], FeatureSeen("audio", "audio", "input")
    assert fit(inputs, seen(sound, TEXT), kinds={"x": "audio"}) == {"x": "audio"}
    who = [Input("who", "string", (-1,))]
    assert fit(who, seen(USER, ITEM), kinds={"who": "user"}) == {"who": "user_id"}
    assert fit(who, seen(USER, ITEM)), "may be right: nobody knows yet what the model says"
    with pytest.raises(DatasetNotForModel):
        fit(who, seen(USER, ITEM), kinds={})


def test_interactions_are_put_to_recommend_and_the_rest_to_the_default() -> None:
    both = {"serving_default": [PIXELS], "recommend": [COUNT]}
    assert choose(both, seen(USER, ITEM, modality="interactions")) == "recommend"
    assert choose(both, seen(IMAGE)) == "serving_default"
    assert choose(both, seen(IMAGE), "recommend") == "recommend"
    assert choose({"score": [PIXELS]}, seen(IMAGE)) == "score"
    for signatures, asked in (({"a": [], "b": []}, ""), (both, "other"), ({}, "")):
        with pytest.raises(SignatureUnknown):
            choose(signatures, seen(IMAGE), asked)
