"""Text that a model writes, as it comes: a piece at a time, each asked for behind what is there already.

A model that can do that has the signatures `generate` (prompt, length, temperature, seed) and `continue` (the same and
so_far); the pieces together are the text that `generate` writes at once.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from modelyard.sdk.errors import InvalidArgument
from modelyard.sdk.predicting.asking import Asker
from modelyard.sdk.predicting.model import Model
from modelyard.sdk.predicting.rows import Row

GENERATE, CONTINUE = "generate", "continue"
USUAL: Mapping[str, int | float] = {"length": 200, "temperature": 0.8, "seed": 0}
"""What is not said; as `serving_default` of the shipped template has it."""
PIECE = 8
"""Symbols that are asked for at once."""
_PROMPTS = ("prompt", "text", "")


def writes(model: Model) -> bool:
    """Whether it can be asked piece by piece."""
    return all(name in model.ways for name in (GENERATE, CONTINUE))


def is_prompt(model: Model, row: Row) -> bool:
    """Whether the row is a prompt that such a model goes on from, with or without how."""
    names = set(row.values) - set(USUAL)
    return writes(model) and len(names) == 1 and names <= set(_PROMPTS)


def completed(model: Model, row: Row) -> Row:
    """A prompt that says some of how it is gone on from, with the rest as usual; any other row as it is."""
    if not is_prompt(model, row) or set(row.values).isdisjoint(USUAL):
        return row
    return Row({**USUAL, **row.values}, row.origin, row.base)


def pieces(asker: Asker, row: Row) -> Iterator[str]:
    """The text behind the row's prompt. `asker` asks the signature `continue`. Raises what is wrong with the row."""
    (prompt,) = (value for name, value in row.values.items() if name in _PROMPTS)
    how = {**USUAL, **{name: value for name, value in row.values.items() if name in USUAL}}
    length, so_far = _whole(how.pop("length")), ""
    while True:
        size = min(PIECE, length - len(so_far)) if length > 0 else length
        answer = next(
            iter(asker.answers([Row({"prompt": prompt, "so_far": so_far, "length": size, **how}, row.origin)]))
        )
        if answer.error is not None:
            raise answer.error
        piece = str(answer.outputs["text"])
        yield piece
        so_far += piece
        if len(so_far) >= length or not piece:
            return


def _whole(value: Any) -> int:
    try:
        return int(value)
    except (TypeError, ValueError):
        raise InvalidArgument(
            f"length takes a whole number, not {value!r:.40}", reason="INPUT_INVALID", field="length"
        ) from None
