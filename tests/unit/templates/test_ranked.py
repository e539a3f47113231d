import numpy as np
import pytest

from modelyard.templates.evaluate import page, ranked, recommended

LISTS = [[b"a", b"b", b"c"], [b"d", b"a", b"b"]]
CHOSEN = [frozenset({b"c"}), frozenset({b"d", b"z"})]


def test_recall_is_the_share_of_what_was_chosen_and_each_user_counts_the_same() -> None:
    found = ranked.by_user(LISTS, CHOSEN)
    assert found["recall_at_50"].tolist() == [1.0, 0.5]
    assert ranked.means(found)["recall_at_10"] == 0.75


def test_of_more_than_fit_only_as_many_as_fit_are_asked_for() -> None:
    items = [str(number).encode() for number in range(30)]
    assert ranked.by_user([items], [frozenset(items)])["recall_at_10"].tolist() == [1.0]


def test_the_first_places_count_more() -> None:
    gain = ranked.by_user(LISTS, CHOSEN)["ndcg_at_10"]
    assert gain[0] == pytest.approx(1 / np.log2(4))
    assert gain[1] == pytest.approx(1 / (1 + 1 / np.log2(3)))


def test_an_interval_stays_between_nothing_and_all() -> None:
    found = ranked.intervals({"recall_at_50": np.array([1.0, 1.0, 0.0])})
    assert found["recall_at_50"][1] == 1.0
    assert ranked.intervals({"recall_at_50": np.array([1.0])}) == {}


def test_what_is_chosen_most_comes_first_without_what_is_seen() -> None:
    order = ranked.most_chosen(np.array([b"b", b"a", b"a", b"c", b"b", b"a"]))
    assert order == [b"a", b"b", b"c"]
    assert ranked.first_unseen(order, frozenset({b"a"}), 1) == [b"b"]


def test_titles_of_others_cannot_leave_their_cell() -> None:
    shown = {
        "user": "<b>u",
        "chose": 2,
        "history": ["<script>"],
        "recommended": [{"item": "a&b", "hit": True}],
        "held_out": ["</td>"],
        "hits": 1,
        "of": 1,
    }
    (section,) = recommended.sections({"users": {"asked": 1, "known": 0}, "shown": [shown]})
    assert "<script>" not in section
    assert "<b>a&amp;b</b>" in section
    assert "&lt;script&gt; and 1 more" in section
    assert "does not know 1" in section


def test_a_report_of_recommendations_is_a_whole_page_with_its_figures_in_percent() -> None:
    values = ranked.by_user(LISTS, CHOSEN)
    found = {
        "kind": "recommendation",
        "split": "test",
        "examples": 2,
        "seconds": 1.0,
        "model": "projects/p/models/films/versions/2",
        "dataset": "projects/p/datasets/movies/versions/1",
        "date": "",
        "random": [],
        "metrics": ranked.means(values),
        "intervals": ranked.intervals(values),
        "floors": {"recall_at_50": {"value": 0.1, "by": "the most chosen"}},
        "users": {"asked": 2, "known": 2},
        "shown": [],
    }
    text = page.render(found)
    assert "films@2 on movies@1" in text
    assert "Recall@50" in text
    assert "75.00 %" in text
