"""What a bench answers: figures, each beside its floor of the same run, and whether they are what was promised."""

import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Target:
    """A promise."""

    text: str
    is_met: Callable[["Row"], bool]


@dataclass(frozen=True, slots=True)
class Row:
    """One figure, measured some times; `floor[n]` was measured beside `measured[n]`."""

    what: str
    measured: Sequence[float]
    unit: str = ""
    floor: Sequence[float] = ()
    floor_is: str = ""
    target: Target | None = None
    """None: it is printed and nothing is promised."""
    notes: dict[str, Any] = field(default_factory=dict)
    """What else was seen, by name."""

    @property
    def ratios(self) -> list[float]:
        """Measured to floor, pair by pair."""
        return [ours / floor for ours, floor in zip(self.measured, self.floor, strict=True)] if self.floor else []

    @property
    def is_met(self) -> bool | None:
        """None where nothing is promised."""
        return self.target.is_met(self) if self.target else None

    def cells(self) -> tuple[str, ...]:
        """What it is, measured, floor, ratio, target, verdict; medians, the smallest and the largest in brackets."""
        return (
            self.what,
            shown(self.measured, self.unit),
            f"{self.floor_is} {shown(self.floor, self.unit)}" if self.floor else "",
            shown(self.ratios) if self.floor else "",
            self.target.text if self.target else "",
            {None: "", True: "ok", False: "MISSED"}[self.is_met],
        )

    def line(self) -> str:
        """The same in one line."""
        return "  " + "  ".join(filter(None, self.cells()))

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return {
            "what": self.what,
            "unit": self.unit,
            "measured": list(self.measured),
            "floor": list(self.floor),
            "floor_is": self.floor_is,
            "ratio": statistics.median(self.ratios) if self.floor else None,
            "target": self.target.text if self.target else None,
            "met": self.is_met,
            "notes": self.notes,
        }


def at_most(limit: float, unit: str = "") -> Target:
    """The median is no more than that."""
    return Target(f"≤ {limit:g}{unit}", lambda row: statistics.median(row.measured) <= limit)


def at_least(limit: float, unit: str = "") -> Target:
    """The median is no less than that."""
    return Target(f"≥ {limit:g}{unit}", lambda row: statistics.median(row.measured) >= limit)


def at_most_times(factor: float, plus: float = 0.0, unit: str = "") -> Target:
    """In most pairs no more than `factor` times the floor, and `plus`."""

    def is_met(row: Row) -> bool:
        pairs = zip(row.measured, row.floor, strict=True)
        return statistics.median(ours - factor * floor for ours, floor in pairs) <= plus

    return Target(f"≤ {factor:g} ×" + (f" + {plus:g}{unit}" if plus else ""), is_met)


def at_least_times(factor: float) -> Target:
    """In most pairs no less than `factor` times the floor."""
    return Target(f"≥ {factor:g} ×", lambda row: statistics.median(row.ratios) >= factor)


def shown(values: Sequence[float], unit: str = "") -> str:
    """`median unit [smallest largest]`"""
    median = f"{_number(statistics.median(values))}{unit and ' ' + unit}"
    return f"{median} [{_number(min(values))} {_number(max(values))}]" if len(values) > 1 else median


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 1000 or value == int(value) else f"{value:.4g}"
