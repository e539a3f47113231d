"""Boxes on pictures, and identities: from files with mistakes in them to answers, with what users type and send."""

import base64
import json
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from modelyard.sdk import Client
from modelyard.sdk.errors import InvalidArgument
from tests.support import identities
from tests.support.scenes import COLOURS, SIDE, scene, scenes
from tests.support.stack import Stack

pytestmark = [pytest.mark.timeout(600), pytest.mark.soak]

LOOKED_FOR = 4321
"""The number of a scene that is in no split."""


def write(folder: Path, files: dict[str, bytes]) -> None:
    for path, data in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(data)


def train(stack: Stack, template: str, name: str, **parameters: Any) -> str:
    """What is printed meanwhile; the model is deployed under the dataset's name."""
    said = [word for key, value in parameters.items() for word in ("--set", f"{key}={value}")]
    done = stack.run("train", template, "--dataset", name, "--job", name, *said, "--watch")
    stack.run("deploy", name, "--model", f"{name}-{template}")
    return done.stdout + done.stderr


def asked(stack: Stack, name: str, body: dict[str, Any]) -> tuple[int, Any]:
    """Status and document of REST's answer."""
    url = f"http://{stack.address}/v1/models/{name}:predict"
    headers = {"authorization": f"Bearer {stack.token}"}
    request = urllib.request.Request(url, json.dumps(body).encode(), headers)
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)


def b64(data: bytes) -> dict[str, str]:
    return {"b64": base64.b64encode(data).decode()}


@pytest.fixture(scope="module")
def found(stack: Stack) -> str:
    """`things` finds rectangles; what was printed on the way there."""
    files = scenes({"train": 160, "test": 32})
    listed = json.loads(files["train.json"])
    # One outside of its picture, one without area, and one that reaches beyond its picture.
    wrong = ([40, 40, 5, 5], [3, 3, 0, 4])
    listed["annotations"] += [{"image_id": 9, "category_id": 0, "bbox": box} for box in wrong]
    files["train.json"] = json.dumps(listed).encode()
    write(stack.home / "things", files)
    (stack.home / "scene.png").write_bytes(scene(LOOKED_FOR)[0])
    (stack.home / "empty.png").write_bytes(scene(LOOKED_FOR, empty=True)[0])
    (stack.home / "broken.png").write_bytes(scene(LOOKED_FOR)[0][:90])
    pushed = stack.run("datasets", "push", "things", "things")
    settings = {"epochs": 16, "batch_size": 8, "learning_rate": 0.01, "width": 8}
    return pushed.stdout + pushed.stderr + train(stack, "object-detection", "things", **settings)


def test_boxes_that_are_none_are_named_and_the_rest_is_learnt_from(found: str) -> None:
    assert "annotation 289 lies outside of train/9.png (32 × 32 pixels): [40, 40, 5, 5]" in found
    assert "annotation 290 has no box but [3, 3, 0, 4]" in found
    assert "288 boxes on 160 images; on 16 of them there is nothing" in found


def test_boxes_are_printed_and_drawn_where_the_things_are(stack: Stack, found: str) -> None:
    done = stack.run("predict", "things", "--image", "scene.png", "--picture", "boxes.png")
    lines = [line.split() for line in done.stdout.splitlines()]
    assert {"red", "green"} <= {line[0] for line in lines}
    truth = {list(COLOURS)[kind]: box for box, kind in scene(LOOKED_FOR)[1]}
    for label, _score, *edges in lines[:2]:
        left, top, wide, high = truth[label]
        assert np.abs(np.array(edges, float) - [left, top, left + wide, top + high]).max() <= 4
    with Image.open(stack.home / "boxes.png") as drawn, Image.open(stack.home / "scene.png") as plain:
        assert drawn.width == drawn.height >= 320
        larger = plain.convert("RGB").resize(drawn.size, Image.Resampling.NEAREST)
        assert 0.02 < (np.asarray(drawn) != np.asarray(larger)).any(-1).mean() < 0.5


def test_on_a_picture_without_things_nothing_is_found_and_a_broken_one_is_named(stack: Stack, found: str) -> None:
    pictures = ("empty.png", "broken.png", "scene.png")
    done = stack.run("predict", "things", "--image", *pictures, "--picture", "drawn", status=1)
    assert "empty.png: nothing found" in done.stdout
    assert "scene.png:\n" in done.stdout
    assert "broken.png: " in done.stderr
    assert "no whole PNG" in done.stderr
    assert sorted(path.name for path in (stack.home / "drawn").iterdir()) == ["empty.png", "scene.png"]


def test_boxes_are_the_same_by_json_rest_and_sdk(stack: Stack, found: str) -> None:
    data = (stack.home / "scene.png").read_bytes()
    told = stack.json("predict", "things", "--image", "scene.png")["outputs"]
    body = {"signature_name": "encoded", "instances": [{"image_bytes": b64(data)}]}
    status, answer = asked(stack, "things", body)
    assert status == 200
    (sent,) = answer["predictions"]
    with Client(stack.address, token=stack.token) as client:
        other = client.deployments.ask("things", {"image": data})
    for each in (sent, other.outputs):
        assert each["labels"] == told["labels"]
        assert np.allclose(each["boxes"], told["boxes"], atol=1e-3)
        assert np.allclose(each["scores"], told["scores"], atol=1e-5)


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"instances": [{"image_bytes": "seven"}], "signature_name": "encoded"}, "image_bytes"),
        ({"instances": [{"image_bytes": {"b64": "!"}}], "signature_name": "encoded"}, "base64"),
        ({"instances": [{"image_bytes": b64(b"GIF89a")}], "signature_name": "encoded"}, "ends after 6 bytes"),
        ({"instances": [{"picture": b64(b"")}], "signature_name": "encoded"}, "image_bytes"),
        ({"instances": [[[[0, 0, 0]]]]}, f"{SIDE}"),
        ({"instances": [[[[0, 0, 0.5]] * SIDE] * SIDE]}, "must be DT_UINT8; found a fraction"),
        ({"instances": [[[[0, 0, 256]] * SIDE] * SIDE]}, "does not fit DT_UINT8"),
        ({"instances": [{"image_bytes": b64(b"")}], "signature_name": "embed"}, "embed"),
    ],
)
def test_what_is_no_picture_of_its_shape_is_refused_by_rest_with_what_is_wrong(
    stack: Stack, found: str, body: dict[str, Any], words: str
) -> None:
    status, answer = asked(stack, "things", body)
    assert 400 <= status < 500
    assert words in answer["error"]


@pytest.fixture(scope="module")
def known(stack: Stack) -> str:
    """`persons` tells identities apart; what was printed on the way there."""
    write(stack.home / "persons", identities.pictures({"train": range(64), "test": range(62, 82)}))
    (stack.home / "persons/train/who000/damaged.png").write_bytes(b"no picture")
    for name, identity, seed in (("ann.png", 70, 50), ("ann2.png", 70, 51), ("bob.png", 75, 50)):
        (stack.home / name).write_bytes(identities.picture(identity, seed))
    pushed = stack.run("datasets", "push", "persons", "persons")
    settings = {"epochs": 12, "batch_size": 16, "image_size": 32, "width": 8, "units": 32, "augment": "none"}
    return pushed.stdout + pushed.stderr + train(stack, "image-embedding", "persons", **settings)


def test_what_is_no_picture_is_named_and_identities_that_cross_the_split_are_not_judged(known: str) -> None:
    assert "train/who000/damaged.png" in known
    assert "256 pictures of 64 identities" in known
    assert "2 identities of split 'test' are in 'train' too; they are not judged" in known


def test_a_picture_becomes_a_vector_of_length_one(stack: Stack, known: str) -> None:
    by_rest = asked(
        stack,
        "persons",
        {"signature_name": "embed", "instances": [{"image_bytes": b64((stack.home / "ann.png").read_bytes())}]},
    )[1]["predictions"]
    for words in (("--signature", "embed"), ()):
        outputs = stack.json("predict", "persons", "--image", "ann.png", *words)["outputs"]
        assert np.linalg.norm(outputs["embedding"]) == pytest.approx(1, abs=1e-5)
        assert np.allclose(outputs["embedding"], by_rest[0], atol=1e-5)


def test_pairs_of_pictures_are_compared(stack: Stack, known: str) -> None:
    folder = stack.home / "pairs"
    folder.mkdir()
    numbers = range(64, 80)
    for number in numbers:
        (folder / f"{number}.png").write_bytes(identities.picture(number, 50))
        (folder / f"{number}b.png").write_bytes(identities.picture(number, 51))
    same = {}
    for what, step in (("same", 0), ("other", 1)):
        rows = [f"first=pairs/{at}.png,second=pairs/{64 + (at - 64 + step) % 16}b.png" for at in numbers]
        words = [word for row in rows for word in ("--row", row)]
        done = stack.run("predict", "persons", *words, "-o", "json")
        same[what] = [json.loads(line)["outputs"] for line in done.stdout.splitlines()]
    assert (
        np.mean([each["same"] for each in same["same"]]) > 0.6 > 0.4 > np.mean([each["same"] for each in same["other"]])
    )

    files = [(folder / name).read_bytes() for name in ("64.png", "64b.png")]
    row = "first=pairs/64.png,second=pairs/64b.png"
    told = json.loads(stack.run("predict", "persons", "--signature", "verify", "--row", row).stdout)
    body = {"signature_name": "verify", "instances": [dict(zip(("first", "second"), map(b64, files), strict=True))]}
    sent = asked(stack, "persons", body)[1]["predictions"][0]
    with Client(stack.address, token=stack.token) as client:
        by_sdk = client.deployments.ask("persons", {"first": files[0], "second": folder / "64b.png"}).outputs
    for each in (told, sent, by_sdk):
        assert each["same"] == same["same"][0]["same"]
        assert each["similarity"] == pytest.approx(same["same"][0]["similarity"], abs=1e-5)


def test_the_most_similar_pictures_of_the_dataset_version_are_found(stack: Stack, known: str) -> None:
    done = stack.run("predict", "persons", "--image", "ann.png", "--k", "3")
    first = done.stdout.splitlines()[0].split()
    assert first[:2] == ["1", "who070"]
    assert first[3].startswith("test/who070/")
    assert "persons@1" in done.stdout
    outputs = stack.json("predict", "persons", "--image", "ann.png", "--k", "3", "--signature", "search")["outputs"]
    assert outputs["items"][0] == "who070"
    assert outputs["paths"][0] == first[3]
    assert outputs["scores"] == sorted(outputs["scores"], reverse=True)
    body = {"signature_name": "search", "inputs": {"image_bytes": [b64((stack.home / "ann.png").read_bytes())], "k": 3}}
    assert asked(stack, "persons", body)[1]["outputs"]["items"] == [outputs["items"]]


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("--image", "ann.png", "--k", "400"), "k is the number of pictures to find: 1 to 336 and not 400"),
        (("--image", "ann.png", "--signature", "search"), "also takes k"),
        (("--row", "first=ann.png"), "also takes second (image)"),
        (("--row", "first=ann.png,second=nobody.png"), "nobody.png is no file"),
        (("--row", "first=ann.png,second=broken.png"), "second"),
        (("--image", "ann.png", "--signature", "verify"), "signature verify takes first (image), second (image)"),
        (("--text", "ann"), "has no input 'text'; its inputs are image (image)"),
    ],
)
def test_a_question_that_cannot_be_answered_says_which_input_is_wrong(
    stack: Stack, known: str, found: str, words: tuple[str, ...], sentence: str
) -> None:
    done = stack.run("predict", "persons", *words, status=2)
    assert sentence in done.stderr
    assert "Traceback" not in done.stderr


def test_rest_names_the_input_that_is_no_picture(stack: Stack, known: str) -> None:
    pair = {"first": b64((stack.home / "ann.png").read_bytes()), "second": b64(b"\x89PNG")}
    status, answer = asked(stack, "persons", {"signature_name": "verify", "instances": [pair]})
    assert status == 400
    assert "second" in answer["error"]
    with Client(stack.address, token=stack.token) as client, pytest.raises(InvalidArgument, match="second"):
        client.deployments.ask("persons", {"first": stack.home / "ann.png", "second": b"\x89PNG"})


def test_one_identity_only_ends_the_job_with_the_reason_and_nothing_else(stack: Stack, known: str) -> None:
    write(stack.home / "alone", identities.pictures({"train": range(1), "test": range(1, 3)}, each=8))
    stack.run("datasets", "push", "alone", "alone")
    done = stack.run(
        "train",
        "image-embedding",
        "--dataset",
        "alone",
        "--job",
        "alone",
        "--set",
        "image_size=32",
        "--watch",
        status=1,
    )
    assert "split 'train' has one identity only ('who000')" in done.stdout + done.stderr
    assert stack.json("jobs", "show", "alone")["state"] == "STATE_FAILED"
    assert stack.json("predict", "persons", "--image", "ann.png")["outputs"]
