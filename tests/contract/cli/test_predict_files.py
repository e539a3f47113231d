"""`modelyard predict --file`: many rows, in their order, and one that fails does not stop the rest."""

import gzip
import json
from pathlib import Path

import pytest
from PIL import Image

from modelyard.sdk.errors import ModelyardError
from tests.contract.cli.asking import Run
from tests.support.asked_models import Asked


def test_lines_of_text_are_one_example_each(run: Run) -> None:
    Path("reviews.txt").write_text("dull\nfine!\n\ngreat!!!\n")
    done = run("predict", "reviews", "--file", "reviews.txt")
    assert done.stdout.splitlines() == [
        "reviews.txt:1: negative (0.750)",
        "reviews.txt:2: negative (0.500)",
        "reviews.txt:3: negative (0.750)",
        "  note: text is empty",
        "reviews.txt:4: positive (1.000)",
    ]
    assert done.exit_code == 0
    assert "4 rows" in done.stderr


def test_a_table_is_asked_by_its_columns_and_others_are_left_out(run: Run) -> None:
    Path("people.csv").write_text('age;job;native-country;salary\n44;"cook; clerk";Italy;high\n;cook;;low\n')
    done = run("predict", "adult", "--file", "people.csv", "-o", "json")
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    assert [each["input"] for each in answers] == ["people.csv:2", "people.csv:3"]
    assert [each["outputs"]["label"] for each in answers] == ["positive", "negative"]
    assert answers[0]["notes"] == ["job 'cook; clerk' was not seen in training"]
    assert answers[1]["outputs"]["probabilities"] == [0.5, 0.5]
    assert "left out: salary" in done.stderr


def test_rows_of_json_may_hold_the_true_answer_and_what_is_misspelt_is_refused(run: Run) -> None:
    rows = [
        '{"age": 50, "job": "cook", "native_country": "x", "salary": "high"}',
        '{"age": 50, "jop": "cook", "native_country": "x"}',
    ]
    Path("rows.jsonl").write_text("\n".join(rows) + "\n")
    done = run("predict", "adult", "--file", "rows.jsonl")
    assert done.stdout.splitlines() == ["rows.jsonl:1: positive (1.000)"]
    assert "not asked for and left out: salary\n" in done.stderr
    assert "rows.jsonl:2: adult@1 has no input 'jop'; did you mean job?" in done.stderr


def test_a_table_of_ratings_is_asked_by_the_names_that_it_was_learnt_from(run: Run) -> None:
    Path("ratings.csv").write_text("userId,movieId,rating\n4,7,3.5\n99,7,2\n")
    done = run("predict", "movies", "--file", "ratings.csv")
    assert done.stdout.splitlines()[0] == "ratings.csv:2: 3.5"
    assert "note: the user or the item is not known" in done.stdout
    assert "left out: rating" in done.stderr


def test_a_user_that_json_made_a_fraction_of_is_the_same_user(run: Run, models: dict[str, Asked]) -> None:
    Path("users.jsonl").write_text('{"user": 4}\n{"user": 4.0}\n{"user": "4"}\n')
    assert run("predict", "movies", "--file", "users.jsonl", "--k", "2").exit_code == 0
    asked = [user for request in models["movies"].requests for user in request.inputs["user"].string_val]
    assert asked == [b"4"] * 3


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("age,job\n1,cook\n", "adult@1 also takes native_country (category)"),
        ("years,work\n1,cook\n", "people.csv has the columns years, work; adult@1 takes age (number), job (category)"),
        ("", "people.csv is empty"),
    ],
)
def test_a_table_with_other_columns_is_refused_before_anything_is_asked(
    run: Run, models: dict[str, Asked], content: str, sentence: str
) -> None:
    Path("people.csv").write_text(content)
    done = run("predict", "adult", "--file", "people.csv")
    assert isinstance(done.exception, ModelyardError), done.output
    assert sentence in done.exception.message
    assert not models["adult"].requests


def test_a_row_that_fails_is_named_by_its_line_and_the_rest_goes_on(run: Run) -> None:
    rows = [
        '{"age": 50, "job": "cook", "native_country": "x"}',
        "{oops",
        '{"age": "old", "job": "", "native_country": ""}',
    ]
    rows += ['{"age": 50, "job": "cook"}', '{"age": 30, "job": "cook", "native_country": null}']
    Path("rows.jsonl").write_text("\n".join(rows) + "\n")
    done = run("predict", "adult", "--file", "rows.jsonl")
    assert done.stdout.splitlines() == ["rows.jsonl:1: positive (1.000)", "rows.jsonl:5: negative (1.000)"]
    assert done.exit_code == 1
    said = done.stderr.splitlines()
    assert said[0].startswith("rows.jsonl:2 is not JSON")
    assert said[1] == "rows.jsonl:3: age takes a number (float32), not 'old' [INPUT_INVALID]"
    assert said[2].startswith("rows.jsonl:4: adult@1 also takes native_country (category)")
    assert "5 rows" in said[-1]
    assert "3 without an answer" in said[-1]
    as_json = [
        json.loads(line) for line in run("predict", "adult", "--file", "rows.jsonl", "-o", "json").stdout.splitlines()
    ]
    assert [each.get("error", {}).get("field") for each in as_json] == [None, "", "age", "native_country", None]


def test_rows_that_are_too_large_together_are_asked_one_by_one(run: Run) -> None:
    Path("texts.txt").write_text("a\n" * 7 + "huge\n" + "a\n" * 7)
    done = run("predict", "heavy", "--file", "texts.txt")
    assert done.stdout.splitlines() == [f"texts.txt:{line}: positive (0.750)" for line in range(1, 16) if line != 8]
    assert "texts.txt:8: the answer is too large; ask for less at once" in done.stderr
    assert done.exit_code == 1


def test_rows_of_a_damaged_table_come_in_their_order(run: Run) -> None:
    Path("people.csv").write_text("age,job,native_country\n50,cook,x\n1,2\n30,cook,x\n")
    done = run("predict", "adult", "--file", "people.csv", "-o", "json")
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    assert [each["input"] for each in answers] == ["people.csv:2", "people.csv:3", "people.csv:4"]
    assert answers[1]["error"]["message"] == "people.csv:3 has 2 fields; there are 3 columns"


def test_every_row_of_a_badly_damaged_table_is_named(run: Run) -> None:
    Path("people.csv").write_text("age,job,native_country\n50,cook,x\n" + "1,2\n" * 1500 + "30,cook,x\n")
    done = run("predict", "adult", "--file", "people.csv", "-o", "json")
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    assert [each["input"] for each in answers] == [f"people.csv:{line}" for line in range(2, 1504)]
    assert sum("error" in each for each in answers) == 1500


def test_rows_before_the_one_from_which_on_nothing_can_be_read_have_their_answers(run: Run) -> None:
    whole = gzip.compress(b"fine!!\n" * 20_000)
    Path("reviews.txt.gz").write_bytes(whole[: len(whole) // 2])
    done = run("predict", "reviews", "--file", "reviews.txt.gz")
    assert isinstance(done.exception, ModelyardError), done.output
    said = done.stdout.splitlines()
    assert said[0] == "reviews.txt.gz:1: positive (0.750)"
    assert len(said) > 1000


def test_a_line_of_stdin_that_is_no_object_is_named_and_the_rest_goes_on(run: Run) -> None:
    good = '{"age": 50, "job": "cook", "native_country": "x"}\n'
    done = run("predict", "adult", "--file", "-", stdin=f"{good}oops\n{good}")
    assert done.stdout.splitlines() == ["line 1: positive (1.000)", "line 3: positive (1.000)"]
    assert "line 2 is no JSON object, and a line of text is one value: adult@1 takes age" in done.stderr
    assert done.exit_code == 1


def test_a_line_of_text_may_begin_with_a_brace(run: Run) -> None:
    done = run("predict", "reviews", "--file", "-", stdin='{laughs} fine!!\n{"text": "bad"}\n')
    assert (done.exit_code, len(done.stdout.splitlines())) == (0, 2), done.stderr


@pytest.mark.parametrize(
    ("name", "lines"),
    [
        ("rows.txt", b"dull\n\n  \n fine!!\n"),
        ("rows.txt", b"\xef\xbb\xbfdull\n"),
        ("rows.jsonl", b'\xef\xbb\xbf{"text": "dull"}\n\n \t{"text": "fine!!"} \n'),
    ],
)
def test_lines_of_stdin_are_the_rows_that_they_are_in_a_file(
    run: Run, models: dict[str, Asked], name: str, lines: bytes
) -> None:
    Path(name).write_bytes(lines)
    for place in (name, "-"):
        run("predict", "reviews", "--file", place, stdin=lines)
    texts = [text for request in models["reviews"].requests for text in request.inputs["text"].string_val]
    assert texts
    assert texts[: len(texts) // 2] == texts[len(texts) // 2 :]


def test_half_a_character_is_named_and_the_rest_goes_on(run: Run) -> None:
    for line in ('{"text": "\\ud800"}', '{"\\ud800": "a"}'):
        done = run("predict", "reviews", "--file", "-", "-o", "json", stdin=f'{line}\n{{"text": "bad"}}\n')
        assert "has half a character in it" in done.output
        assert "Traceback" not in done.output
        assert done.exit_code == 1


def test_a_file_of_one_row_is_answered_as_one_of_many(run: Run) -> None:
    Path("rows.jsonl").write_text("{oops\n")
    done = run("predict", "adult", "--file", "rows.jsonl", "-o", "json")
    assert [json.loads(line)["input"] for line in done.stdout.splitlines()] == ["rows.jsonl:1"]
    assert done.exit_code == 1


def test_stdin_is_answered_line_by_line(run: Run) -> None:
    done = run("predict", "reviews", "--file", "-", stdin='fine!!\n{"text": "bad"}\n')
    assert done.stdout.splitlines() == ["line 1: positive (0.750)", "line 2: negative (0.750)"]


def test_bytes_on_stdin_that_are_no_text_are_named_and_the_rest_goes_on(run: Run) -> None:
    done = run("predict", "reviews", "--file", "-", stdin="fine!!\ngrößer\n".encode("latin-1") + "größer!\n".encode())
    assert done.stdout.splitlines() == ["line 1: positive (0.750)", "line 3: negative (0.500)"]
    assert "line 2 is no UTF-8: byte 0xf6 at 2" in done.stderr
    done = run("predict", "reviews", "--text", "-", stdin="größer".encode("latin-1"))
    assert isinstance(done.exception, ModelyardError)
    assert done.exception.message == "stdin is no UTF-8: byte 0xf6 at 2"


def test_a_folder_of_images_is_asked_file_by_file(run: Run) -> None:
    Path("images/deep").mkdir(parents=True)
    for name in ("b.png", "deep/c.png", "a.png"):
        Image.new("L", (6, 8)).save(Path("images", name))
    Path("images/notes.txt").write_text("not an image")
    done = run("predict", "digits", "--file", "images")
    assert [line.partition(":")[0] for line in done.stdout.splitlines()] == ["a.png", "b.png", "deep/c.png"]
    assert done.exit_code == 1
    assert "notes.txt begins with 'not an i'; it is no PNG, JPEG, WebP, GIF or BMP image" in done.stderr


def test_a_folder_of_texts_is_asked_file_by_file_and_each_is_one_text(run: Run) -> None:
    Path("letters/spam").mkdir(parents=True)
    Path("letters/a.txt").write_text("two\nlines!!!\n")
    Path("letters/spam/b.txt").write_text("größer!")
    Path("letters/c.txt").write_bytes("größer".encode("latin-1"))
    done = run("predict", "reviews", "--file", "letters")
    assert done.stdout.splitlines() == ["a.txt: positive (1.000)", "spam/b.txt: negative (0.500)"]
    assert "c.txt is no UTF-8: byte 0xf6 at 2" in done.stderr
    done = run("predict", "adult", "--file", "letters")
    assert isinstance(done.exception, ModelyardError)
    assert "adult@1 takes neither files of images, sounds or videos nor one text" in done.exception.message


def test_a_table_names_files_that_lie_beside_it(run: Run) -> None:
    Path("there").mkdir()
    Image.new("L", (6, 8)).save("there/a.png")
    Path("there/list.jsonl").write_text('{"image": "a.png"}\n{"image": "gone.png"}\n')
    done = run("predict", "digits", "--file", "there/list.jsonl")
    assert len(done.stdout.splitlines()) == 1
    assert "there/list.jsonl:2: image_bytes: there/gone.png is no file" in done.stderr


def test_rows_share_requests_only_where_the_model_answers_them_one_by_one(run: Run, models: dict[str, Asked]) -> None:
    Path("many.txt").write_text("".join(f"{'!' * (number % 4)}\n" for number in range(1, 101)))
    done = run("predict", "reviews", "--file", "many.txt")
    assert [float(line.rpartition("(")[2].rstrip(")")) for line in done.stdout.splitlines() if "(" in line] == [
        max(0.25 + 0.25 * (number % 4), 0.75 - 0.25 * (number % 4)) for number in range(1, 101)
    ]
    assert len(models["reviews"].requests) == 7


def test_zipped_lines_are_read(run: Run) -> None:
    Path("reviews.txt.gz").write_bytes(gzip.compress(b"good!!!\n"))
    assert run("predict", "reviews", "--file", "reviews.txt.gz").stdout == "reviews.txt.gz:1: positive (1.000)\n"


def test_a_file_without_rows_and_one_of_the_wrong_form_are_said(run: Run) -> None:
    Path("empty.txt").write_text("")
    assert "there is no row" in run("predict", "reviews", "--file", "empty.txt").stderr
    Path("lines.txt").write_text("a\n")
    done = run("predict", "adult", "--file", "lines.txt")
    assert isinstance(done.exception, ModelyardError)
    assert "a line of text is one value, and adult@1 takes age, job, native_country" in done.exception.message
