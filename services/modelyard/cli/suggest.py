"""`dataset `minst` not found; did you mean `mnist`?`"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from difflib import get_close_matches

from modelyard.sdk.errors import ModelyardError, NotFound


@contextmanager
def suggesting(noun: str, name: str, names: Callable[[], Iterable[str]]) -> Iterator[None]:
    """Turn a NotFound of this `noun` inside the block into one that names the nearest thing there is.

    `names` lists the short names of all `noun`s that the caller can see. What is about something else passes.
    """
    try:
        yield
    except NotFound as error:
        if f"{noun}s/{_short(name)}" not in error.message and not error.reason.startswith(f"{noun.upper()}_"):
            raise
        raise NotFound(_sentence(noun, name, names, error), reason=error.reason, facts=error.facts) from error


def _sentence(noun: str, name: str, names: Callable[[], Iterable[str]], error: NotFound) -> str:
    short = _short(name)
    try:
        known = list(names())
    except ModelyardError:
        return error.message
    if short in known:
        return error.message
    near = get_close_matches(short, known, 1)
    if near:
        return f"{noun} `{short}` not found; did you mean `{near[0]}`?"
    there = f"there is {', '.join(f'`{one}`' for one in sorted(known)[:8])}" if known else f"there is no {noun} yet"
    return f"{noun} `{short}` not found; {there}"


def _short(name: str) -> str:
    """`projects/p/datasets/mnist/versions/3`, `mnist@3` -> `mnist`."""
    return name.partition("@")[0].partition("/versions/")[0].rpartition("/")[2]
