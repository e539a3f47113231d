"""Models that answer, and a command line that asks them."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from modelyard.cli.__main__ import app
from modelyard.cli.globals import hoist
from tests.contract.cli.asking import Run
from tests.support.asked_forecasts import bikes
from tests.support.asked_models import (
    Asked,
    adult,
    answering,
    digits,
    heavy,
    motions,
    movies,
    reviews,
    scenes,
    speech,
)
from tests.support.asked_writers import bard
from tests.support.background import in_background


@pytest.fixture
def models() -> dict[str, Asked]:
    made = (reviews(), heavy(), adult(), movies(), digits(), scenes(), speech(), motions(), bard(), bikes())
    return {each.servable.name: each for each in made}


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, models: dict[str, Asked]) -> Iterator[Run]:
    """`modelyard …` in a folder of its own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MODELYARD_SERVER", f"unix:{tmp_path}/socket")
    monkeypatch.setenv("MODELYARD_TOKEN", "t")
    monkeypatch.setenv("COLUMNS", "200")

    def command(*arguments: str, stdin: str | bytes = "") -> Result:
        return CliRunner().invoke(app, hoist(arguments), input=stdin)

    with in_background(answering(f"unix:{tmp_path}/socket", *models.values())):
        yield command
