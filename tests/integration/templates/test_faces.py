"""The example that makes a model of the face networks of an npm package."""

import io
import json
import re
import shutil
import tarfile
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from deploy.examples import faces
from modelyard.sdk.gallery.packages import Sdist
from modelyard.sdk.progress import silent
from tests.support.imports import imported

pytestmark = pytest.mark.timeout(300)

PORTRAITS = Sdist(
    "face_recognition", "1.3.0", "5e5efdd1686aa566af0d3cc1313b131e4b197657a8ffd03669e6d3fad92705ec", 3_182_249
)
"""Its tests have photos whose files are named after who is on them."""

# What @vladmandic/face-api 1.7.15 says under Node 20 with @tensorflow/tfjs 4.22.0 (WebAssembly) of the pictures below.
DESCRIPTOR = [-0.04319, 0.08274, 0.10674, -0.02079, -0.06391, -0.08123, -0.06497, -0.08687]
LENGTH = 1.38409
BOX, SCORE = [61.6575, 146.3634, 79.0058, 79.6300], 0.818816


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if shutil.which("npm") is None:
        pytest.skip("npm is not installed (apt-get install npm)")
    return faces.PACKAGE.download(tmp_path_factory.mktemp("npm"), silent)


@pytest.fixture(scope="module")
def folder(package: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("faces") / "faces"
    faces.make(package, target)
    return target


@pytest.fixture(scope="module")
def photo(package: Path) -> Any:
    with tarfile.open(package) as archive:
        return tf.io.decode_image(faces.content(archive, faces.PHOTOS[0]), 3).numpy().astype(np.float32)


def packed(manifest: Any, data: bytes) -> tarfile.TarFile:
    """A package that holds one network."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for name, content in (("some-weights_manifest.json", json.dumps(manifest).encode()), ("some.bin", data)):
            head = tarfile.TarInfo(f"package/model/{name}")
            head.size = len(content)
            archive.addfile(head, io.BytesIO(content))
    return tarfile.open(fileobj=io.BytesIO(out.getvalue()))


def test_weights_are_read_as_they_are_and_as_bytes_with_a_scale() -> None:
    weights = [
        {
            "name": "coded",
            "shape": [2, 2],
            "dtype": "float32",
            "quantization": {"dtype": "uint8", "scale": 2, "min": -1},
        },
        {"name": "plain", "shape": [3], "dtype": "float32"},
    ]
    manifest, data = [{"paths": ["some.bin"], "weights": weights}], bytes([0, 1, 2, 255])
    plain = np.array([1.5, -2, 0.25], "<f4").tobytes()
    found = faces.read_tensors(packed(manifest, data + plain), "some")
    assert found["coded"].tolist() == [[-1, 1], [3, 509]]
    assert found["plain"].tolist() == [1.5, -2, 0.25]
    for other in (data + plain[:-1], data + plain + b"\0"):
        with pytest.raises(ValueError, match=r"buffer size|longer than their manifest says"):
            faces.read_tensors(packed(manifest, other), "some")


def test_of_several_faces_the_surest_is_taken() -> None:
    coded = np.full((13, 13, 5, 5), -4, np.float32)
    coded[3, 4, 1] = [0, 0, 0, 0, 2]
    coded[9, 9, 2] = [0, 0, 0, 0, 1]
    middle, sides, score = faces.surest(tf.constant(coded))
    np.testing.assert_allclose(middle, [3.5 / 13, 4.5 / 13], rtol=1e-6)
    np.testing.assert_allclose(sides, [7.080126 / 13, 6.041143 / 13], rtol=1e-6)
    assert float(score) == pytest.approx(1 / (1 + np.exp(-2)))


@pytest.mark.soak
def test_both_networks_say_what_the_package_says_under_node(package: Path, photo: Any) -> None:
    with tarfile.open(package) as archive:
        recogniser = faces.recogniser(faces.read_tensors(archive, "face_recognition_model"))
        detector = faces.detector(faces.read_tensors(archive, "tiny_face_detector_model"))
    vector = np.asarray(recogniser(photo[np.newaxis, 420:720:2, 785:1085:2]))[0]
    np.testing.assert_allclose(vector[:8], DESCRIPTOR, atol=1e-4)
    assert np.linalg.norm(vector) == pytest.approx(LENGTH, abs=1e-4)
    middle, sides, score = faces.surest(detector(photo[np.newaxis, :1248:3, 640:1888:3])[0])
    (top, left), (height, width) = 416 * (middle - sides / 2), 416 * sides
    np.testing.assert_allclose([left, top, width, height], BOX, atol=0.01)
    assert float(score) == pytest.approx(SCORE, abs=1e-4)


@pytest.mark.soak
def test_photos_of_one_person_are_the_same_and_photos_of_two_are_not(folder: Path, tmp_path: Path) -> None:
    people, data = [], []
    with tarfile.open(PORTRAITS.download(tmp_path, silent)) as archive:
        for entry in archive:
            if named := re.search(r"/test_images/([a-z]+)[\w]*\.jpg$", entry.name):
                people.append(named[1].partition("_")[0])
                data.append(archive.extractfile(entry).read())  # type: ignore[union-attr]
    pairs = list(combinations(range(len(data)), 2))
    assert (len(data), len(set(people))) == (6, 2)
    verify = tf.saved_model.load(str(folder)).signatures["verify"]
    said = verify(
        first=tf.constant([data[one] for one, _ in pairs]), second=tf.constant([data[two] for _, two in pairs])
    )
    assert said["same"].numpy().tolist() == [people[one] == people[two] for one, two in pairs]


@pytest.mark.soak
def test_where_there_is_no_face_nobody_is_the_same(folder: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (90, 120, 3), np.uint8)
    data = tf.constant([tf.io.encode_png(noise).numpy()])
    said = tf.saved_model.load(str(folder)).signatures["verify"](first=data, second=data)
    assert float(said["distance"][0]) == 0
    assert float(said["score"][0]) < faces.SURE
    assert not said["same"][0]


@pytest.mark.soak
def test_the_folder_is_pushed_with_its_examples_and_is_asked_with_pictures(folder: Path, tmp_path: Path) -> None:
    imported(folder.parent, tmp_path / "imported")
    described = json.loads((tmp_path / "imported/faces/model/modelyard.model.json").read_text())
    assert described["examples"] == "those that the model came with"
    assert described["task"] == "image-embedding"
    assert described["inputs"] == {"image_bytes": "image", "first": "image", "second": "image"}
    assert set(described["signatures"]) >= {"embed", "verify"}
    with np.load(tmp_path / "imported/faces/model/golden.npz") as golden:
        assert golden["embed/outputs/embedding"].shape == (2, 128)
        assert (golden["embed/outputs/score"] > faces.SURE).all()
