"""A deployment is asked from Python with what people have: texts, numbers, rows, files."""

import base64
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from modelyard.sdk import Client
from modelyard.sdk.errors import FailedPrecondition, InvalidArgument, NotFound
from tests.support.asked_models import Asked, adult, answering, digits, movies, reviews
from tests.support.background import in_background
from tests.support.pictures import picture

Models = dict[str, Asked]


@pytest.fixture
def models() -> Models:
    made = (reviews(), adult(), movies(), digits())
    return {each.servable.name: each for each in made}


@contextmanager
def asking(tmp_path: Path, models: Models, *, sees_control_plane: bool = True) -> Iterator[Client]:
    address = f"unix:{tmp_path}/socket"
    served = answering(address, *models.values(), sees_control_plane=sees_control_plane)
    with in_background(served), Client(address, token="t") as client:
        yield client


@pytest.fixture
def client(tmp_path: Path, models: Models) -> Iterator[Client]:
    with asking(tmp_path, models) as client:
        yield client


def test_values_are_pythons_and_so_are_answers(client: Client) -> None:
    answer = client.deployments.ask("adult", {"age": 44, "job": "cook", "native_country": None})
    assert answer.label == "positive"
    assert answer.top(2) == [("positive", 1.0), ("negative", 0.0)]
    assert client.deployments.ask("movies", {"user": 4, "k": 3}).outputs["items"] == ["m1", "m2", "m3"]
    assert client.deployments.ask("movies", {"user": 4, "item": "m1"}).outputs == {"rating": 3.5, "known": True}


def test_an_image_is_a_path_bytes_base64_or_pixels(client: Client, models: Models, tmp_path: Path) -> None:
    data = picture(1, size=(6, 8))
    (tmp_path / "a.png").write_bytes(data)
    files = [tmp_path / "a.png", data, {"b64": base64.b64encode(data).decode()}]
    answers = [client.deployments.ask("digits", {"image": each}).outputs for each in files]
    assert answers[0] == answers[1] == answers[2]
    assert {each.model_spec.signature_name for each in models["digits"].requests} == {"encoded"}
    pixels = np.full((8, 6, 1), 255, np.uint8)
    answer = client.deployments.ask("digits", {"image": pixels}, signature="serving_default")
    assert answer.label == "positive", "the class's name comes from the model's description"


def test_an_answer_of_another_version_than_was_read_has_numbers_for_its_classes(tmp_path: Path) -> None:
    model = digits()
    pixels = {"image": np.full((8, 6, 1), 255, np.uint8)}
    switched = replace(model, servable=replace(model.servable, version=2))
    with asking(tmp_path, {"digits": switched}) as client:
        answer = client.deployments.ask("digits", pixels, signature="serving_default")
    assert (answer.version, answer.label) == (2, "1")


def test_the_wrong_shape_says_what_is_taken_and_what_was_given(client: Client) -> None:
    with pytest.raises(InvalidArgument, match="image takes 8 × 6 × 1 of uint8, not 6 × 8 × 1") as caught:
        client.deployments.ask("digits", {"image": np.zeros((6, 8, 1), np.uint8)}, signature="serving_default")
    assert caught.value.field == "image"
    with pytest.raises(InvalidArgument, match="lists of different lengths"):
        client.deployments.ask("digits", {"image": [[1], [1, 2]]}, signature="serving_default")
    with pytest.raises(InvalidArgument, match="takes uint8, and 256 does not fit"):
        client.deployments.ask("digits", {"image": np.full((8, 6, 1), 256)}, signature="serving_default")


def test_many_rows_are_answered_in_order_and_a_failed_one_has_its_error(client: Client) -> None:
    rows = [{"text": "!" * (number % 4)} if number % 10 else {"txt": ""} for number in range(200)]
    answers = list(client.deployments.ask_all("reviews", rows))
    assert [each.error is not None for each in answers] == [number % 10 == 0 for number in range(200)]
    expected = [min(1.0, 0.25 + 0.25 * (number % 4)) for number in range(200)]
    for number, answer in enumerate(answers):
        if answer.error is None:
            assert answer.outputs["probabilities"][1] == expected[number]
        else:
            assert isinstance(answer.error, InvalidArgument)
            assert answer.error.field == "txt"


def test_a_full_name_is_a_deployments_too(client: Client) -> None:
    assert client.deployments.ask("projects/default/deployments/reviews", {"text": "fine!!"}).label == "positive"


def test_whoever_waits_for_each_answer_before_the_next_question_gets_it(client: Client) -> None:
    heard: list[int] = []

    def questions() -> Iterator[dict[str, str]]:
        for number in range(3):
            assert len(heard) == number
            yield {"text": "!" * number}

    for answer in client.deployments.ask_all("reviews", questions(), in_flight=1, rows_at_once=1):
        heard.append(answer.version)


def test_a_model_whose_rows_depend_on_each_other_is_asked_row_by_row(tmp_path: Path) -> None:
    models = {"reviews": reviews(row_wise=False)}
    with asking(tmp_path, models) as client:
        assert len(list(client.deployments.ask_all("reviews", [{"text": "a"}] * 20))) == 20
    assert len(models["reviews"].requests) == 20


def test_no_more_requests_are_under_way_than_asked_for(client: Client) -> None:
    taken = 0

    def rows() -> Iterator[dict[str, str]]:
        nonlocal taken
        for _ in range(1000):
            taken += 1
            yield {"text": "a"}

    answers = client.deployments.ask_all("reviews", rows(), in_flight=4, rows_at_once=2)
    next(answers)
    assert taken <= 12


def test_who_may_only_predict_is_answered_too(tmp_path: Path, models: Models) -> None:
    with asking(tmp_path, models, sees_control_plane=False) as client:
        assert client.deployments.ask("reviews", {"text": "good!!!"}).label == "positive"
        assert client.deployments.ask("adult", {"age": "30", "job": "cook", "native_country": ""}).label == "negative"
        assert client.deployments.ask("digits", {"image": picture()}).label in ("positive", "negative")
        with pytest.raises(InvalidArgument, match=r"reviews@1 has no input 'txt'"):
            client.deployments.ask("reviews", {"txt": "a"})


def test_a_deployment_and_a_signature_that_are_not_there_are_said(client: Client) -> None:
    with pytest.raises(NotFound):
        client.deployments.ask("gone", {"text": "a"})
    with pytest.raises(FailedPrecondition, match="reviews@1 has no signature 'gone'; it has serving_default") as caught:
        client.deployments.ask("reviews", {"text": "a"}, signature="gone")
    assert caught.value.reason == "SIGNATURE_NOT_FOUND"
