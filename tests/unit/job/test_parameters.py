import pytest

from modelyard.job.parameters import Parameters, untyped

PARAMETERS = Parameters({"epochs": 3, "learning_rate": 0.01})


def test_a_parameter_is_an_attribute_an_item_and_may_have_a_default() -> None:
    assert PARAMETERS.epochs == PARAMETERS["epochs"] == 3
    assert PARAMETERS.get("momentum", 0.9) == 0.9
    assert dict(PARAMETERS) == {"epochs": 3, "learning_rate": 0.01}


def test_a_parameter_that_is_not_set_says_how_to_set_it() -> None:
    with pytest.raises(AttributeError, match="no parameter 'momentum'; start it with `--set momentum=…`"):
        _ = PARAMETERS.momentum
    with pytest.raises(KeyError, match="did you mean 'epochs'"):
        _ = PARAMETERS["epoch"]


def test_values_without_declared_types_are_read_as_what_they_look_like() -> None:
    given = {"epochs": 3.0, "lr": "1e-2", "wide": "true", "name": "adam", "half": 0.5, "layers": "4"}
    assert untyped(given) == {"epochs": 3, "lr": 0.01, "wide": True, "name": "adam", "half": 0.5, "layers": 4}
    assert type(untyped(given)["epochs"]) is int
