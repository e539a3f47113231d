"""The template on users of three tastes, what it serves, and its evaluation."""

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from numpy.typing import NDArray

from modelyard.job import running
from modelyard.job.channel import SilentChannel
from modelyard.job.errors import DatasetUnsuitable, ModelUnsuitable
from modelyard.job.messages import Checkpoint, JobSpec, Metric, Progress
from modelyard.job.session import Context
from modelyard.job.trial import Trial, prepare_dataset
from modelyard.layouts import Options
from modelyard.sdk import gallery
from modelyard.templates.evaluate import recommending
from modelyard.templates.specs import SHIPPED, get_template
from tests.integration.job.child import Child, only, variables
from tests.integration.templates.answers import refused
from tests.integration.templates.evaluations import run
from tests.support.warm import try_package

pytestmark = pytest.mark.timeout(300)

USERS, ITEMS, TASTES, CHOSEN = 90, 60, 3, 10
SHORT: dict[str, Any] = {"epochs": 40, "learning_rate": 0.02, "penalty": 0.1}
HEAD = "user,item,rating,time\n"


def chosen(seed: int = 0) -> dict[int, list[int]]:
    """By user what it chose, the last one held out: items of its own taste."""
    random = np.random.default_rng(seed)
    mine = {user: [item for item in range(ITEMS) if item % TASTES == user % TASTES] for user in range(USERS)}
    return {user: random.choice(items, CHOSEN + 1, replace=False).tolist() for user, items in mine.items()}


def rating(user: int, item: int) -> float:
    """Some rate higher than others, and some items are rated higher."""
    return 2.0 + user % 2 + 2 * (item % 4 == 0)


def files(*, ratings: bool = True, table: bool = True) -> dict[str, bytes]:
    head = HEAD if ratings else "user,item\n"

    def line(user: int, item: int, time: int) -> str:
        return f"u{user},i{item}" + (f",{rating(user, item)},{1_600_000_000 + time}" if ratings else "") + "\n"

    train = "".join(line(user, item, at) for user, items in chosen().items() for at, item in enumerate(items[:-1]))
    test = "".join(line(user, items[-1], CHOSEN) for user, items in chosen().items())
    items = "item,title,genre\n" + "".join(f"i{item},The {item}th,{'abc'[item % TASTES]}|x\n" for item in range(ITEMS))
    found = {"train.csv": (head + train).encode(), "test.csv": (head + test).encode()}
    return found | ({"items.csv": items.encode()} if table else {})


def prepared(folder: Path, given: dict[str, bytes], options: Options | None = None) -> Path:
    prepare_dataset(folder, given, options=options)
    return folder


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return prepared(tmp_path_factory.mktemp("data") / "dataset", files())


@pytest.fixture(scope="module")
def trained(dataset: Path, tmp_path_factory: pytest.TempPathFactory) -> Trial:
    done = try_package(SHIPPED / "recommendation", tmp_path_factory.mktemp("trained"), dataset=dataset, **SHORT)
    assert done.status == 0, done.printed
    return done


@pytest.fixture(scope="module")
def served(trained: Trial) -> Any:
    return tf.saved_model.load(str(trained.model))


def recommend(served: Any, users: list[str], k: int) -> dict[str, NDArray[Any]]:
    answer = served.signatures["recommend"](user=tf.constant(users), k=tf.constant(k))
    return {name: value.numpy() for name, value in answer.items()}


def test_users_are_recommended_what_is_to_their_taste_and_nothing_that_they_have_chosen(served: Any) -> None:
    answer = recommend(served, [f"u{user}" for user in range(USERS)], ITEMS // TASTES - CHOSEN)
    assert answer["known"].all()
    mine = 0
    for user, items in enumerate(answer["items"].tolist()):
        numbers = [int(item[1:]) for item in items]
        assert not set(numbers) & set(chosen()[user][:-1])
        mine += sum(number % TASTES == user % TASTES for number in numbers)
    assert mine / answer["items"].size > 0.9
    assert (np.diff(answer["scores"]) <= 0).all()


def test_what_is_recommended_has_its_title_from_the_table_of_items(served: Any) -> None:
    answer = recommend(served, ["u0", "nobody"], ITEMS)
    for items, titles in zip(answer["items"].tolist(), answer["titles"].tolist(), strict=True):
        assert titles == [f"The {int(item[1:])}th".encode() if item else b"" for item in items]


def test_an_unknown_user_gets_what_is_chosen_most_and_is_marked(served: Any) -> None:
    answer = recommend(served, ["u1", "nobody"], 5)
    assert answer["known"].tolist() == [True, False]
    items, counts = np.unique([item for all_ in chosen().values() for item in all_[:-1]], return_counts=True)
    often = dict(zip(items.tolist(), counts.tolist(), strict=True))
    got = [often[int(item[1:])] for item in answer["items"][1].tolist()]
    assert got == sorted(counts.tolist(), reverse=True)[:5]


def test_without_a_number_ten_are_recommended(served: Any) -> None:
    answer = served.signatures["serving_default"](user=tf.constant(["u3"]))
    assert answer["items"].numpy().tolist() == recommend(served, ["u3"], 10)["items"].tolist()


def test_where_all_others_are_chosen_already_the_last_places_are_empty(served: Any) -> None:
    answer = recommend(served, ["u0"], ITEMS)
    left = ITEMS - CHOSEN
    assert b"" not in answer["items"][0, :left]
    assert set(answer["items"][0, left:].tolist()) == {b""}
    assert not answer["scores"][0, left:].any()
    assert answer["scores"].sum() == pytest.approx(1, abs=1e-4)


@pytest.mark.parametrize("k", [0, -3, ITEMS + 1])
def test_another_number_of_items_than_there_are_is_refused(served: Any, k: int) -> None:
    with pytest.raises(tf.errors.InvalidArgumentError, match=f"k is the number of items to recommend: 1 to {ITEMS}"):
        recommend(served, ["u0"], k)


def test_ratings_follow_user_and_item_and_say_whether_both_are_known(served: Any) -> None:
    answer = served.signatures["score"](
        user=tf.constant(["u2", "u3", "nobody", "u3"]), item=tf.constant(["i8", "i3", "i8", "nothing"])
    )
    assert answer["known"].numpy().tolist() == [True, True, False, False]
    assert answer["rating"].numpy()[:2] == pytest.approx([rating(2, 8), rating(3, 3)], abs=0.5)
    assert np.isfinite(answer["rating"].numpy()).all()


def test_an_evaluation_has_floors_controls_and_users_to_look_at(trained: Trial, dataset: Path, tmp_path: Path) -> None:
    found = run(tmp_path, dataset, trained.model)
    metrics, floors = found["metrics"], found["floors"]
    assert found["kind"] == "recommendation"
    assert found["examples"] == USERS
    assert metrics["recall_at_10"] > 0.8 > floors["recall_at_10"]["value"]
    assert metrics["rmse"] < 0.5 < floors["rmse"]["value"]
    controls = {each["name"]: each for each in found["controls"]}
    assert set(controls) == {"users swapped", "random items"}
    shown = found["shown"][0]
    assert len(shown["recommended"]) == 10
    assert shown["of"] == 1
    page = (tmp_path / "outputs/report/report.html").read_text()
    assert "The 3th" in page
    assert "Recall@10" in page


def test_a_model_of_fewer_items_than_the_dataset_has_now_is_asked_for_those_it_has(
    dataset: Path, tmp_path: Path
) -> None:
    user, names = tf.TensorSpec((None,), tf.string, "user"), tf.constant([f"i{item}" for item in range(13)])

    def recommend(user: Any, k: Any) -> dict[str, Any]:
        with tf.control_dependencies([tf.debugging.Assert(tf.logical_and(k >= 1, k <= 13), ["k is 1 to 13"])]):
            return {"items": tf.tile(names[tf.newaxis, :k], (tf.shape(user)[0], 1))}

    module = tf.Module()
    module.recommend = tf.function(recommend, input_signature=[user, tf.TensorSpec((), tf.int32, "k")])
    tf.saved_model.save(module, str(tmp_path / "model"), signatures={"recommend": module.recommend})
    found = run(tmp_path, dataset, tmp_path / "model")
    hits = [items[-1] < 13 for items in chosen().values()]
    assert found["metrics"]["recall_at_50"] == pytest.approx(np.mean(hits))
    assert found["floors"]["recall_at_50"]["value"] > 0.9, "popularity knows all items"


def test_controls_are_of_some_users_and_what_they_are_compared_with_of_the_same(
    trained: Trial, dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recommending, "MOST_CONTROLLED", 7)
    found = run(tmp_path, dataset, trained.model)
    assert found["examples"] == USERS
    for control in found["controls"]:
        assert control["examples"] == 7
        assert control["as_is"] * 7 == pytest.approx(round(control["as_is"] * 7)), "each has one held out"


@pytest.mark.parametrize(
    ("rating", "says"),
    [
        (lambda user: tf.fill(tf.shape(user), np.nan), "of 90 ratings of a batch, 90 are nan or infinite"),
        (lambda _: tf.constant([3.0]), "'score' answers no 'rating' a pair of user and item: rating"),
    ],
)
def test_ratings_that_are_no_numbers_or_too_few_are_refused_in_a_sentence(
    dataset: Path, tmp_path: Path, rating: Any, says: str
) -> None:
    user, item = (tf.TensorSpec((None,), tf.string, name) for name in ("user", "item"))
    module = tf.Module()
    module.recommend = tf.function(
        lambda user, k: {"items": tf.fill((tf.shape(user)[0], k), "i0")},
        input_signature=[user, tf.TensorSpec((), tf.int32, "k")],
    )
    module.score = tf.function(lambda user, item: {"rating": rating(user)}, input_signature=[user, item])
    signatures = {"recommend": module.recommend, "score": module.score}
    tf.saved_model.save(module, str(tmp_path / "model"), signatures=signatures)
    with pytest.raises(ModelUnsuitable, match=says):
        run(tmp_path, dataset, tmp_path / "model")


def test_what_was_learnt_from_says_nothing_of_what_is_recommended(
    trained: Trial, dataset: Path, tmp_path: Path
) -> None:
    with pytest.raises(DatasetUnsuitable, match="leaves out what was chosen in training, so that split 'train' says"):
        run(tmp_path, dataset, trained.model, split="train")


def test_it_learns_from_choices_alone_and_permuted_ones_teach_it_nothing(tmp_path: Path) -> None:
    dataset = prepared(tmp_path / "dataset", files(ratings=False, table=False))
    done = try_package(SHIPPED / "recommendation", tmp_path, dataset=dataset, epochs=12, permute=True)
    assert done.status == 0, done.printed
    assert done.metrics["val_ndcg_at_10"] < 0.3
    description = json.loads((done.model / "modelyard.model.json").read_text())
    assert set(description["signatures"]) == {"serving_default", "recommend"}
    assert (description["task"], description["inputs"]) == ("recommendation", {"user": "user", "item": "item"})


def test_one_user_alone_is_refused(tmp_path: Path) -> None:
    dataset = prepared(tmp_path / "d", {"train.csv": (HEAD + "a,i1,3,1\na,i2,4,2\n").encode()})
    assert "split 'train' has one user only ('a'); there are no other users to compare" in str(
        refused("recommendation", dataset)
    )


def test_of_an_item_that_the_table_does_not_have_nothing_more_is_known_and_it_is_named(tmp_path: Path) -> None:
    given = files()
    given["items.csv"] = given["items.csv"].replace(b"i7,", b"j7,")
    dataset = prepared(tmp_path / "d", given)
    done = try_package(SHIPPED / "recommendation", tmp_path, dataset=dataset, epochs=1)
    assert done.status == 0, done.printed
    assert (
        "1 of the 60 items that were chosen are not in the table of items: 'i7'; nothing else is known" in done.printed
    )
    answer = recommend(tf.saved_model.load(str(done.model)), ["nobody"], ITEMS)
    titles = dict(zip(answer["items"][0].tolist(), answer["titles"][0].tolist(), strict=True))
    assert (titles[b"i7"], titles[b"i8"]) == (b"", b"The 8th")


def test_where_the_table_lacks_half_of_the_items_it_is_refused(tmp_path: Path) -> None:
    given = files()
    head, *lines = given["items.csv"].splitlines(keepends=True)
    given["items.csv"] = head + b"".join(lines[: ITEMS // 2])
    problem = str(refused("recommendation", prepared(tmp_path / "d", given)))
    assert "30 of the 60 items that were chosen are not in the table of items: 'i30', 'i31', 'i32' …; add" in problem
    assert "--set item_values=0" in problem


@pytest.fixture
def code(dataset: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The template's modules can be imported, in a job that has the dataset."""
    begin(dataset)
    monkeypatch.syspath_prepend(str(SHIPPED / "recommendation"))


def begin(dataset: Path) -> None:
    template = get_template("recommendation")
    spec = JobSpec(
        "projects/p/jobs/j",
        1,
        str(SHIPPED / "recommendation"),
        template.entry,
        -1,
        template.complete({}),
        dataset=str(dataset),
    )
    running.begin(Context(spec, dataset.parent, SilentChannel()))


@pytest.mark.usefixtures("code")
@pytest.mark.parametrize("time", [",time", ""])
def test_of_a_pair_that_is_there_twice_the_last_rating_counts_by_its_time_or_else_by_the_file(
    time: str, tmp_path: Path
) -> None:
    lines = ["u0,i0,5,300", "u0,i0,1,100", "u0,i0,2,", "u1,i0,3,5", "u1,i1,4,5", "u1,i1,2,5"]
    text = f"user,item,rating{time}\n" + "".join((line if time else line.rpartition(",")[0]) + "\n" for line in lines)
    begin(prepared(tmp_path / "twice", {"train.csv": text.encode()}))
    from recommendation import load

    train, _, _ = load()
    assert train.rating.tolist() == [5 if time else 2, 3, 2]


@pytest.mark.usefixtures("code")
def test_users_are_read_a_few_at_a_time_where_one_of_them_has_very_many_items(monkeypatch: pytest.MonkeyPatch) -> None:
    import towers
    from recommendation import load
    from serving import _state

    train, users, items = load()
    params = get_template("recommendation").complete({})
    made = towers.Towers(train, len(users), len(items), None, SimpleNamespace(**params))
    assert made.together(256) == 256
    whole = _state(made, len(users))
    monkeypatch.setattr(towers, "READ_BYTES", 7 * 2 * 4 * params["units"] * CHOSEN)
    assert made.together(256) == 7
    assert _state(made, len(users)) == pytest.approx(whole, abs=1e-5)


@pytest.mark.soak
def test_a_stopped_job_ends_like_one_that_was_not_stopped(tmp_path: Path) -> None:
    template = get_template("recommendation")
    spec: dict[str, Any] = {
        "code": str(SHIPPED / "recommendation"),
        "entry": template.entry,
        "parameters": template.complete({"epochs": 3, "batch_size": 4}),
    }
    for part in ("whole", "first", "second"):
        prepared(tmp_path / part / "inputs/dataset", files())
    with Child(tmp_path / "whole", **spec) as child:
        status, expected = child.finish()
    assert status == 0, (tmp_path / "whole/log").read_text()
    with Child(tmp_path / "first", **spec) as child:
        status, begun = child.finish(lambda message: isinstance(message, Progress) and message.epoch == 2)
    assert status == 0, (tmp_path / "first/log").read_text()
    saved = only(begun, Checkpoint)[-1]
    with Child(tmp_path / "second", attempt=2, resume=saved.path, resume_step=saved.step, **spec) as child:
        status, ended = child.finish()
    assert status == 0, (tmp_path / "second/log").read_text()
    last = only(expected, Checkpoint)[-1].step
    assert 0 < saved.step < last
    assert only(begun, Metric) + only(ended, Metric) == only(expected, Metric)
    whole, resumed = (variables(tmp_path / f"{part}/checkpoints/{last}") for part in ("whole", "second"))
    for theirs, ours in zip(whole, resumed, strict=True):
        np.testing.assert_array_equal(theirs, ours)


MOVIELENS = {"movielens-small": ("recall_at_50", 0.18), "movielens-ratings": ("rmse", 0.93)}


@pytest.mark.soak
@pytest.mark.parametrize("name", MOVIELENS)
def test_movielens_is_learnt_as_well_as_a_plain_script_learns_it(name: str, tmp_path: Path) -> None:
    folder = gallery.find(name).fetch()
    dataset = prepared(tmp_path / "dataset", {path.name: path.read_bytes() for path in folder.iterdir()})
    done = try_package(SHIPPED / "recommendation", tmp_path, dataset=dataset)
    assert done.status == 0, done.printed
    metric, figure = MOVIELENS[name]
    found = run(tmp_path, dataset, done.model, split="test")["metrics"][metric]
    assert found >= figure if metric.startswith("recall") else found <= figure
