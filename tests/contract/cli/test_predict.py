"""`modelyard predict` with what people have in their hands, against models with the signatures of shipped templates."""

import base64
import io
import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from typer.testing import Result

from modelyard.cli.__main__ import main
from modelyard.sdk.errors import InvalidArgument, ModelyardError
from tests.contract.cli.asking import Run
from tests.support.asked_models import Asked, answering
from tests.support.background import in_background


def failure(result: Result) -> ModelyardError:
    assert isinstance(result.exception, ModelyardError), result.output
    return result.exception


def test_a_text_gets_its_class(run: Run) -> None:
    assert run("predict", "reviews", "--text", "splendid!!").stdout == "positive (0.750)\n"
    assert run("predict", "reviews", "--text", "-", stdin="so\nso\n").stdout == "negative (0.750)\n"


def test_several_texts_get_a_line_each_and_k_shows_the_classes_with_bars(run: Run) -> None:
    said = run("predict", "reviews", "--text", "dull", "--text", "good!!!").stdout
    assert said.splitlines() == ["dull: negative (0.750)", "good!!!: positive (1.000)"]
    bars = run("predict", "reviews", "--text", "dull", "--k", "2").stdout.splitlines()
    assert bars == ["negative  0.750  ███████████████", "positive  0.250  █████"]


def test_an_empty_text_is_answered_and_marked(run: Run) -> None:
    assert run("predict", "reviews", "--text", "").stdout == "negative (0.750)\n  note: text is empty\n"
    answer = json.loads(run("predict", "reviews", "--text", "", "-o", "json").stdout)
    assert answer["notes"] == ["text is empty"]


def test_a_row_is_typed_by_the_signature_and_an_empty_value_is_missing(run: Run) -> None:
    row = "age=44,job=cook,native-country=Italy, or so"
    assert run("predict", "adult", "--row", row).stdout == "positive (1.000)\n"
    missing = json.loads(run("predict", "adult", "--row", "age=,job=,native_country=", "-o", "json").stdout)
    assert missing["outputs"]["probabilities"] == [0.5, 0.5]
    assert "notes" not in missing
    as_json = '{"age": null, "job": "clerk", "native_country": ""}'
    assert run("predict", "adult", "--row", as_json).stdout == "negative (1.000)\n"


def test_a_category_that_was_not_seen_in_training_is_answered_and_marked(run: Run) -> None:
    said = run("predict", "adult", "--row", "age=44,job=pilot,native_country=Atlantis").stdout
    assert said == "positive (1.000)\n  note: job 'pilot' was not seen in training\n"


@pytest.mark.parametrize(
    ("row", "field", "sentence"),
    [
        ("agee=3,job=cook,native_country=", "agee", "adult@1 has no input 'agee'; did you mean age?"),
        ("age=3,job=cook", "native_country", "adult@1 also takes native_country (category)"),
        ("age=old,job=cook,native_country=", "age", "age takes a number (float32), not 'old'"),
        ("age=1e99,job=cook,native_country=", "age", "age takes float32, and 1e+99 does not fit"),
        ("age=1e400,job=cook,native_country=", "age", "age takes float32, and '1e400' does not fit"),
        ("age=3,age=4", "age", "age is given twice"),
        ("cook", "--row", "'cook' is not name=value"),
    ],
)
def test_a_row_that_does_not_fit_names_the_feature(run: Run, row: str, field: str, sentence: str) -> None:
    error = failure(run("predict", "adult", "--row", row))
    assert isinstance(error, InvalidArgument)
    assert error.field == field
    assert sentence in error.message


def test_the_signature_is_the_one_that_takes_what_is_given(run: Run, models: dict[str, Asked]) -> None:
    assert run("predict", "movies", "--user", "4", "--k", "2").stdout == "1  m1  1\n2  m2  0.5\n"
    assert len(run("predict", "movies", "--user", "4").stdout.splitlines()) == 10
    assert run("predict", "movies", "--user", "4", "--item", "m7").stdout == "3.5\n"
    asked = [request.model_spec.signature_name for request in models["movies"].requests]
    assert asked == ["recommend", "serving_default", "score"]
    assert run("predict", "movies", "--user", "4", "--signature", "score").exit_code != 0


def test_a_user_that_the_model_does_not_know_is_marked(run: Run) -> None:
    said = run("predict", "movies", "--user", "4711", "--k", "1").stdout
    assert said == "1  m1  1\n  note: the user is not known: this is what holds for most\n"


def test_several_users_are_asked_with_one_k(run: Run) -> None:
    said = run("predict", "movies", "--user", "4", "--user", "5", "--k", "1", "-o", "json").stdout
    answers = [json.loads(line) for line in said.splitlines()]
    assert [(each["input"], each["outputs"]["items"]) for each in answers] == [("user 4", ["m1"]), ("user 5", ["m1"])]


def png(size: tuple[int, int] = (6, 8), **options: Any) -> bytes:
    out = io.BytesIO()
    Image.new("L", size, 200).save(out, "PNG", **options)
    return out.getvalue()


def test_images_are_sent_as_they_are_by_pattern_by_name_and_by_stdin(run: Run, models: dict[str, Asked]) -> None:
    for name in ("b.png", "a.png", "c.txt"):
        Path(name).write_bytes(png())
    lines = run("predict", "digits", "--image", "*.png").stdout.splitlines()
    assert [line.partition(":")[0] for line in lines] == ["a.png", "b.png"]
    assert len(run("predict", "digits", "--image", "a.png", "b.png", "c.txt").stdout.splitlines()) == 3
    assert run("predict", "digits", "--image", "-", stdin=png()).exit_code == 0
    assert {request.model_spec.signature_name for request in models["digits"].requests} == {"encoded"}
    error = failure(run("predict", "digits", "--image", "*.jpg"))
    assert "no file is called *.jpg" in error.message


def test_pixels_are_decoded_where_the_signature_takes_them(run: Run) -> None:
    Path("a.png").write_bytes(png())
    Path("wide.png").write_bytes(png((9, 8)))
    arguments = ("predict", "digits", "--signature", "serving_default", "--image")
    assert run(*arguments, "a.png").stdout == "positive (0.784)\n"
    error = failure(run(*arguments, "wide.png"))
    assert (error.field, error.reason) == ("image", "IMAGE_UNUSABLE")
    assert "wide.png is 9 × 8 pixels; the model takes 6 × 8" in error.message


def test_what_is_recommended_can_be_a_picture_too(run: Run) -> None:
    assert run("predict", "movies", "--user", "4", "--k", "3", "--picture", "films.png").exit_code == 0
    with Image.open("films.png") as picture:
        assert picture.height > 100


@pytest.mark.parametrize("place", ["nowhere/out.png", "out.xyz"])
def test_a_picture_that_can_not_be_written_is_said_before_anything_is_asked(
    run: Run, models: dict[str, Asked], place: str
) -> None:
    Image.new("L", (6, 8)).save("a.png")
    refused = failure(run("predict", "digits", "--image", "a.png", "--picture", place))
    assert place in refused.message or "nowhere is not a folder" in refused.message
    assert not models["digits"].requests


def test_one_answer_is_one_picture_and_several_are_a_folder(run: Run) -> None:
    Path("a.png").write_bytes(png((60, 40)))
    Path("b.png").write_bytes(png((60, 40)))
    assert run("predict", "scenes", "--image", "a.png", "--picture", "out.png").exit_code == 0
    with Image.open("out.png") as drawn:
        assert drawn.size == (360, 240)
        assert drawn.getpixel((24, 60)) != (200, 200, 200), "no box is drawn around what was found"
        assert drawn.getpixel((150, 120)) == (200, 200, 200)
    assert run("predict", "digits", "--image", "a.png", "b.png", "--picture", "drawn").exit_code == 0
    assert sorted(path.name for path in Path("drawn").iterdir()) == ["a.png", "b.png"]
    Path("c").mkdir()
    Path("c/a.png").write_bytes(png((60, 40)))
    assert run("predict", "digits", "--image", "a.png", "c/a.png", "b.png", "--picture", "all").exit_code == 0
    assert sorted(path.name for path in Path("all").iterdir()) == ["a-2.png", "a.png", "b.png"]
    Path("rows.jsonl").write_text('{"image": "a.png"}\n{"image": "b.png"}\n')
    assert run("predict", "digits", "--file", "rows.jsonl", "--picture", "rows").exit_code == 0
    assert sorted(path.name for path in Path("rows").iterdir()) == ["rows-1.png", "rows-2.png"]
    refused = failure(run("predict", "digits", "--image", "a.png", "b.png", "--picture", "o.png"))
    assert "give a folder" in refused.message


@pytest.mark.parametrize(
    ("said", "stdin"),
    [
        (("--row", "image=a.png"), ""),
        (("--row", json.dumps({"image": {"b64": base64.b64encode(png((60, 40))).decode()}})), ""),
        (("--file", "-"), '{"image": "a.png"}\n'),
    ],
)
def test_boxes_are_drawn_on_an_image_that_a_row_names(run: Run, said: tuple[str, ...], stdin: str) -> None:
    Path("a.png").write_bytes(png((60, 40)))
    assert run("predict", "scenes", *said, "--picture", "drawn", stdin=stdin).exit_code == 0
    (drawn,) = Path("drawn").iterdir()
    with Image.open(drawn) as picture:
        assert picture.size == (360, 240)


@pytest.mark.parametrize(
    ("options", "said"),
    [((), b"caf\xe9.png: negative (1.000)\n"), (("-o", "json"), '{"input": "caf�.png", '.encode())],
)
def test_a_file_whose_name_is_no_utf8_is_answered_as_any_other(
    run: Run, monkeypatch: pytest.MonkeyPatch, options: tuple[str, ...], said: bytes
) -> None:
    Path("a.png").write_bytes(png())
    Path("a.png").rename(name := os.fsdecode(b"caf\xe9.png"))
    out = io.TextIOWrapper(io.BytesIO(), "utf-8", line_buffering=True)
    monkeypatch.setattr(sys, "stdout", out)
    monkeypatch.setattr(sys, "argv", ["modelyard", "predict", "digits", "--image", name, name, *options])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 0
    first, second = out.buffer.getvalue().splitlines(keepends=True)
    assert first == second
    assert first.startswith(said)


def test_boxes_are_listed_with_class_score_and_corners(run: Run) -> None:
    Path("a.png").write_bytes(png())
    said = run("predict", "scenes", "--image", "a.png").stdout
    assert said == "seven  0.900  4 4 20 16\none    0.600  30 8 44 28\n"


def test_a_model_says_what_it_takes_when_it_is_given_something_else(run: Run) -> None:
    Path("a.png").write_bytes(png())
    error = failure(run("predict", "reviews", "--image", "a.png"))
    assert "reviews@1 takes no image; it takes text (text)" in error.message
    assert "did you mean `reviews`?" not in error.message


def test_whoever_may_predict_and_sees_nothing_else_types_tensors_too(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, models: dict[str, Asked]
) -> None:
    address = f"unix:{tmp_path}/other"
    with in_background(answering(address, *models.values(), sees_control_plane=False)):
        monkeypatch.setenv("MODELYARD_SERVER", address)
        done = run("predict", "reviews", "--input", 'text=["fine!!", "bad"]')
        assert [json.loads(line)["label"] for line in done.stdout.splitlines()] == ["positive", "negative"]
        wrong = run("predict", "reviews", "--input", "text=[]", "--signature", "nothing")
    assert "has no signature 'nothing'; it has serving_default" in failure(wrong).message
