"""What `datasets show` says of a version whose content has not been counted, or could not be."""

import asyncio
import json
from pathlib import Path

import pytest

from modelyard.api.catalog.v1 import statistics_pb2
from modelyard.api.scheduler.v1 import job_pb2, worker_sync_service_pb2
from modelyard.cli import profiles
from modelyard.sdk import Client
from modelyard.sdk.errors import NotFound
from tests.integration.cli.conftest import There, typed
from tests.support.scheduling import shipped_templates


@pytest.fixture
def templates(tmp_path: Path) -> Path:
    """All that ship."""
    return shipped_templates(tmp_path / "templates", without=())


async def profile_job(there: There) -> worker_sync_service_pb2.Assignment:
    """The job that the scheduler has made for digits@1, taken by the worker."""
    while (assignment := await there.worker.take()).spec.template != "profile":
        pass
    return assignment


async def test_while_it_is_being_counted_show_says_so_and_names_the_job(there: There) -> None:
    assignment = await profile_job(there)
    job = assignment.attempt.partition("/attempts/")[0]
    done = await typed("datasets", "show", "digits")
    assert done.exit_code == 0
    assert "splits" in done.stdout
    assert f"has no statistics yet: {job} has not ended" in done.stderr
    assert "to wait for them: modelyard datasets show digits@1 --wait" in done.stderr
    shown = json.loads((await typed("datasets", "show", "digits", "-o", "json")).stdout)
    assert shown["statistics"] is None
    assert (shown["statistics_missing"]["reason"], shown["statistics_missing"]["job"]) == ("STATISTICS_PENDING", job)


async def test_a_page_that_is_not_there_yet_is_an_error_and_no_file(there: There) -> None:
    await profile_job(there)
    done = await typed("datasets", "show", "digits", "--html", "page.html")
    assert isinstance(done.exception, NotFound)
    assert done.exception.reason == "STATISTICS_PENDING"
    assert not await asyncio.to_thread(Path("page.html").exists)


async def test_when_the_job_has_failed_show_says_why_and_who_waited_for_it_has_failed_too(there: There) -> None:
    assignment = await profile_job(there)
    job = assignment.attempt.partition("/attempts/")[0]
    attempt = await there.catalog.attempt(job, 1)
    await attempt.execute(job, 1)
    await there.worker.complete(
        assignment.attempt,
        job_pb2.Attempt.STATE_FAILED,
        failure_class=job_pb2.Job.FAILURE_CLASS_INVALID_DATA,
        message="the index is damaged",
    )
    done = await typed("datasets", "show", "digits", "--wait")
    assert done.exit_code == 1
    assert "splits" in done.stdout
    assert f"has no statistics: {job} failed" in done.stderr
    assert (await typed("datasets", "show", "digits")).exit_code == 0
    shown = json.loads((await typed("datasets", "show", "digits", "--wait", "-o", "json")).stdout)
    assert shown["statistics_missing"]["reason"] == "STATISTICS_NOT_AVAILABLE"
    assert "failed" in shown["statistics_missing"]["message"]


async def test_of_what_a_profile_has_left_the_page_alone_is_read(there: There, monkeypatch: pytest.MonkeyPatch) -> None:
    assignment = await profile_job(there)
    job = assignment.attempt.partition("/attempts/")[0]
    attempt = await there.catalog.attempt(job, 1)
    await attempt.execute(job, 1)
    files = {"page.html": b"<p>", "content/train.npy": bytes(1 << 20)}
    report = await attempt.pushed(f"{job}/outputs/profile", files)
    monkeypatch.setattr("modelyard.sdk.download.fetch_packs", lambda *_, **__: pytest.fail("whole packs were read"))
    with Client() as client:
        statistics = statistics_pb2.Statistics(report=report)
        assert await asyncio.to_thread(client.datasets.profile_page, statistics) == b"<p>"


@pytest.mark.parametrize("templates", [None], ids=["nothing profiles"])
@pytest.mark.usefixtures("there")
async def test_a_job_that_is_never_made_is_waited_for_so_long_and_no_longer(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, seconds in {"ASK_EVERY_S": 0.01, "SAY_AFTER_S": 0.02, "PATIENCE_S": 0.1}.items():
        monkeypatch.setattr(profiles, name, seconds)
    done = await typed("datasets", "show", "digits", "--wait")
    assert done.exit_code == 1
    assert "splits" in done.stdout
    *_, waiting, gave_up = done.stderr.splitlines()
    assert waiting.endswith("has no statistics yet: the job that profiles it has not been made; waiting for it")
    assert gave_up.endswith("has no statistics yet: the job that profiles it has not been made")
