"""What comes with modelyard as people see it, from a real scheduler."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from pydantic import SecretStr
from typer.testing import CliRunner, Result

from modelyard.api.catalog.v1 import dataset_pb2
from modelyard.cli.__main__ import app
from modelyard.cli.globals import hoist
from modelyard.foundation.config import SqlSettings
from modelyard.sdk.errors import NotFound
from tests.support.dataset_catalog import VERSION, running_dataset_catalog
from tests.support.eventually import eventually
from tests.support.scheduling import Scheduler, running_scheduler, scheduler_settings, templates_of_every_kind
from tests.support.servers import Issuers


@pytest.fixture
async def scheduler(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, issuers: Issuers) -> AsyncIterator[Scheduler]:
    monkeypatch.chdir(tmp_path)
    sql = SqlSettings(url=SecretStr(f"sqlite:///{tmp_path}/scheduler.sqlite"))
    templates = templates_of_every_kind(tmp_path / "templates")
    async with running_dataset_catalog(tmp_path) as catalog:
        settings = scheduler_settings(tmp_path, sql, catalog.target, issuers, templates=templates)
        async with running_scheduler(settings, catalog, issuers) as running:
            monkeypatch.setenv("MODELYARD_SERVER", f"unix:{tmp_path}/scheduler.sock")
            monkeypatch.setenv("MODELYARD_TOKEN", issuers.token())
            monkeypatch.setenv("MODELYARD_PROJECT", "p")
            monkeypatch.setenv("COLUMNS", "200")
            yield running


async def run(*arguments: str) -> Result:
    return await asyncio.to_thread(CliRunner().invoke, app, hoist(arguments))


async def test_templates_are_listed_with_what_they_are_for(scheduler: Scheduler) -> None:
    shown = await run("templates", "list")
    assert shown.exit_code == 0, shown.output
    lines = {line.split()[0]: line for line in shown.stdout.splitlines()}
    assert "training" in lines["image-classification"]
    assert "image" in lines["image-classification"]
    assert "profile" in lines["profile"]
    listed = json.loads((await run("templates", "list", "-o", "json")).stdout)
    assert {"templates/evaluate", "templates/predict"} < {each["name"] for each in listed}


async def test_a_template_says_what_it_takes_and_what_can_be_set(scheduler: Scheduler) -> None:
    shown = (await run("templates", "show", "image-classification")).stdout
    assert "val_accuracy (more is better)" in shown
    assert "a dataset of modality image" in shown
    assert "epochs" in shown
    assert "(int, default 10, 1 to 10000)" in shown
    described = json.loads((await run("templates", "show", "image-classification", "-o", "json")).stdout)
    assert described["data"]["modalities"] == ["image"]
    assert "nothing can be set" in (await run("templates", "show", "profile")).stdout


async def test_a_template_that_is_not_there_suggests_the_nearest_of_any_kind(scheduler: Scheduler) -> None:
    refused = await run("templates", "show", "evaluat")
    assert isinstance(refused.exception, NotFound), refused.output
    assert refused.exception.message == "template `evaluat` not found; did you mean `evaluate`?"


async def test_profile_jobs_are_in_the_list_only_with_all(scheduler: Scheduler) -> None:
    scheduler.catalog.unprofiled.append(dataset_pb2.DatasetVersion(name=VERSION, uid="1" * 32))
    profile = (await eventually(lambda: scheduler.catalog.profile_jobs.get(VERSION))).rpartition("/")[2]
    training = (await scheduler.submit()).name.rpartition("/")[2]
    usual, everything = (await run("jobs", "list")).stdout, (await run("jobs", "list", "--all")).stdout
    assert training in usual
    assert profile not in usual
    assert training in everything
    assert profile in everything
