"""What templates there are and what they take, read from their folders; no TensorFlow, so the scheduler uses it.

A template is a folder with its code, template.toml and README.md. template.toml has

    kind      "training" (the default), "evaluation", "import", "profile" or "prediction"
    title, summary, task
    entry     `module:function`, or `module` for a script
    [dataset] modality  what it must be of: "image", or a list of which one must fit
              layouts   of which one must fit
              splits    that must be there
              inputs    kinds of features that must be among its inputs, such as "text"
              target    kinds of which its target must be one, such as "category"
              roles     of which it must have a feature each, such as "user"
              required  false where an import can do without data
    [metric]  name, goal ("maximize" or "minimize")
    [parameters.<name>] type, default, min, max, choices, help

A user's package may have one too, of kind training: `parse_template` reads it by the same rules, but there everything
may be left out. A key that is not in this list is an error.
"""

import tomllib
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from enum import StrEnum
from functools import lru_cache
from pathlib import Path
from typing import Any

from modelyard.foundation.errors import NotFound
from modelyard.templates.needs import KINDS, MODALITIES, ROLES, DataNeeds, DataSeen
from modelyard.templates.parameters import (
    MAX_PARAMETERS,
    Parameter,
    ParameterInvalid,
    TemplateInvalid,
    Value,
    parse_parameter,
)

SPEC_FILE = "template.toml"
SHIPPED = Path(__file__).parent
MAX_SPEC_BYTES = 64 * 1024
_TEXTS = ("title", "summary", "task", "entry")
_KEYS = (*_TEXTS, "kind", "dataset", "metric", "parameters", "requirements")


class TemplateUnknown(NotFound):
    reason = "TEMPLATE_UNKNOWN"


class Kind(StrEnum):
    TRAINING = "training"
    """A dataset version in, a model version out."""
    EVALUATION = "evaluation"
    """A model version and a dataset version in, an evaluation out."""
    IMPORT = "import"
    """Files of a model from elsewhere in, a model version out."""
    PROFILE = "profile"
    """A dataset version in, its statistics out."""
    PREDICTION = "prediction"
    """A model version and a dataset version in, a dataset version out."""

    @property
    def makes_model(self) -> bool:
        """Whether a model version comes out."""
        return self in (Kind.TRAINING, Kind.IMPORT)

    @property
    def beside(self) -> bool:
        """Whether its jobs run beside others, without a device of their own."""
        return self is Kind.PROFILE


@dataclass(frozen=True, slots=True)
class Template:
    """A package and what it needs. Empty fields are what a user's package has left out."""

    name: str
    folder: Path
    """Where its code is; `Path()` if only the text of its template.toml was read."""
    kind: Kind
    title: str
    summary: str
    task: str
    entry: str
    data: DataNeeds
    metric: str
    """The number that a job is judged by."""
    maximize: bool
    parameters: tuple[Parameter, ...]
    requirements_when: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Parameter -> values with which its requirements.txt is installed; empty: always."""

    def wants_requirements(self, parameters: Mapping[str, object]) -> bool:
        """Whether a job with these parameters, all of them, needs what requirements.txt lists."""
        return all(parameters.get(name) in values for name, values in self.requirements_when.items())

    def complete(self, values: Mapping[str, object]) -> dict[str, Value]:
        """All parameters, with the defaults of those that are not given; raises ParameterInvalid."""
        known = {parameter.name: parameter for parameter in self.parameters}
        for name in values:
            if name not in known:
                near = get_close_matches(name, known, 1)
                there = f"it has {', '.join(known)}" if known else "it has none"
                hint = f"did you mean {near[0]!r}?" if near else there
                message, field = f"{self.name} has no parameter {name[:80]!r}; {hint}", f"parameters.{name[:80]}"
                error = ParameterInvalid(message, field=field, parameter=name[:80])
                error.facts |= {"did_you_mean": near[0]} if near else {}
                raise error
        return {
            name: parameter.read(values[name]) if name in values else parameter.default
            for name, parameter in known.items()
        }

    def check_dataset(self, data: DataSeen) -> None:
        """Raises DatasetNotForTemplate for a dataset that this template can't use."""
        self.data.check(self.name, data)


@lru_cache(maxsize=8)
def list_templates(folder: Path = SHIPPED) -> tuple[Template, ...]:
    """Every template in the folder, by name; raises TemplateInvalid."""
    return tuple(read_template(path.parent) for path in sorted(folder.glob(f"*/{SPEC_FILE}")))


def get_template(name: str, folder: Path = SHIPPED) -> Template:
    """Raises TemplateUnknown, with the nearest name."""
    templates = {template.name: template for template in list_templates(folder)}
    if name not in templates:
        # The others belong to commands of their own, which know their names.
        listed = [template.name for template in templates.values() if template.kind is Kind.TRAINING]
        near = get_close_matches(name, templates, 1)
        hint = f"did you mean {near[0]!r}?" if near else f"there is {', '.join(listed)}"
        error = TemplateUnknown(f"there is no template {name[:80]!r}; {hint}", field="template", template=name[:80])
        error.facts |= {"did_you_mean": near[0]} if near else {}
        raise error
    return templates[name]


def read_template(folder: Path) -> Template:
    """A template that is shipped, and therefore says everything; raises TemplateInvalid."""
    try:
        template, given = _parsed((folder / SPEC_FILE).read_text(), folder.name, folder)
    except UnicodeDecodeError:
        raise TemplateInvalid(f"{folder.name}: {SPEC_FILE} is not text in UTF-8") from None
    needed = {Kind.TRAINING: (*_TEXTS, "dataset", "metric"), Kind.EVALUATION: (*_TEXTS, "dataset")}
    for key in needed.get(template.kind, _TEXTS):
        if key not in given:
            raise TemplateInvalid(f"{folder.name}: {SPEC_FILE} lacks {key!r}", field=key)
    return template


def parse_template(text: str, name: str, folder: Path | None = None) -> Template:
    """The template.toml of a user's package. `name` is what messages call it. Raises TemplateInvalid."""
    template, _ = _parsed(text, name, folder or Path())
    if template.kind is not Kind.TRAINING:
        raise TemplateInvalid(
            f"{name}: kind is {template.kind.value!r}; a package of one's own is of kind 'training'", field="kind"
        )
    return template


def _parsed(text: str, name: str, folder: Path) -> tuple[Template, frozenset[str]]:
    """The template, and which keys are there at its top."""
    try:
        if len(text.encode()) > MAX_SPEC_BYTES:
            raise TemplateInvalid(f"it has more than {MAX_SPEC_BYTES} bytes")
        fields = tomllib.loads(text)
        return _template(fields, name, folder), frozenset(fields)
    except TemplateInvalid as error:
        raise TemplateInvalid(f"{name}: {SPEC_FILE} is not valid: {error.message}", field=error.field) from error
    # A number of thousands of digits is a ValueError, lists in lists in lists … a RecursionError.
    except (ValueError, RecursionError) as error:
        raise TemplateInvalid(f"{name}: {SPEC_FILE} is not TOML: {error}") from error


def _template(fields: dict[str, Any], name: str, folder: Path) -> Template:
    _only("", fields, _KEYS)
    dataset, metric, parameters = (_table(fields, key) for key in ("dataset", "metric", "parameters"))
    _only("metric.", metric, ("name", "goal"))
    if len(parameters) > MAX_PARAMETERS:
        raise TemplateInvalid(f"it has {len(parameters)} parameters; {MAX_PARAMETERS} are allowed", field="parameters")
    kind = _one_of("kind", fields.get("kind", "training"), tuple(kind.value for kind in Kind))
    goal = _one_of("metric.goal", metric.get("goal", "maximize"), ("maximize", "minimize"))
    return Template(
        name=name,
        folder=folder,
        kind=Kind(kind),
        title=_text("title", fields.get("title", "")),
        summary=_text("summary", fields.get("summary", "")),
        task=_text("task", fields.get("task", "")),
        entry=_text("entry", fields.get("entry", "")),
        data=_needs(dataset, Kind(kind)),
        metric=_text("metric.name", metric.get("name", "")),
        maximize=goal == "maximize",
        parameters=tuple(parse_parameter(key, table) for key, table in parameters.items()),
        requirements_when=_when(_table(fields, "requirements"), parameters),
    )


def _when(requirements: Mapping[str, Any], parameters: Mapping[str, Any]) -> dict[str, tuple[str, ...]]:
    _only("requirements.", requirements, ("when",))
    when = _table({"requirements.when": requirements.get("when", {})}, "requirements.when")
    for name in when:
        if name not in parameters:
            raise TemplateInvalid(f"there is no parameter {name[:80]!r}", field=f"requirements.when.{name[:80]}")
    return {name: _texts(f"requirements.when.{name}", values) for name, values in when.items()}


def _needs(dataset: Mapping[str, Any], kind: Kind) -> DataNeeds:
    _only("dataset.", dataset, ("modality", "layouts", "splits", "inputs", "target", "roles", "required"))
    required = dataset.get("required", kind is not Kind.IMPORT)
    if not isinstance(required, bool):
        raise TemplateInvalid("dataset.required must be true or false", field="dataset.required")
    if not required and kind is not Kind.IMPORT:
        raise TemplateInvalid("dataset.required = false is for kind 'import'", field="dataset.required")
    modality = dataset.get("modality", [])
    return DataNeeds(
        required=required,
        modalities=_among("dataset.modality", [modality] if isinstance(modality, str) else modality, MODALITIES),
        layouts=_texts("dataset.layouts", dataset.get("layouts", [])),
        splits=_texts("dataset.splits", dataset.get("splits", [])),
        inputs=_among("dataset.inputs", dataset.get("inputs", []), KINDS),
        targets=_among("dataset.target", dataset.get("target", []), KINDS),
        roles=_among("dataset.roles", dataset.get("roles", []), ROLES),
    )


def _only(prefix: str, table: Mapping[str, Any], known: Collection[str]) -> None:
    if unknown := sorted(set(table) - set(known)):
        path = f"{prefix}{unknown[0][:80]}"
        near = get_close_matches(unknown[0], known, 1)
        hint = f"did you mean {near[0]!r}?" if near else f"there is {', '.join(known)}"
        raise TemplateInvalid(f"it has the unknown key {path!r}; {hint}", field=path)


def _table(fields: Mapping[str, Any], key: str) -> dict[str, Any]:
    table = fields.get(key, {})
    if not isinstance(table, dict):
        raise TemplateInvalid(f"{key} must be a table", field=key)
    return table


def _one_of(field: str, value: object, choices: tuple[str, ...]) -> str:
    if not isinstance(value, str) or value not in choices:
        raise TemplateInvalid(f"{field} is {value!r:.80}; it must be one of {', '.join(choices)}", field=field)
    return value


def _text(field: str, value: object) -> str:
    if not isinstance(value, str):
        raise TemplateInvalid(f"{field} must be text", field=field)
    return value


def _texts(field: str, value: object) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
        raise TemplateInvalid(f"{field} must be a list of texts", field=field)
    return tuple(value)


def _among(field: str, value: object, known: Collection[str]) -> tuple[str, ...]:
    """Words of a list that is known."""
    for word in (words := _texts(field, value)):
        if word not in known:
            raise TemplateInvalid(f"{field} has {word[:80]!r}; there is {', '.join(known)}", field=field)
    return words
