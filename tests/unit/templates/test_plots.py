import pytest

from modelyard.templates.evaluate.number_sections import sections
from modelyard.templates.evaluate.plots import bars, scale, scatter


@pytest.mark.parametrize(
    ("low", "high", "ticks"),
    [
        (0.0, 10.0, [0, 2, 4, 6, 8, 10]),
        (-3.0, 97.0, [-20, 0, 20, 40, 60, 80, 100]),
        (5.0, 5.0, [4.4, 4.6, 4.8, 5.0, 5.2, 5.4, 5.6]),
        (1e6, 1.01e6, [1000000, 1002000, 1004000, 1006000, 1008000, 1010000]),
    ],
)
def test_an_axis_has_round_numbers_and_holds_both_ends(low: float, high: float, ticks: list[float]) -> None:
    found = scale(low, high)
    assert found[0] <= low <= high <= found[-1]
    assert found == pytest.approx(ticks)


def test_points_lie_where_they_belong() -> None:
    drawn = scatter("answers", [(0.0, 0.0), (10.0, 10.0)], "true", "answered", "Title", ideal="equal")
    places = [part.split('"')[1::2] for part in drawn.split("<circle ")[1:]]
    (_, x0, y0, _), (_, x1, y1, _) = (place[:4] for place in places)
    assert float(x0) < float(x1)
    assert float(y0) > float(y1)


def test_the_name_of_a_target_is_escaped_once() -> None:
    (section,) = sections({"points": [[1.0, 2.0], [2.0, 2.5]], "examples": 2, "target": "R&D <h>"})
    assert section.count("true R&amp;D &lt;h&gt;</text>") == 1
    assert section.count("answered R&amp;D &lt;h&gt;</text>") == 2
    assert "Answered over true R&amp;D &lt;h&gt;</title>" in section
    assert "amp;amp" not in section


def test_bars_are_as_long_as_their_values_and_nothing_is_shorter_than_nothing() -> None:
    drawn = bars("loss", [("a", 4.0, "+4"), ("b<", 2.0, "+2"), ("c", -1.0, "-1")], "Title")
    widths = [float(part.split('width="')[1].split('"')[0]) for part in drawn.split("<rect ")[1:]]
    assert widths[0] == 2 * widths[1] > widths[2] == 1
    assert "b&lt;" in drawn
