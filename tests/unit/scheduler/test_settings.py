"""Settings of the scheduler."""

import tomllib
from pathlib import Path

import pytest

from modelyard.scheduler.settings import SchedulerSettings

EXAMPLE = Path(__file__).parents[3] / "deploy" / "config" / "scheduler.toml"


def test_the_example_is_one_that_the_scheduler_takes() -> None:
    settings = SchedulerSettings.model_validate(tomllib.loads(EXAMPLE.read_text()))
    assert settings.attempts.lease_s == 20
    assert (settings.templates_folder / "image-classification" / "template.toml").is_file()


def test_a_lease_of_no_time_is_refused() -> None:
    values = tomllib.loads(EXAMPLE.read_text()) | {"attempts": {"lease_s": 0}}
    with pytest.raises(ValueError, match="lease_s"):
        SchedulerSettings.model_validate(values)
