"""What `train ./code` and `models push` say before they send anything, against a catalog and a scheduler."""

import json
from pathlib import Path

import pytest

from modelyard.sdk.errors import FailedPrecondition, InvalidArgument, ModelyardError, NotFound
from tests.integration.cli.conftest import There, typed
from tests.support.graphs import write_graph


def write(path: str, text: str) -> None:
    Path(path).write_text(text)


def remove(path: str) -> None:
    Path(path).unlink()


@pytest.mark.parametrize(
    ("words", "kind", "says"),
    [
        (("--dataset", "digit"), NotFound, "dataset `digit` not found; did you mean `digits`?"),
        (("--dataset", "digits@9"), NotFound, "datasets/digits/versions/9 does not exist"),
        (("--dataset", "digits", "--set", "epoch=3"), SystemExit, "no parameter 'epoch'; did you mean 'epochs'?"),
        (("--dataset", "digits", "--set", "epochs=0"), SystemExit, "parameter epochs is 0; it must be at least 1"),
    ],
)
async def test_what_is_wrong_with_a_training_is_said_before_its_code_is_sent(
    there: There, words: tuple[str, ...], kind: type[BaseException], says: str
) -> None:
    done = await typed("train", "./mine", *words)
    assert isinstance(done.exception, kind), done.output
    assert says in (done.exception.message if isinstance(done.exception, ModelyardError) else done.stderr)
    assert done.exit_code != 0
    assert await there.packages() == []


async def test_a_template_toml_that_is_wrong_is_said_before_the_code_is_sent(there: There) -> None:
    write("mine/template.toml", "kind = 'import'\n")
    done = await typed("train", "./mine", "--dataset", "digits")
    assert "a package of one's own is of kind 'training'" in done.stderr
    remove("mine/template.toml")
    done = await typed("train", "./mine", "--dataset", "digits", "--set", "sizes=[1,2]")
    assert "parameter sizes is [1, 2]; it must be a finite number, text, true or false" in done.stderr
    assert await there.packages() == []


async def test_right_code_is_sent_and_becomes_a_job(there: There) -> None:
    done = await typed("train", "./mine", "--dataset", "digits", "--set", "epochs=3", "--job", "first")
    assert done.exit_code == 0, done.output
    assert "first is queued" in done.output
    assert await there.packages() == ["mine"]
    assert ["mine", "code", "1"] in [line.split()[:3] for line in (await typed("packages", "list")).output.splitlines()]


@pytest.mark.parametrize(
    ("words", "kind", "says"),
    [
        (("--dataset", "digit"), NotFound, "dataset `digit` not found; did you mean `digits`?"),
        (("--set", "example=3"), InvalidArgument, "no parameter 'example'; did you mean 'examples'?"),
        (("--dataset", "digits"), InvalidArgument, "the images of digits@1 (28 × 28, 1 channel) fit no input"),
    ],
)
async def test_what_is_wrong_with_an_import_is_said_before_its_files_are_sent(
    there: There, words: tuple[str, ...], kind: type[ModelyardError], says: str
) -> None:
    write_graph(Path("saved"), {"serving_default": {"x": ("DT_FLOAT", [-1, 28, 28, 3])}})
    done = await typed("models", "push", "two", "saved", "--no-wait", *words)
    assert isinstance(done.exception, kind), done.output
    assert says in done.exception.message
    assert await there.packages() == []


async def test_a_model_pushed_again_is_the_version_that_it_is(there: There) -> None:
    push = ("models", "push", "two", "saved", "--no-wait")
    assert "source two@1" in (await typed(*push)).output
    version = await there.work("two")

    said = await typed(*push)
    script = json.loads((await typed(*push, "-o", "json")).output)

    assert said.exit_code == 0, said.output
    assert "unchanged: two@1 has these files" in said.output
    assert "queued" not in said.output
    assert script["model_version"] == version


async def test_a_model_is_imported_again_where_the_answer_could_be_another(there: There) -> None:
    push = ("models", "push", "two", "saved", "--no-wait")
    await typed(*push)
    await there.work("two")
    for more in (("--dataset", "digits"), ("--set", "examples=3"), ("--job", "again")):
        assert "is queued" in (await typed(*push, *more)).output, more
        await there.work("two")
    write("saved/more", "x")
    assert "is queued" in (await typed(*push)).output
    await there.work("two")
    remove("saved/more")
    assert "is queued" in (await typed(*push)).output, "the latest version has other files"


async def test_code_and_a_model_of_one_name_are_told_apart_by_an_option(there: There) -> None:
    assert (await typed("train", "./mine", "--dataset", "digits")).exit_code == 0

    refused = await typed("models", "push", "mine", "saved", "--no-wait")

    assert isinstance(refused.exception, FailedPrecondition)
    assert refused.exception.reason == "PACKAGE_KIND_DIFFERS"
    assert refused.exception.message.endswith("push it as a package of another name: --package NAME")
    done = await typed("models", "push", "mine", "saved", "--no-wait", "--package", "mine-files")
    assert "source mine-files@1" in done.output
    assert await there.packages() == ["mine", "mine-files"]
