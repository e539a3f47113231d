"""What a template needs of a dataset, and whether a dataset has it, in words."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from modelyard.foundation.errors import FailedPrecondition

MODALITIES = {
    "image": "images",
    "text": "texts",
    "audio": "sounds",
    "video": "videos",
    "table": "rows of a table",
    "interactions": "interactions of users with items",
}
KINDS = {
    "image": ("an image", "images"),
    "audio": ("a sound", "sounds"),
    "video": ("a video", "videos"),
    "text": ("a text", "texts"),
    "category": ("a category", "categories"),
    "number": ("a number", "numbers"),
    "boxes": ("boxes", "boxes"),
    "id": ("an ID", "IDs"),
    "time": ("a time", "times"),
}
"""Kinds of features, as one and as many of them are called."""
ROLES = ("input", "target", "group", "user", "item", "rating", "time", "ignore")


class DatasetNotForTemplate(FailedPrecondition):
    reason = "DATASET_NOT_FOR_TEMPLATE"


@dataclass(frozen=True, slots=True)
class FeatureSeen:
    """A feature of a dataset."""

    name: str
    kind: str
    role: str
    shape: tuple[int | None, ...] = ()
    """None, or a negative number, where examples differ."""
    encoding: str = ""
    """`raw`, `png`, `jpeg`, …; empty for what is no file."""


@dataclass(frozen=True, slots=True)
class DataSeen:
    """A dataset, as far as a template cares."""

    name: str
    """What messages call it."""
    modality: str
    layout: str
    splits: tuple[str, ...]
    features: tuple[FeatureSeen, ...]

    def kinds(self, role: str) -> list[str]:
        """Of the features with this role, in their order."""
        return [feature.kind for feature in self.features if feature.role == role]

    def __str__(self) -> str:
        """What is in it: `an image and, as its target, a category`."""
        inputs, targets = _listed(self.kinds("input")), _listed(self.kinds("target"))
        if not targets:
            return inputs or "nothing that a model could take"
        return f"{inputs} and, as its target, {targets}" if inputs else f"no input, but as its target {targets}"


@dataclass(frozen=True, slots=True)
class DataNeeds:
    """What a template wants. An empty tuple means anything."""

    required: bool = True
    """Whether a job can't do without a dataset."""
    modalities: tuple[str, ...] = ()
    """The dataset is of one of these."""
    layouts: tuple[str, ...] = ()
    """It is laid out in one of these ways."""
    splits: tuple[str, ...] = ()
    """It has all of these."""
    inputs: tuple[str, ...] = ()
    """Each of these kinds is among its inputs."""
    targets: tuple[str, ...] = ()
    """It has a target, of one of these kinds."""
    roles: tuple[str, ...] = ()
    """It has a feature of each of these roles."""

    def check(self, template: str, data: DataSeen) -> None:
        """Raises DatasetNotForTemplate for a dataset that the template can't use."""
        problem = self._problem(template, data)
        if problem:
            raise DatasetNotForTemplate(f"{data.name} {problem}", field="dataset")

    def _problem(self, template: str, data: DataSeen) -> str:
        inputs, targets = data.kinds("input"), data.kinds("target")
        missing = [kind for kind in self.inputs if kind not in inputs]
        if missing:
            return f"has {data}; {template} wants {_listed(missing)}"
        if self.modalities and data.modality not in self.modalities:
            wanted = _either([MODALITIES.get(each, each) for each in self.modalities])
            return f"is of {MODALITIES.get(data.modality, data.modality or 'nothing known')}; {template} takes {wanted}"
        if self.targets and not set(self.targets) & set(targets):
            wanted = _either([_one(kind) for kind in self.targets])
            hint = "; push it with --target COLUMN" if not targets and data.layout == "table" else ""
            return f"has {data}; {template} wants {wanted} as its target{hint}"
        absent = [role for role in self.roles if not data.kinds(role)]
        if absent:
            return f"has no feature of role {absent[0]}; {template} needs one (see its README)"
        if self.layouts and data.layout not in self.layouts:
            return f"has the layout {data.layout}; {template} reads {_either(self.layouts)}"
        without = [split for split in self.splits if split not in data.splits]
        if without:
            return f"has no split {without[0]}, which {template} needs (it has {', '.join(data.splits) or 'none'})"
        return ""


def _listed(kinds: Iterable[str]) -> str:
    """`an image, 3 numbers and a category`."""
    parts = [_one(kind) if count == 1 else f"{count} {_many(kind)}" for kind, count in Counter(kinds).items()]
    return " and ".join(part for part in (", ".join(parts[:-1]), *parts[-1:]) if part)


def _either(words: Sequence[str]) -> str:
    return " or ".join(part for part in (", ".join(words[:-1]), *words[-1:]) if part)


def _one(kind: str) -> str:
    return KINDS[kind][0] if kind in KINDS else f"a feature of kind {kind or 'unknown'}"


def _many(kind: str) -> str:
    return KINDS[kind][1] if kind in KINDS else f"features of kind {kind or 'unknown'}"
