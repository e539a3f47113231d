"""A model that recommends is asked for each user of a split, and what it names is compared with what the user chose;
where there are ratings, its ratings with those."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from modelyard.job.errors import DatasetUnsuitable, ModelUnsuitable
from modelyard.job.session import Context
from modelyard.job.spread import spread
from modelyard.templates.evaluate import ranked
from modelyard.templates.evaluate.document import FORMAT, About
from modelyard.templates.evaluate.regression import Regression
from modelyard.templates.fitting import RECOMMEND
from modelyard.templates.item_titles import item_titles
from modelyard.templates.needs import DataSeen
from modelyard.templates.saved import InputRefused, Saved

SCORE = "score"
ROLES = ("user", "item", "rating", "time")
MOST = max(ranked.RECALL_AT)
MOST_CONTROLLED = 2000
"""Users of the controls; of more, so many, evenly spread: each of them gets all items in another order."""
EXAMPLES, HISTORY, NAMED = 12, 6, 10
_SEED = 20260101
Seen = Mapping[bytes, frozenset[bytes]]


@dataclass(frozen=True, slots=True)
class Rows:
    """A split: [n] each."""

    user: NDArray[np.bytes_]
    item: NDArray[np.bytes_]
    rating: NDArray[np.float64]
    """NaN where there is none."""
    time: NDArray[np.float64]
    """Counts up where the dataset has no times."""

    def chosen(self) -> dict[bytes, list[bytes]]:
        """By user what it chose, the earliest first, each once."""
        found: dict[bytes, list[bytes]] = defaultdict(list)
        order = np.argsort(self.time, kind="stable")
        for user, item in zip(self.user[order].tolist(), self.item[order].tolist(), strict=True):
            found[user].append(item)
        return {user: list(dict.fromkeys(items)) for user, items in found.items()}


def evaluate(context: Context, model: Saved, split: str, data: DataSeen, about: About) -> dict[str, Any]:
    """evaluation.json's content. Raises ModelUnsuitable and DatasetUnsuitable."""
    if RECOMMEND not in model.signatures:
        there = ", ".join(sorted(model.signatures)) or "none"
        raise ModelUnsuitable(
            f"{data.name} has interactions, and the model has no signature {RECOMMEND!r} to ask; it has {there}",
            field="model",
        )
    if split == "train":
        raise DatasetUnsuitable(
            "a model that recommends leaves out what was chosen in training, so that split 'train' says nothing of it; "
            "hold some choices out",
            field="split",
        )
    held = rows(context, split)
    train = rows(context, "train") if context.splits.get("train") else None
    history = train.chosen() if train else {}
    seen = {user: frozenset(items) for user, items in history.items()}
    wanted = {user: frozenset(items) - seen.get(user, frozenset()) for user, items in held.chosen().items()}
    again = sum(len(set(items) & seen.get(user, frozenset())) for user, items in held.chosen().items())
    users = [user for user, items in wanted.items() if items]
    if not users:
        raise DatasetUnsuitable(f"no user of split {split!r} chose an item that it has not chosen in training")
    chosen = [wanted[user] for user in users]
    order = ranked.most_chosen(train.item if train else held.item)
    most = min(MOST, len(order))
    lists, known = _recommended(context, model, users, _held(model, users[0], most), about)
    values = ranked.by_user(lists, chosen)
    found: dict[str, Any] = {
        "format": FORMAT,
        "kind": "recommendation",
        **asdict(about.told(examples=len(users), read_as="items", output="items", random=())),
        "metrics": ranked.means(values),
        "intervals": {name: list(each) for name, each in ranked.intervals(values).items()},
        "users": {"asked": len(users), "known": int(known.sum())},
        "left_out": {"chosen in training already": again} if again else {},
        "problems": context.data.index.problems,
    }
    if train:
        popular = [ranked.first_unseen(order, seen.get(user, frozenset()), most) for user in users]
        by = "the most chosen items of train that the user has not chosen"
        floor = ranked.means(ranked.by_user(popular, chosen))
        found["floors"] = {name: {"value": value, "by": by} for name, value in floor.items()}
        found["controls"] = _controls(users, lists, chosen, seen, order, most)
    _rate(context, model, held, train, found)
    titles = item_titles(context)
    found["shown"] = _shown(users, lists, chosen, history, titles)
    return found


def rows(context: Context, split: str) -> Rows:
    """Raises DatasetUnsuitable."""
    names = {each.role: each.name for each in context.features.values() if each.role in ROLES}
    for role in ("user", "item"):
        if role not in names:
            raise DatasetUnsuitable(f"the dataset has no feature of role {role}; it has {', '.join(context.features)}")
    given = context.arrays(split, columns=list(names.values()))
    inputs, ratings = given if "rating" in names else (given, None)
    count = len(inputs[names["user"]])
    rated = ratings is not None and context.features[names["rating"]].kind == "number"
    return Rows(
        np.asarray(inputs[names["user"]]).astype(np.bytes_),
        np.asarray(inputs[names["item"]]).astype(np.bytes_),
        np.asarray(ratings, np.float64) if rated else np.full(count, np.nan),
        np.asarray(inputs[names["time"]], np.float64) if "time" in names else np.arange(count, dtype=np.float64),
    )


def _held(model: Saved, user: bytes, most: int) -> int:
    """How many items the model names, of at most `most`: one of an earlier version of the dataset may have fewer than
    this one. Raises InputRefused where it names none."""

    def names(count: int) -> None:
        model.ask(RECOMMEND, {"user": np.array([user], object), "k": np.array(count, np.int32)})

    try:
        names(most)
    except InputRefused:
        names(1)
    else:
        return most
    fewest, beyond = 1, most
    while beyond - fewest > 1:
        middle = (fewest + beyond) // 2
        try:
            names(middle)
        except InputRefused:
            beyond = middle
        else:
            fewest = middle
    return fewest


def _recommended(
    context: Context, model: Saved, users: Sequence[bytes], most: int, about: About
) -> tuple[list[list[bytes]], NDArray[np.bool_]]:
    """What each user gets, the best first, and whether the model knows it."""
    lists: list[list[bytes]] = []
    known: list[NDArray[np.bool_]] = []
    size = context.params.batch_size
    for start in range(0, len(users), size):
        some = users[start : start + size]
        answer = model.ask(RECOMMEND, {"user": np.array(some, object), "k": np.array(most, np.int32)})
        if "items" not in answer or answer["items"].shape != (len(some), most):
            raise ModelUnsuitable(
                f"signature {RECOMMEND!r} answers no {most} items a user: {', '.join(sorted(answer)) or 'nothing'}"
            )
        lists += [[bytes(item) for item in items if item] for items in answer["items"].tolist()]
        known.append(np.asarray(answer.get("known", np.ones(len(some))), np.bool_))
        context.progress(start + len(some), len(users))
    return lists, np.concatenate(known)


def _controls(
    users: Sequence[bytes],
    lists: ranked.Lists,
    chosen: ranked.Chosen,
    seen: Seen,
    order: Sequence[bytes],
    most: int,
) -> list[dict[str, Any]]:
    """What is left where each user gets another's items, and where all get any: of some users."""
    random = np.random.default_rng(_SEED)
    few = spread(len(users), MOST_CONTROLLED).tolist()
    users, lists, chosen = ([users[at] for at in few], [lists[at] for at in few], [chosen[at] for at in few])
    metric = f"recall_at_{MOST}"
    as_is = ranked.means(ranked.by_user(lists, chosen))[metric]
    shuffled = ([order[place] for place in random.permutation(len(order)).tolist()] for _ in users)
    anything = [
        ranked.first_unseen(items, seen.get(user, frozenset()), most)
        for user, items in zip(users, shuffled, strict=True)
    ]
    ways = [("random items", "What chance finds among the items of train that the user has not chosen.", anything)]
    if len(users) > 1:
        # A shift of a random order: nobody keeps its own.
        drawn = random.permutation(len(users))
        other = np.empty(len(users), np.int64)
        other[drawn] = np.roll(drawn, 1)
        swapped = [[*lists[place]] for place in other.tolist()]
        ways.insert(0, ("users swapped", "What is still hit did not need to know who is asking.", swapped))
    return [
        {
            "name": name,
            "says": says,
            "metric": metric,
            "as_is": as_is,
            "value": ranked.means(ranked.by_user(given, chosen))[metric],
            "examples": len(users),
        }
        for name, says, given in ways
    ]


def _rate(context: Context, model: Saved, held: Rows, train: Rows | None, found: dict[str, Any]) -> None:
    """Adds the metrics of ratings, where the dataset has some and the model answers them."""
    rated = np.flatnonzero(np.isfinite(held.rating))
    if not len(rated) or SCORE not in model.signatures:
        return
    answers = Regression()
    size = context.params.batch_size
    for start in range(0, len(rated), size):
        some = rated[start : start + size]
        asked = {"user": held.user[some].astype(object), "item": held.item[some].astype(object)}
        answers.add(held.rating[some], _ratings(model, asked, len(some)))
    names = ("rmse", "mae", "bias")
    found["metrics"] |= {name: value for name, value in answers.metrics().items() if name in names}
    found["intervals"] |= {name: list(each) for name, each in answers.intervals().items() if name in names}
    found["ratings"] = len(rated)
    if train is not None and np.isfinite(train.rating).any():
        error = held.rating[rated] - _usual(train, held.user[rated])
        by = "always the mean of the user's ratings in train"
        found["floors"]["rmse"] = {"value": float(np.sqrt((error**2).mean())), "by": by}
        found["floors"]["mae"] = {"value": float(np.abs(error).mean()), "by": by}


def _ratings(model: Saved, asked: dict[str, NDArray[Any]], count: int) -> NDArray[np.float64]:
    """[count]. Raises ModelUnsuitable."""
    answer = model.ask(SCORE, asked)
    found = np.asarray(answer.get("rating", ()), np.float64).reshape(-1)
    if len(found) != count:
        raise ModelUnsuitable(
            f"signature {SCORE!r} answers no 'rating' a pair of user and item: {', '.join(sorted(answer)) or 'nothing'}"
        )
    if not np.isfinite(found).all():
        raise ModelUnsuitable(
            f"the model answers numbers that are none: of {count:,} ratings of a batch, "
            f"{int((~np.isfinite(found)).sum()):,} are nan or infinite"
        )
    return found


def _usual(train: Rows, users: NDArray[np.bytes_]) -> NDArray[np.float64]:
    """Each user's mean in training, the mean of all for one without."""
    known = np.isfinite(train.rating)
    names, places = np.unique(train.user[known], return_inverse=True)
    mean = np.bincount(places, train.rating[known]) / np.bincount(places)
    at = np.searchsorted(names, users).clip(max=len(names) - 1)
    return np.where(names[at] == users, mean[at], train.rating[known].mean())


def _shown(
    users: Sequence[bytes],
    lists: ranked.Lists,
    chosen: ranked.Chosen,
    history: Mapping[bytes, Sequence[bytes]],
    titles: Mapping[bytes, str],
) -> list[dict[str, Any]]:
    """A few users, evenly spread: what they chose, what they get, and what of it they chose afterwards."""

    def named(item: bytes) -> str:
        return titles.get(item) or item.decode(errors="replace")

    places = spread(len(users), EXAMPLES).tolist()
    return [
        {
            "user": users[place].decode(errors="replace"),
            "chose": len(history.get(users[place], ())),
            "history": [named(item) for item in history.get(users[place], ())[-HISTORY:]],
            "recommended": [{"item": named(item), "hit": item in chosen[place]} for item in lists[place][:NAMED]],
            "held_out": [named(item) for item in sorted(chosen[place])[:HISTORY]],
            "hits": sum(item in chosen[place] for item in lists[place]),
            "of": len(chosen[place]),
        }
        for place in places
    ]
