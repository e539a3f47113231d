from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from modelyard.sdk import gallery
from modelyard.sdk.errors import NotFound
from modelyard.sdk.gallery.rows import Published, Row, Verdict, Yardstick, pick, read_published, read_rows
from modelyard.templates.specs import list_templates

REACHED = Published(0.9, date(2026, 11, 25), 1.0, 2, "sha256:d", "c")
ROW = Row("one", "", "mnist", "t", {}, "accuracy", True, 0.01, 0.8, Yardstick(0.5, "chance"), None, REACHED)
ERROR = replace(
    ROW, maximize=False, tolerance=2.0, aim=50.0, floor=Yardstick(138, "mean"), published=replace(REACHED, figure=40)
)


@pytest.mark.parametrize(
    ("row", "figure", "verdict"),
    [
        (ROW, 0.9, Verdict.HELD),
        (ROW, 0.895, Verdict.HELD),
        (ROW, 0.88, Verdict.WORSE),
        (ROW, 0.92, Verdict.BETTER),
        (ROW, 0.5, Verdict.FLOORED),
        (ERROR, 41.5, Verdict.HELD),
        (ERROR, 43, Verdict.WORSE),
        (ERROR, 37, Verdict.BETTER),
        (ERROR, 140, Verdict.FLOORED),
        (replace(ROW, published=None), 0.8, Verdict.REACHED),
        (replace(ROW, published=None), 0.79, Verdict.MISSED),
        (replace(ERROR, published=None), 50, Verdict.REACHED),
        (replace(ERROR, published=None), 51, Verdict.MISSED),
        (replace(ROW, published=None, aim=None), 0.79, Verdict.OPEN),
        (ROW, float("nan"), Verdict.FLOORED),
    ],
)
def test_a_figure_is_compared_with_what_is_published_or_else_with_its_aim(
    row: Row, figure: float, verdict: Verdict
) -> None:
    assert row.judge(figure) is verdict


def test_what_became_better_has_drifted_too() -> None:
    drifted = {each for each in Verdict if each.drifted}
    assert drifted == {Verdict.WORSE, Verdict.BETTER, Verdict.MISSED, Verdict.FLOORED}


def test_every_row_has_a_set_and_is_no_better_than_chance_at_its_floor() -> None:
    rows = read_rows()
    assert rows
    for row in rows.values():
        assert row.dataset in gallery.SETS
        assert row.title
        assert row.tolerance > 0
        assert row.judge(row.floor.value) is Verdict.FLOORED
        if row.aim is not None:
            assert replace(row, published=None).judge(row.aim) is Verdict.REACHED


def test_every_published_figure_is_of_a_row_and_beats_its_floor() -> None:
    rows = read_rows()
    for name, published in read_published().items():
        assert rows[name].judge(published.figure) is Verdict.HELD
        assert published.minutes > 0


def test_every_rows_parameters_are_its_templates() -> None:
    shipped = {template.name: template for template in list_templates()}
    for row in read_rows().values():
        if row.template in shipped:
            assert row.parameters.keys() <= {each.name for each in shipped[row.template].parameters}


def test_a_row_that_is_not_there_names_the_nearest() -> None:
    rows = read_rows()
    assert [row.name for row in pick(rows, ["adult", "mnist"])] == ["mnist", "adult"]
    assert pick(rows, []) == list(rows.values())
    with pytest.raises(NotFound, match="has no row `adlt`; did you mean `adult`"):
        pick(rows, ["mnist", "adlt"])
    with pytest.raises(NotFound, match="has no row `cifar`; there is `mnist`, "):
        pick(rows, ["cifar"])


def test_a_row_that_judges_anothers_model_learns_what_that_one_learns() -> None:
    rows = read_rows()
    judging = [row for row in rows.values() if row.model]
    assert judging
    for row in judging:
        made = rows[row.model]
        assert (row.template, row.parameters, row.learnt_from) == (made.template, made.parameters, made.dataset)
        assert (row.dataset, row.metric) != (made.dataset, made.metric)


def test_the_readme_has_every_published_figure_its_seeds_its_minutes_and_its_date() -> None:
    lines = (Path(__file__).parents[4] / "README.md").read_text().splitlines()
    start = next(number for number, line in enumerate(lines) if line.startswith("| row | template | metric |"))
    table = [[cell.strip() for cell in line.split("|")[1:-1]] for line in lines[start + 2 : lines.index("", start)]]
    shown = {name: cells for name, _, _, *cells in table}
    published = {name: row.published for name, row in read_rows().items() if row.published is not None}
    assert shown.keys() == published.keys()
    for name, (figure, seeds, minutes, day, *_) in shown.items():
        row = published[name]
        figures = (row.figure, *row.other_seeds)
        spread = (min(figures), max(figures)) if row.other_seeds else ()
        assert _is_rounded(figure, row.figure), name
        ends = seeds.split(" to ") if seeds != "–" else []
        assert [_is_rounded(*each) for each in zip(ends, spread, strict=True)] == [True] * len(spread), name
        assert _is_rounded(minutes, row.minutes), name
        assert day == f"{row.date:%Y-%m-%d}", name


def _is_rounded(text: str, value: float) -> bool:
    digits = len(text.partition(".")[2])
    return abs(float(text.replace(",", "")) - value) <= 0.5 * 10.0**-digits + 1e-9
