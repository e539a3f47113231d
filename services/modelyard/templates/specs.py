"""What templates there are and what they take, read from their folders; no TensorFlow, so the scheduler uses it.

A template is a folder with train.py, template.toml and README.md. template.toml has title, summary, task, entry, and
the tables [dataset], [metric] and [parameters.<name>] (type, default, min, max, choices, help).
"""

import math
import tomllib
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

from modelyard.foundation.errors import FailedPrecondition, InvalidArgument, NotFound

SPEC_FILE = "template.toml"
SHIPPED = Path(__file__).parent

Type = Literal["int", "float", "bool", "string"]
Value = int | float | bool | str


class TemplateUnknown(NotFound):
    reason = "TEMPLATE_UNKNOWN"


class TemplateInvalid(FailedPrecondition):
    """A template.toml that is wrong; `field` says where."""

    reason = "TEMPLATE_INVALID"


class ParameterInvalid(InvalidArgument):
    """A parameter that the template does not have or a value that it does not take; `field` is `parameters.<name>`."""

    reason = "PARAMETER_INVALID"


class DatasetNotForTemplate(FailedPrecondition):
    reason = "DATASET_NOT_FOR_TEMPLATE"


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
            raise self._invalid(value, f"must be {_NOUNS[self.type]}")
        if self.choices and read not in self.choices:
            raise self._invalid(value, f"must be one of {', '.join(map(str, self.choices))}")
        if isinstance(read, (int, float)):
            below = self.min is not None and read < self.min
            above = self.max is not None and read > self.max
            if below or above:
                raise self._invalid(value, f"must be {self.range}")
        return read

    @property
    def range(self) -> str:
        """The allowed numbers in words; "" where there is no limit."""
        if self.min is None:
            return "" if self.max is None else f"at most {self.max:.12g}"
        return f"at least {self.min:.12g}" if self.max is None else f"between {self.min:.12g} and {self.max:.12g}"

    def _invalid(self, value: object, problem: str) -> ParameterInvalid:
        return ParameterInvalid(
            f"parameter {self.name} is {value!r:.80}; it {problem}",
            field=f"parameters.{self.name}",
            parameter=self.name,
            value=str(value)[:80],
        )


@dataclass(frozen=True, slots=True)
class Template:
    """A training package and what it needs."""

    name: str
    folder: Path
    title: str
    summary: str
    task: str
    entry: str
    modality: str
    layouts: tuple[str, ...]
    splits: tuple[str, ...]
    """Splits that the dataset must have."""
    metric: str
    """The number that a job is judged by."""
    maximize: bool
    parameters: tuple[Parameter, ...]

    def complete(self, values: Mapping[str, object]) -> dict[str, Value]:
        """All parameters, with the defaults of those that are not given; raises ParameterInvalid."""
        known = {parameter.name: parameter for parameter in self.parameters}
        for name in values:
            if name not in known:
                near = get_close_matches(name, known, 1)
                hint = f"did you mean {near[0]!r}?" if near else f"it has {', '.join(known)}"
                raise ParameterInvalid(
                    f"template {self.name} has no parameter {name!r}; {hint}",
                    field=f"parameters.{name}",
                    parameter=name,
                )
        return {
            name: parameter.read(values[name]) if name in values else parameter.default
            for name, parameter in known.items()
        }

    def check_dataset(self, modality: str, layout: str, splits: Collection[str]) -> None:
        """Raises DatasetNotForTemplate for a dataset that this template cannot read."""
        missing = [split for split in self.splits if split not in splits]
        problem = ""
        if modality != self.modality:
            problem = f"is of {modality}s; the template reads {self.modality}s"
        elif layout not in self.layouts:
            problem = f"has layout {layout!r}; the template reads {', '.join(self.layouts)}"
        elif missing:
            problem = f"has no split {missing[0]!r}, which the template needs"
        if problem:
            raise DatasetNotForTemplate(f"the dataset does not fit template {self.name}: it {problem}", field="dataset")


@lru_cache(maxsize=8)
def list_templates(folder: Path = SHIPPED) -> tuple[Template, ...]:
    """Every template in the folder, by name; raises TemplateInvalid."""
    return tuple(read_template(path.parent) for path in sorted(folder.glob(f"*/{SPEC_FILE}")))


def get_template(name: str, folder: Path = SHIPPED) -> Template:
    """Raises TemplateUnknown, with the nearest name."""
    templates = {template.name: template for template in list_templates(folder)}
    if name not in templates:
        near = get_close_matches(name, templates, 1)
        hint = f"did you mean {near[0]!r}?" if near else f"there is {', '.join(templates)}"
        raise TemplateUnknown(f"there is no template {name!r}; {hint}", field="template", template=name)
    return templates[name]


def read_template(folder: Path) -> Template:
    """A template, or a user's package that has a template.toml of its own; raises TemplateInvalid."""
    try:
        fields = tomllib.loads((folder / SPEC_FILE).read_text())
        dataset, metric = fields["dataset"], fields["metric"]
        return Template(
            name=folder.name,
            folder=folder,
            title=fields["title"],
            summary=fields["summary"],
            task=fields["task"],
            entry=fields["entry"],
            modality=dataset["modality"],
            layouts=tuple(dataset["layouts"]),
            splits=tuple(dataset["splits"]),
            metric=metric["name"],
            maximize={"maximize": True, "minimize": False}[metric["goal"]],
            parameters=tuple(_parameter(name, table) for name, table in fields["parameters"].items()),
        )
    except tomllib.TOMLDecodeError as error:
        raise TemplateInvalid(f"{folder.name}/{SPEC_FILE} is not TOML: {error}") from error
    except KeyError as error:
        raise TemplateInvalid(f"{folder.name}/{SPEC_FILE} lacks {error}", field=str(error.args[0])) from error


def _parameter(name: str, table: Mapping[str, Any]) -> Parameter:
    unknown = set(table) - {"type", "default", "min", "max", "choices", "help"}
    if unknown or table["type"] not in _READERS:
        problem = f"has the unknown key {min(unknown)!r}" if unknown else f"is of the unknown type {table['type']!r}"
        raise TemplateInvalid(f"parameter {name} {problem}", field=f"parameters.{name}")
    parameter = Parameter(
        name,
        table["type"],
        table["default"],
        table.get("min"),
        table.get("max"),
        tuple(table.get("choices", ())),
        table["help"],
    )
    try:
        parameter.read(parameter.default)
    except ParameterInvalid as error:
        raise TemplateInvalid(f"the default is not allowed: {error.message}", field=error.field) from error
    return parameter


def _read_int(value: object) -> int | None:
    if isinstance(value, str):
        try:
            return int(value)
        except ValueError:
            return None
    # Protobuf's Struct and JSON have one kind of number.
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) else None


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
    return value if isinstance(value, str) else None


_READERS = {"int": _read_int, "float": _read_float, "bool": _read_bool, "string": _read_string}
_NOUNS = {"int": "a whole number", "float": "a number", "bool": "true or false", "string": "text"}
