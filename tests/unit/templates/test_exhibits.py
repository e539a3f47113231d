"""Examples as a report shows them."""

from types import SimpleNamespace
from typing import Any, cast

import numpy as np

from modelyard.job.columns import Column
from modelyard.job.index import Examples
from modelyard.layouts import Feature
from modelyard.templates.evaluate.exhibits import exhibit


def shown(feature: Feature, values: Any, row: int) -> dict[str, Any]:
    column = Column(feature, np.array(values), ())
    examples = SimpleNamespace(column=lambda _: column, origin=lambda row: f"train.csv:{row + 2}")
    return exhibit(cast(Examples, examples), [feature], row)


def test_a_category_is_shown_by_its_name_and_several_together() -> None:
    one = Feature("kind", "category", "int64", classes=("cat", "dog", "fox"))
    assert shown(one, [1, -1], 0) == {"path": "train.csv:2", "values": {"kind": "dog"}}
    assert shown(one, [1, -1], 1)["values"] == {"kind": None}
    several = Feature("kinds", "category", "int64", (2,), classes=("cat", "dog", "fox"))
    values = [[2, 0], [-1, 1], [-1, -1]]
    assert [shown(several, values, row)["values"]["kinds"] for row in range(3)] == ["fox, cat", "dog", None]
