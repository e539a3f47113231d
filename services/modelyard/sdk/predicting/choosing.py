"""Which signature is asked, and which of its inputs each value is for."""

from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from modelyard.sdk.errors import FailedPrecondition, InvalidArgument
from modelyard.sdk.predicting.model import DEFAULT, MEDIA, Input, Model, Way, find_input, listed

Matched = Mapping[str, str]
"""Name as it was given -> name of the input."""


def choose(model: Model, names: Iterable[str], signature: str = "", files: Iterable[str] = ()) -> tuple[Way, Matched]:
    """The signature that takes exactly these values, else the one that comes nearest is spoken of.

    `files` are those of the names whose values are encoded files. Raises InvalidArgument for a name that the model does
    not have, and for one that is not given; FailedPrecondition for a signature that is not there.
    """
    given, encoded = list(dict.fromkeys(names)), set(files)
    if signature:
        if signature not in model.ways:
            raise FailedPrecondition(
                f"{model.name} has no signature {signature!r}; it has {listed(model.ways) or 'none that is known'}",
                reason="SIGNATURE_NOT_FOUND",
                field="signature",
            )
        way = model.ways[signature]
        return way, _checked(model, way, given)
    if not model.ways:
        raise FailedPrecondition(f"{model.name} has no signature that is known", reason="SIGNATURE_NOT_FOUND")
    best = min(model.ways.values(), key=lambda way: _distance(way, given, encoded))
    return best, _checked(model, best, given)


def encoded_names(values: Mapping[str, Any]) -> list[str]:
    """The names of those values that are encoded files where an image, a sound or a video is taken."""
    return [name for name, value in values.items() if isinstance(value, Path | bytes | str | dict)]


def _distance(way: Way, given: list[str], encoded: set[str]) -> tuple[int, int, int, bool, str]:
    matched = {name: find_input(way, name) for name in given}
    unknown = sum(each is None for each in matched.values())
    missing = len(way.inputs) - len({each.name for each in matched.values() if each})
    decoding = sum(_must_be_decoded(each) for name, each in matched.items() if each and name in encoded)
    return unknown * 2 + missing, decoding, unknown, way.name != DEFAULT, way.name


def _must_be_decoded(each: Input) -> bool:
    return each.kind in MEDIA and each.dtype != "string"


def _checked(model: Model, way: Way, given: list[str]) -> Matched:
    matched: dict[str, str] = {}
    for name in given:
        found = find_input(way, name)
        if found is None:
            raise _unknown(model, way, name)
        if found.name in matched.values():
            raise InvalidArgument(f"{found.name} is given twice", reason="INPUT_TWICE", field=found.name)
        matched[name] = found.name
    missing = [each for each in way.inputs.values() if each.name not in matched.values()]
    if missing:
        named = listed(each.wanted for each in missing)
        empty = missing[0].kind in ("number", "category", "text") and not missing[0].is_single
        hint = f"; leave it empty where it is not known: {missing[0].name}=" if empty else ""
        raise InvalidArgument(
            f"{model.name} also takes {named} (signature {way.name}){hint}",
            reason="INPUT_MISSING",
            field=missing[0].name,
        )
    return matched


def _unknown(model: Model, way: Way, name: str) -> InvalidArgument:
    if not name:
        return InvalidArgument(
            f"{model.name} has several inputs, so each value needs its name: {way.wanted}", reason="INPUT_UNKNOWN"
        )
    several = [each for each in way.inputs.values() if each.kind == name]
    if several:
        return InvalidArgument(
            f"signature {way.name} takes {listed(each.wanted for each in several)}, so each needs its name: --row "
            + ",".join(f"{each.name}=…" for each in several),
            reason="INPUT_UNKNOWN",
            field=name,
        )
    if name in MEDIA:
        takes = "; or ".join(f"{each.wanted} (signature {each.name})" for each in model.ways.values())
        return InvalidArgument(f"{model.name} takes no {name}; it takes {takes}", reason="INPUT_UNKNOWN", field=name)
    # What is misspelt may be an input of a signature that takes more.
    near = get_close_matches(name, way.inputs, 1) or get_close_matches(
        name, [each for other in model.ways.values() for each in other.inputs], 1
    )
    hint = f"did you mean {near[0]}? " if near else ""
    takes = listed((each.wanted for each in way.inputs.values()), 40)
    return InvalidArgument(
        f"{model.name} has no input {name!r}; {hint}Its inputs are {takes} (signature {way.name})".replace(
            "; I", "; i"
        ),
        reason="INPUT_UNKNOWN",
        field=name,
    )
