"""Who chose what, as numbers: users and items are counted, what a user chose lies together."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from modelyard.job import context
from modelyard.job.errors import DatasetUnsuitable
from modelyard.layouts import Feature

ROLES = ("user", "item", "rating")


@dataclass(frozen=True, slots=True)
class Interactions:
    """One split, by user and then by item. A user's item is there once, with its last rating: by its time, where it has
    one, and then by the order of the file."""

    user: NDArray[np.int32]
    """Into the known users; -1 for one that training has not seen."""
    item: NDArray[np.int32]
    rating: NDArray[np.float32]
    """NaN where there is none."""

    def __len__(self) -> int:
        return len(self.user)

    def known(self) -> "Interactions":
        """Those of users and items that are known."""
        return self.where((self.user >= 0) & (self.item >= 0))

    def where(self, chosen: NDArray[Any]) -> "Interactions":
        """Of a mask, or of places."""
        return Interactions(self.user[chosen], self.item[chosen], self.rating[chosen])

    def pairs(self, items: int) -> NDArray[np.int64]:
        """A number for each pair of a user and one of so many items."""
        return self.user.astype(np.int64) * items + self.item

    def starts(self, users: int) -> NDArray[np.int64]:
        """Where each user's begin, and the end: int64 [users + 1]."""
        return np.searchsorted(self.user, np.arange(users + 1)).astype(np.int64)


def feature(role: str) -> Feature | None:
    """The dataset's feature of this role. Raises DatasetUnsuitable for two."""
    found = [each for each in context.features.values() if each.role == role]
    if len(found) > 1:
        names = " and ".join(each.name for each in found)
        raise DatasetUnsuitable(f"the dataset has {len(found)} features of role {role}: {names}; one is needed")
    return found[0] if found else None


def rows(split: str) -> dict[str, NDArray[Any]]:
    """By role: `user` and `item` as bytes, `rating` as float32 and `time` as numbers. Raises DatasetUnsuitable."""
    features = {role: feature(role) for role in ROLES} | {"time": _time()}
    for role in ("user", "item"):
        if features[role] is None:
            raise DatasetUnsuitable(f"the dataset has no feature of role {role}; it has {', '.join(context.features)}")
    rating = features["rating"]
    if rating is not None and rating.kind != "number":
        raise DatasetUnsuitable(
            f"the ratings {rating.name!r} are of kind {rating.kind}; recommendation takes numbers, or no ratings"
        )
    names = {role: each.name for role, each in features.items() if each is not None}
    given = context.arrays(split, columns=list(names.values()))
    inputs, ratings = given if rating is not None else (given, None)
    found = {role: np.asarray(ratings if role == "rating" else inputs[name]) for role, name in names.items()}
    for role in ("user", "item"):
        values = found[role] = found[role].astype(np.bytes_)
        empty = np.flatnonzero(values == b"")
        if len(empty):
            raise DatasetUnsuitable(
                f"{len(empty):,} rows of split {split!r} have no {role} in {names[role]!r}, the first is "
                f"{context.example_path(split, int(empty[0]))}; leave such rows out"
            )
    if "rating" in found:
        found["rating"] = found["rating"].astype(np.float32)
    return found


def _time() -> Feature | None:
    """What says when a user chose."""
    times = (each for each in context.features.values() if each.role == "time")
    return next((each for each in times if each.dtype in ("int64", "float32") and each.shape == ()), None)


def counted(rows: Mapping[str, NDArray[Any]], users: NDArray[np.bytes_], items: NDArray[np.bytes_]) -> Interactions:
    """`users` and `items` are sorted."""
    user, item = _places(rows["user"], users), _places(rows["item"], items)
    rating = rows.get("rating", np.full(len(user), np.nan, np.float32))
    # What has no time was before all that has one.
    time = np.nan_to_num(rows.get("time", np.zeros(len(user))), nan=-np.inf)
    order = np.lexsort((np.arange(len(user)), time, item, user))
    user, item, rating = user[order], item[order], rating[order]
    last = np.append((user[1:] != user[:-1]) | (item[1:] != item[:-1]), True)[: len(user)]
    # What is unknown is no pair, so that nothing of it is the same.
    last |= (user < 0) | (item < 0)
    return Interactions(user[last], item[last], rating[last])


def _places(values: NDArray[np.bytes_], known: NDArray[np.bytes_]) -> NDArray[np.int32]:
    places = np.searchsorted(known, values).clip(max=len(known) - 1)
    return np.where(known[places] == values, places, -1).astype(np.int32)
