"""The template on shapes in colours, what it serves, and its evaluation; one training for all."""

import importlib
import itertools
import re
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

import modelyard.job
from modelyard.job.errors import ModelUnsuitable
from modelyard.job.index import Index
from modelyard.job.trial import Trial, prepare_dataset
from modelyard.sdk import gallery
from modelyard.templates.specs import SHIPPED
from tests.integration.templates.answers import refused, samples
from tests.integration.templates.evaluations import run, save
from tests.support.identities import SIDE, picture, pictures
from tests.support.warm import try_package

pytestmark = pytest.mark.timeout(300)

SHORT: dict[str, Any] = {"epochs": 12, "batch_size": 16, "image_size": SIDE, "width": 8, "units": 32, "augment": "none"}


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data") / "dataset"
    prepare_dataset(folder, pictures({"train": range(64), "test": range(62, 82)}))
    return folder


@pytest.fixture(scope="module")
def trained(dataset: Path, tmp_path_factory: pytest.TempPathFactory) -> Trial:
    done = try_package(SHIPPED / "image-embedding", tmp_path_factory.mktemp("trained"), dataset=dataset, **SHORT)
    assert done.status == 0, done.printed
    return done


@pytest.fixture(scope="module")
def served(trained: Trial) -> Any:
    return tf.saved_model.load(str(trained.model))


def test_identities_that_training_has_not_seen_are_told_apart_and_known_ones_are_not_judged(trained: Trial) -> None:
    assert trained.metrics["val_auc"] > 0.8
    assert "256 pictures of 64 identities" in trained.printed
    bare = re.search(
        r"before it learns reaches val_auc (\S+), .* cosine of the pixels reaches val_auc (\S+),", trained.printed
    )
    assert bare is not None, trained.printed
    assert float(bare[1]) < trained.metrics["val_auc"]
    assert float(bare[2]) > 0.9
    assert "2 identities of split 'test' are in 'train' too; they are not judged" in trained.printed


def test_while_it_learns_it_says_which_identity_a_few_held_out_pictures_are_most_like(trained: Trial) -> None:
    told = samples(trained.printed)
    assert len(told) == SHORT["epochs"]
    for each in told:
        assert [path.split("/")[:2] for path, _, _ in each] == [["test", true] for _, _, true in each]
        assert {said for _, said, _ in each} <= {f"who{identity:03}" for identity in range(64, 82)}
    assert sum(said == true for _, said, true in told[-1]) >= 2


def test_a_vector_is_of_length_one_and_the_same_for_pixels_and_for_files(served: Any) -> None:
    data = picture(70, 9)
    embedding = served.signatures["embed"](image_bytes=tf.constant([data]))["embedding"].numpy()
    assert np.linalg.norm(embedding) == pytest.approx(1, abs=1e-5)
    pixels = tf.io.decode_png(data, 3)[tf.newaxis]
    assert np.allclose(served.signatures["serving_default"](image=pixels)["embedding"], embedding, atol=1e-5)


def test_the_same_identity_is_verified_and_found_in_the_gallery(served: Any) -> None:
    new = [picture(identity, 50) for identity in range(64, 80)]
    kept = [picture(identity, 51) for identity in range(64, 80)]
    verify = served.signatures["verify"]
    same = verify(first=tf.constant(new), second=tf.constant(kept))
    other = verify(first=tf.constant(new), second=tf.constant(kept[1:] + kept[:1]))
    assert same["same"].numpy().mean() > 0.6 > 0.4 > other["same"].numpy().mean()
    assert same["similarity"].numpy().mean() > other["similarity"].numpy().mean()

    found = served.signatures["search"](image_bytes=tf.constant(new), k=tf.constant(3))
    names = [f"who{identity:03}".encode() for identity in range(64, 80)]
    assert np.mean([name in items for name, items in zip(names, found["items"].numpy().tolist(), strict=True)]) > 0.5
    assert found["paths"].numpy()[0, 0].startswith(b"t")
    assert (np.diff(found["scores"].numpy(), axis=1) <= 0).all()
    with pytest.raises(tf.errors.InvalidArgumentError, match="k is the number of pictures to find: 1 to 336"):
        served.signatures["search"](image_bytes=tf.constant(new), k=tf.constant(400))


def test_an_evaluation_compares_with_pixels_and_shows_neighbours(trained: Trial, dataset: Path, tmp_path: Path) -> None:
    found = run(tmp_path, dataset, trained.model)
    assert (found["kind"], found["examples"], found["identities"]) == ("retrieval", 72, 18)
    assert found["left_out"] == {"are of identities that training has seen": 8}
    assert found["metrics"]["auc"] == pytest.approx(trained.metrics["val_auc"], abs=1e-5)
    # Discs that lie in the same places need no learning.
    assert found["references"]["auc"]["value"] > 0.9 > found["floors"]["auc"]["value"]
    assert found["controls"][0]["value"] < found["metrics"]["auc"]
    page = (tmp_path / "outputs/report/report.html").read_text()
    assert page.count("class=neighbours") == len({each["why"] for each in found["neighbours"]})
    assert "cosine of the pixels" in page


def test_vectors_that_are_no_numbers_are_refused_in_a_sentence(dataset: Path, tmp_path: Path) -> None:
    def by_zero(image: Any) -> Any:
        values = tf.reduce_mean(tf.cast(image, tf.float32), (1, 2))
        return {"embedding": values / tf.where(values[:, :1] > tf.reduce_min(values[:, :1]), 1.0, 0.0)}

    model = save(tmp_path / "model", by_zero, tf.TensorSpec((None, SIDE, SIDE, 3), tf.uint8, "image"))
    (model / "modelyard.model.json").write_text('{"format": 1, "task": "image-embedding"}')
    says = r"the model answers numbers that are none: of the \d+ vectors of a batch in 'embedding', 1 have nan or"
    with pytest.raises(ModelUnsuitable, match=says):
        run(tmp_path, dataset, model)


def test_one_identity_alone_is_refused_in_words(tmp_path: Path) -> None:
    prepare_dataset(tmp_path / "one", pictures({"train": range(1), "test": range(1, 3)}))
    error = refused("image-embedding", tmp_path / "one", image_size=SIDE)
    assert str(error).startswith("split 'train' has one identity only ('who000'); there is no other to tell it from")


def test_identities_that_are_all_known_are_refused_as_judges(tmp_path: Path) -> None:
    prepare_dataset(tmp_path / "crossing", pictures({"train": range(4), "test": range(4)}))
    error = refused("image-embedding", tmp_path / "crossing", image_size=SIDE)
    assert str(error).startswith("each of the 4 identities of split 'test' is in 'train' too")


def part(name: str, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A module of the template, outside of a job."""
    monkeypatch.setitem(vars(modelyard.job), "context", None)
    monkeypatch.syspath_prepend(SHIPPED / "image-embedding")
    return importlib.import_module(name)


@pytest.mark.parametrize("counts", [[40, 3, 1], [1] * 30 + [4]], ids=["one has too many", "the first have one"])
def test_the_pictures_that_are_judged_are_of_several_identities_with_several_of_one(
    monkeypatch: pytest.MonkeyPatch, counts: list[int]
) -> None:
    judging, known = (part(name, monkeypatch) for name in ("embedding_judging", "identity_pictures"))
    monkeypatch.setattr(judging, "MOST_JUDGED", 20)
    identities = np.repeat(np.arange(len(counts)), counts)
    pixels = np.random.default_rng(0).integers(0, 255, (len(identities), 16, 16, 3)).astype(np.uint8)
    held_out = known.Pictures(pixels, identities, np.arange(len(identities)))
    assert judging.comparable(held_out)
    assert not judging.comparable(held_out.where(identities == 0))
    image = keras.Input((16, 16, 3), dtype="uint8")
    net = keras.Model(image, keras.layers.Flatten()(image[:, ::8, ::8]))
    found = judging.Judging(net, held_out).compared()
    assert len(found.identities) == 20
    metrics = found.metrics()
    assert set(metrics) == {"auc", "rank1", "rank5"}
    assert np.isfinite([*metrics.values(), found.threshold()]).all()


def test_no_step_is_of_one_identity_alone_and_others_are_as_large_as_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    batched = part("image_embedding", monkeypatch).batched
    assert [batched(1194, 64), batched(64, 64), batched(65, 64), batched(3, 2), batched(7, 2)] == [64, 64, 65, 3, 4]
    assert all(count % batched(count, size) != 1 for count in range(2, 300) for size in range(2, 70))


@pytest.mark.soak
def test_pictures_among_the_wrong_identities_teach_less_than_the_right_ones(
    dataset: Path, trained: Trial, tmp_path: Path
) -> None:
    done = try_package(SHIPPED / "image-embedding", tmp_path, dataset=dataset, **SHORT, shuffle_identities=True)
    assert done.status == 0, done.printed
    assert done.metrics["val_auc"] < trained.metrics["val_auc"]


@pytest.mark.soak
def test_without_a_gallery_there_is_nothing_to_search(dataset: Path, tmp_path: Path) -> None:
    few = {**SHORT, "epochs": 1, "gallery": "none"}
    done = try_package(SHIPPED / "image-embedding", tmp_path, dataset=dataset, **few)
    assert done.status == 0, done.printed
    assert set(tf.saved_model.load(str(done.model)).signatures) == {"serving_default", "embed", "verify"}


@pytest.fixture(scope="module")
def emoji(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The gallery's identities, prepared."""
    source, folder = gallery.find("emoji-identities").fetch(), tmp_path_factory.mktemp("emoji") / "dataset"
    prepare_dataset(folder, {each.relative_to(source).as_posix(): each.read_bytes() for each in source.rglob("*.*")})
    return folder


@pytest.mark.soak
@pytest.mark.timeout(1500)
@pytest.mark.parametrize("loss", ["supcon", "arcface"])
def test_emoji_are_told_apart_that_it_has_not_seen(emoji: Path, tmp_path: Path, loss: str) -> None:
    done = try_package(SHIPPED / "image-embedding", tmp_path, dataset=emoji, epochs=4, loss=loss)
    assert done.status == 0, done.printed
    found = run(tmp_path, emoji, done.model, split="test")
    untrained = re.search(r"this network before it learns reaches val_auc (\S+),", done.printed)
    assert untrained is not None, done.printed
    print(loss, found["metrics"], found["references"], untrained[0])
    # ArcFace has a middle an identity to learn: in a few epochs it gets less far.
    least = found["references"]["auc"]["value"] - 0.03 if loss == "supcon" else float(untrained[1]) + 0.02
    assert found["metrics"]["auc"] > max(float(untrained[1]), 0.8, least)


@pytest.mark.soak
def test_no_emoji_is_in_two_splits(emoji: Path) -> None:
    splits = {name: Index(emoji).split(name).column("label").values for name in Index(emoji).splits}
    assert len(splits) >= 2
    for one, other in itertools.combinations(splits, 2):
        assert not np.isin(splits[one], splits[other]).any(), (one, other)
