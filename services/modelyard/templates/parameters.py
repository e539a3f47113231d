"""The parameters of a job: typed where a template.toml types them, plain JSON scalars where none does."""

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, cast

from modelyard.foundation.errors import FailedPrecondition, InvalidArgument

Type = Literal["int", "float", "bool", "string"]
Value = int | float | bool | str

MAX_PARAMETERS = 256
MAX_TEXT_BYTES = 4096
MAX_TOGETHER_BYTES = 64 * 1024
NAME_RULE = "1 to 64 letters, digits, '_', '-' and '.', starting with a letter or '_'"
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,63}", re.ASCII)
_KEYS = frozenset({"type", "default", "min", "max", "choices", "help"})
_MOST_INT = 2**53
"""Larger whole numbers do not survive protobuf's and JSON's kind of number."""


class TemplateInvalid(FailedPrecondition):
    """A template.toml that is wrong; `field` says where."""

    reason = "TEMPLATE_INVALID"


class ParameterInvalid(InvalidArgument):
    """A parameter that a job does not have or a value that it does not take; `field` is `parameters.<name>`."""

    reason = "PARAMETER_INVALID"


@dataclass(frozen=True, slots=True)
class Parameter:
    """One typed hyper-parameter."""

    name: str
    type: Type
    default: Value
    min: float | None
    max: float | None
    choices: tuple[Value, ...]
    """Empty = anything in range."""
    help: str

    def read(self, value: object) -> Value:
        """`value` as the parameter's type: a number from JSON or protobuf, or text from a command line.

        Raises ParameterInvalid, which names the range or the choices.
        """
        read = _READERS[self.type](value)
        if read is None:
            raise _invalid(self.name, value, f"must be {_NOUNS[self.type]}")
        if self.choices and read not in self.choices:
            raise _invalid(self.name, value, f"must be one of {', '.join(map(str, self.choices))}")
        if isinstance(read, (int, float)):
            below = self.min is not None and read < self.min
            above = self.max is not None and read > self.max
            if below or above:
                raise _invalid(self.name, value, f"must be {self.range}")
        return read

    @property
    def range(self) -> str:
        """The allowed numbers in words; "" where there is no limit."""
        if self.min is None:
            return "" if self.max is None else f"at most {self.max:.12g}"
        return f"at least {self.min:.12g}" if self.max is None else f"between {self.min:.12g} and {self.max:.12g}"


def parse_parameter(name: str, table: object) -> Parameter:
    """A parameter from its table in a template.toml; raises TemplateInvalid."""
    if not _NAME.fullmatch(name):
        raise TemplateInvalid(f"parameters has the name {name[:80]!r}; a name is {NAME_RULE}", field="parameters")
    field = f"parameters.{name}"
    if not isinstance(table, dict):
        raise TemplateInvalid(f"{field} must be a table with type and default", field=field)
    if unknown := sorted(set(table) - _KEYS):
        raise TemplateInvalid(f"{field} has the unknown key {unknown[0][:80]!r}", field=f"{field}.{unknown[0][:80]}")
    for key in ("type", "default"):
        if key not in table:
            raise TemplateInvalid(f"{field} lacks {key!r}", field=f"{field}.{key}")
    kind, summary = table["type"], table.get("help", "")
    if not isinstance(kind, str) or kind not in _READERS:
        types = ", ".join(_READERS)
        raise TemplateInvalid(f"{field} is of the unknown type {kind!r:.80}; there is {types}", field=f"{field}.type")
    if not isinstance(summary, str):
        raise TemplateInvalid(f"{field}.help must be text", field=f"{field}.help")
    least, most = _limit(field, table, "min", kind), _limit(field, table, "max", kind)
    if least is not None and most is not None and least > most:
        raise TemplateInvalid(f"{field}.min is above {field}.max", field=f"{field}.min")
    plain = Parameter(name, cast("Type", kind), "", least, most, (), summary)
    choices = tuple(_allowed(plain, choice, "choices") for choice in _list(field, table.get("choices", [])))
    parameter = Parameter(name, plain.type, "", least, most, choices, summary)
    return Parameter(name, plain.type, _allowed(parameter, table["default"], "default"), least, most, choices, summary)


def check_untyped(values: Mapping[str, object]) -> dict[str, Value]:
    """Parameters that no template.toml describes: any names, any JSON scalars. Raises ParameterInvalid."""
    for name, value in values.items():
        if not _NAME.fullmatch(name):
            raise ParameterInvalid(f"a parameter is called {name[:80]!r}; a name is {NAME_RULE}", field="parameters")
        if isinstance(value, str):
            if _read_string(value) is None:
                raise _invalid(name, value, f"must be {_NOUNS['string']}")
        elif not isinstance(value, (int, float)) or not math.isfinite(value):
            raise _invalid(name, value, "must be a finite number, text, true or false")
    return dict(cast("Mapping[str, Value]", values))


def check_size(values: Mapping[str, object]) -> None:
    """Refuses, before anything looks at them, more parameters than a job may have. Raises ParameterInvalid."""
    if len(values) > MAX_PARAMETERS:
        raise ParameterInvalid(
            f"there are {len(values)} parameters; {MAX_PARAMETERS} are allowed (put the rest into the package)",
            field="parameters",
        )
    size = len(json.dumps(dict(values)))
    if size > MAX_TOGETHER_BYTES:
        raise ParameterInvalid(
            f"the parameters take {size} bytes; {MAX_TOGETHER_BYTES} are allowed (put files into the package)",
            field="parameters",
        )


def _allowed(parameter: Parameter, value: object, key: str) -> Value:
    noun = "the default is" if key == "default" else "a choice is"
    try:
        return parameter.read(value)
    except ParameterInvalid as error:
        field = f"parameters.{parameter.name}.{key}"
        raise TemplateInvalid(f"{noun} not allowed: {error.message}", field=field) from error


def _limit(field: str, table: Mapping[str, Any], key: str, kind: str) -> float | None:
    value = table.get(key)
    if value is None:
        return None
    if kind not in ("int", "float") or _read_float(value) is None or isinstance(value, str):
        raise TemplateInvalid(f"{field}.{key} must be a number, and is for numbers only", field=f"{field}.{key}")
    return cast("float", value)


def _list(field: str, value: object) -> list[object]:
    if not isinstance(value, list) or len(value) > MAX_PARAMETERS:
        raise TemplateInvalid(f"{field}.choices must be a list of values", field=f"{field}.choices")
    return value


def _invalid(name: str, value: object, problem: str) -> ParameterInvalid:
    return ParameterInvalid(
        f"parameter {name} is {value!r:.80}; it {problem}",
        field=f"parameters.{name}",
        parameter=name,
        value=str(value)[:80],
    )


def _read_int(value: object) -> int | None:
    if isinstance(value, str):
        try:
            value = int(value)
        except ValueError:
            return None
    # Protobuf's Struct and JSON have one kind of number.
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    whole = isinstance(value, int) and not isinstance(value, bool)
    return value if whole and abs(cast("int", value)) <= _MOST_INT else None  # type: ignore[return-value]


def _read_float(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None


def _read_bool(value: object) -> bool | None:
    if isinstance(value, str):
        return {"true": True, "false": False}.get(value.lower())
    return value if isinstance(value, bool) else None


def _read_string(value: object) -> str | None:
    # PostgreSQL has no text with NUL in it.
    fits = isinstance(value, str) and len(value.encode()) <= MAX_TEXT_BYTES and "\0" not in value
    return cast("str", value) if fits else None


_READERS = {"int": _read_int, "float": _read_float, "bool": _read_bool, "string": _read_string}
_NOUNS = {
    "int": "a whole number (of at most 2^53)",
    "float": "a number",
    "bool": "true or false",
    "string": f"text of at most {MAX_TEXT_BYTES} bytes, without NUL",
}
