"""The gallery's rows: a set, a template, and the figure that a model of both is published with."""

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from difflib import get_close_matches
from enum import StrEnum
from pathlib import Path
from typing import Any

from modelyard.sdk.errors import NotFound

ROWS, PUBLISHED = (Path(__file__).parent / name for name in ("rows.toml", "published.toml"))
SPLIT = "test"
"""What every row is judged on."""


@dataclass(frozen=True, slots=True)
class Yardstick:
    """A figure to compare with, and what reaches it."""

    value: float
    by: str


@dataclass(frozen=True, slots=True)
class Published:
    """What was reached, and on what."""

    figure: float
    date: date
    minutes: float
    """Of training and evaluation."""
    cores: int
    dataset: str
    """Its version's digest."""
    code: str
    """The template's digest."""
    other_seeds: Sequence[float] = ()
    """What the seeds 1, 2, … reached; the figure is that of seed 0."""


class Verdict(StrEnum):
    """How a figure compares."""

    HELD = "as published"
    WORSE = "worse than published"
    BETTER = "better than published"
    REACHED = "reaches its aim"
    MISSED = "misses its aim"
    OPEN = "not published yet"
    FLOORED = "no better than the floor"

    @property
    def drifted(self) -> bool:
        """Whether somebody should look: also at what became better, for that may be a leak."""
        return self in (Verdict.WORSE, Verdict.BETTER, Verdict.MISSED, Verdict.FLOORED)


@dataclass(frozen=True, slots=True)
class Row:
    """One row; its figure is that of the test split."""

    name: str
    title: str
    dataset: str
    template: str
    parameters: Mapping[str, Any]
    """Those that are not the template's defaults."""
    metric: str
    maximize: bool
    tolerance: float
    aim: float | None
    floor: Yardstick
    reference: Yardstick | None
    published: Published | None
    model: str = ""
    """The row whose model is judged here, on another set or by another metric; empty: its own."""
    learnt_from: str = ""
    """That row's set."""

    def judge(self, figure: float) -> Verdict:
        """How a figure reached now compares with the one published, or while there is none with the aim."""
        if not self._ahead(figure, self.floor.value) > 0:
            return Verdict.FLOORED
        if self.published is not None:
            ahead = self._ahead(figure, self.published.figure)
            if abs(ahead) <= self.tolerance:
                return Verdict.HELD
            return Verdict.BETTER if ahead > 0 else Verdict.WORSE
        if self.aim is None:
            return Verdict.OPEN
        return Verdict.REACHED if self._ahead(figure, self.aim) >= 0 else Verdict.MISSED

    def _ahead(self, figure: float, other: float) -> float:
        return figure - other if self.maximize else other - figure


def read_rows(rows: Path = ROWS, published: Path = PUBLISHED) -> dict[str, Row]:
    """All rows by name, in their order."""
    reached = read_published(published)
    tables = tomllib.loads(rows.read_text(encoding="utf-8"))
    return {name: _row(name, fields, tables, reached.get(name)) for name, fields in tables.items()}


def read_published(path: Path = PUBLISHED) -> dict[str, Published]:
    """What was reached, by the row's name."""
    return {name: Published(**fields) for name, fields in tomllib.loads(path.read_text(encoding="utf-8")).items()}


def pick(rows: Mapping[str, Row], names: list[str]) -> list[Row]:
    """Those that are named, or all. Raises NotFound, which names the nearest one there is."""
    for name in names:
        if name not in rows:
            near = get_close_matches(name, rows, 1)
            hint = f"did you mean `{near[0]}`?" if near else f"there is {', '.join(f'`{one}`' for one in rows)}"
            raise NotFound(f"the gallery has no row `{name}`; {hint}", reason="ROW_NOT_FOUND", facts={"row": name})
    return [row for row in rows.values() if not names or row.name in names]


def _row(name: str, fields: Mapping[str, Any], tables: Mapping[str, Any], published: Published | None) -> Row:
    reference = fields.get("reference")
    model = fields.get("model", "")
    made = tables[model] if model else fields
    return Row(
        name=name,
        title=fields["title"],
        dataset=fields["dataset"],
        template=made["template"],
        parameters=made.get("parameters", {}),
        metric=fields["metric"],
        maximize={"maximize": True, "minimize": False}[fields["goal"]],
        tolerance=fields["tolerance"],
        aim=fields.get("aim"),
        floor=Yardstick(**fields["floor"]),
        reference=Yardstick(**reference) if reference else None,
        published=published,
        model=model,
        learnt_from=made["dataset"] if model else "",
    )
