import keyword

from hypothesis import given
from hypothesis import strategies as st

from modelyard.layouts.names import feature_names, identifier


def test_columns_are_called_by_identifiers_all_different() -> None:
    headers = ["Marital Status", "userId", "hours per week", "hours-per-week", "Température °C", "好", ""]
    names = ["marital_status", "user_id", "hours_per_week", "hours_per_week_2", "temperature_c", "column_6", "column_7"]
    assert feature_names(headers) == names


def test_a_word_that_no_model_can_take_as_an_input_gets_an_underscore() -> None:
    assert feature_names(["class", "from", "Self", "classes"]) == ["class_", "from_", "self_", "classes"]


def test_a_column_that_is_called_by_a_number_has_a_name_that_a_model_can_take() -> None:
    assert feature_names(["", "0", "1", "2nd try"]) == ["column_1", "field_0", "field_1", "field_2nd_try"]
    assert [identifier(header) for header in ("0", "field_0", "2nd try")] == ["field_0", "field_0", "field_2nd_try"]


@given(st.lists(st.text(max_size=80), max_size=8))
def test_every_header_has_a_name_of_its_own_that_a_model_can_take(headers: list[str]) -> None:
    names = feature_names(headers)
    assert len(set(names)) == len(names) == len(headers)
    assert all(name.isidentifier() and name[0].isalpha() for name in names)
    assert not any(keyword.iskeyword(name) or name == "self" for name in names)
