"""What `recommendation` says of datasets that it cannot use, before a job is made of them."""

import pytest

from modelyard.layouts import DataUnreadable
from modelyard.templates.needs import DataSeen, DatasetNotForTemplate, FeatureSeen
from modelyard.templates.specs import get_template
from tests.support.trees import described


def test_a_table_without_users_is_refused_by_what_it_is() -> None:
    data = DataSeen("shop@1", "table", "table", ("train",), (FeatureSeen("item", "category", "input"),))
    with pytest.raises(DatasetNotForTemplate) as refused:
        get_template("recommendation").data.check("recommendation", data)
    assert "recommendation takes interactions of users with items" in refused.value.message


def test_interactions_whose_users_are_ignored_lack_a_role() -> None:
    data = DataSeen("shop@1", "interactions", "table", ("train",), (FeatureSeen("item", "id", "item"),))
    with pytest.raises(DatasetNotForTemplate, match="no feature of role user"):
        get_template("recommendation").data.check("recommendation", data)


def test_ratings_in_words_are_refused_when_they_are_pushed() -> None:
    with pytest.raises(DataUnreadable, match=r"^train\.csv:2 has 'good' in column 'rating', which is no number"):
        described({"train.csv": "user,item,rating\na,x,good\nb,y,bad\n"})
