"""Which features of an example the code gets: inputs and targets."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from modelyard.job.errors import DatasetUnsuitable
from modelyard.layouts import Description, Feature

INPUTS = ("input", "user", "item", "time")
TARGETS = ("target", "rating")


@dataclass(frozen=True, slots=True)
class Selection:
    """The features of an example, in the dataset's order."""

    inputs: tuple[Feature, ...]
    targets: tuple[Feature, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """All of them."""
        return tuple(feature.name for feature in (*self.inputs, *self.targets))

    def structure(self, of: Mapping[str, Any]) -> Any:
        """(inputs, target) out of what is known by name: one feature is the thing itself, several are a dict; without
        a target just inputs."""
        inputs, targets = (
            of[part[0].name] if len(part) == 1 else {feature.name: of[feature.name] for feature in part}
            for part in (self.inputs, self.targets)
        )
        return (inputs, targets) if self.targets else inputs


def select(description: Description, columns: Sequence[str] | None = None) -> Selection:
    """By role; `columns` names the features instead, whatever their role. Raises DatasetUnsuitable."""
    known = {feature.name: feature for feature in description.features}
    if columns is not None:
        for name in columns:
            if name not in known:
                near = get_close_matches(name, known, 1)
                hint = f"did you mean {near[0]!r}?" if near else f"it has {', '.join(known)}"
                raise DatasetUnsuitable(f"the dataset has no feature {name!r}; {hint}", field="columns")
        chosen = [known[name] for name in dict.fromkeys(columns)]
        targets = tuple(feature for feature in chosen if feature.role in TARGETS)
        inputs = tuple(feature for feature in chosen if feature.role not in TARGETS)
    else:
        inputs = tuple(feature for feature in description.features if feature.role in INPUTS)
        targets = tuple(feature for feature in description.features if feature.role in TARGETS)
    if not inputs:
        raise DatasetUnsuitable(
            "none of these features is an input; columns=[…] names inputs and targets, and the dataset has "
            + ", ".join(f"{feature.name} ({feature.role})" for feature in description.features),
            field="columns",
        )
    return Selection(inputs, targets)
