"""`modelyard gallery`"""

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from modelyard.cli.globals import settings
from modelyard.cli.output import console, print_json, show_table

if TYPE_CHECKING:
    from modelyard.sdk.gallery.rows import Row, Yardstick


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(gallery)


def gallery(
    context: typer.Context,
    rows: Annotated[list[str] | None, typer.Argument(help="Some rows, such as `adult`; by default all.")] = None,
) -> None:
    """The shipped sets and templates: what a model of both reaches on the test split, beside floor and reference."""
    from modelyard.sdk.gallery.rows import pick, read_rows

    chosen = pick(read_rows(), rows or [])
    if settings(context).json:
        print_json({"rows": [_facts(row) for row in chosen]})
        return
    show_table(
        ("ROW", "DATASET", "TEMPLATE", "METRIC", "PUBLISHED", "SEEDS", "DATE", "MINUTES", "AIM", "FLOOR", "REFERENCE"),
        [
            (
                row.name,
                row.dataset,
                " ".join([row.template, *(f"{name}={value}" for name, value in row.parameters.items())]),
                row.metric,
                f"{number(row.published.figure)} ± {number(row.tolerance)}" if row.published else "–",
                _seeds(row),
                f"{row.published.date:%Y-%m-%d}" if row.published else "–",
                f"{row.published.minutes:.1f} on {row.published.cores} cores" if row.published else "–",
                "–" if row.aim is None else f"{'≥' if row.maximize else '≤'} {number(row.aim)}",
                _yardstick(row.floor),
                _yardstick(row.reference),
            )
            for row in chosen
        ],
    )
    console().print("try one: modelyard datasets import DATASET,")
    console().print("then: modelyard train TEMPLATE --dataset DATASET --watch")
    console().print("all of them again, with what has drifted: make gallery")


def number(value: float) -> str:
    """As many digits as tell: 0.9871, 2.33, 45.8, 1146."""
    digits = next((digits for least, digits in ((200, 0), (10, 1), (2, 2)) if abs(value) >= least), 4)
    return f"{value:,.{digits}f}"


def _seeds(row: "Row") -> str:
    """From the lowest to the highest."""
    if row.published is None or not row.published.other_seeds:
        return "–"
    figures = (row.published.figure, *row.published.other_seeds)
    return f"{number(min(figures))} to {number(max(figures))} ({len(figures)})"


def _yardstick(found: "Yardstick | None") -> str:
    return f"{number(found.value)} {found.by}" if found else "–"


def _facts(row: "Row") -> dict[str, Any]:
    facts = asdict(row)
    if row.published is not None:
        facts["published"]["date"] = f"{row.published.date:%Y-%m-%d}"
    return facts
