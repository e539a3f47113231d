"""A version's number means the same files for ever, also after what it belonged to was deleted and made again."""

import pytest

from modelyard.api.catalog.v1 import dataset_service_pb2, model_service_pb2, package_service_pb2, project_service_pb2
from tests.support.catalog import PROJECT, Client, RunningCatalog

DIGITS = f"{PROJECT}/datasets/digits"
JOB = f"{PROJECT}/jobs/j"


async def delete(client: Client, name: str) -> None:
    calls = {
        "datasets": (client.datasets.DeleteDataset, dataset_service_pb2.DeleteDatasetRequest),
        "models": (client.models.DeleteModel, model_service_pb2.DeleteModelRequest),
        "packages": (client.packages.DeletePackage, package_service_pb2.DeletePackageRequest),
    }
    call, request = calls[name.split("/")[2]]
    await call(request(name=name))  # type: ignore[operator]


@pytest.mark.parametrize("target", [DIGITS, f"{PROJECT}/packages/mine"])
async def test_what_is_made_again_goes_on_with_the_numbers(admin: Client, target: str) -> None:
    await admin.pushed(target, {"n": b"1"})
    await admin.pushed(target, {"n": b"2"})
    await delete(admin, target)
    third = await admin.pushed(target, {"n": b"3"})
    await delete(admin, target)

    fourth = await admin.pushed(target, {"n": b"1"})

    assert (third, fourth) == (f"{target}/versions/3", f"{target}/versions/4")
    assert await admin.read(fourth) == {"n": b"1"}


async def test_a_model_made_again_goes_on_with_the_numbers(admin: Client, catalog: RunningCatalog) -> None:
    model, scheduler = f"{PROJECT}/models/m", await catalog.client("service", "*", "services/scheduler")
    data = await admin.pushed(DIGITS, {"n": b"1"})
    for number in (1, 2):
        job = f"{JOB}{number}"
        await scheduler.execute(job, 0, data)
        attempt = await catalog.attempt(job, 1)
        await attempt.execute(job, 1)
        assert await attempt.pushed(model, {"saved_model.pb": b"g"}) == f"{model}/versions/{number}"
        await attempt.end(job, 1)
        await delete(admin, model)


async def test_one_made_empty_goes_on_with_the_numbers_too(admin: Client) -> None:
    await admin.pushed(DIGITS, {"n": b"1"})
    await delete(admin, DIGITS)

    request = dataset_service_pb2.CreateDatasetRequest(parent=PROJECT, dataset_id="digits")
    assert (await admin.datasets.CreateDataset(request)).latest_version == 0
    assert await admin.pushed(DIGITS, {"n": b"2"}) == f"{DIGITS}/versions/2"


async def test_names_have_their_numbers_for_themselves(admin: Client) -> None:
    await admin.pushed(DIGITS, {"n": b"1"})
    await delete(admin, DIGITS)
    await admin.projects.CreateProject(project_service_pb2.CreateProjectRequest(project_id="lab"))

    for other in (f"{PROJECT}/packages/digits", f"{PROJECT}/datasets/digit", "projects/lab/datasets/digits"):
        assert await admin.pushed(other, {"n": b"1"}) == f"{other}/versions/1"


async def test_a_project_made_again_goes_on_with_the_numbers(admin: Client) -> None:
    data = "projects/lab/datasets/d"
    for number in (1, 2):
        await admin.projects.CreateProject(project_service_pb2.CreateProjectRequest(project_id="lab"))
        assert await admin.pushed(data, {"n": b"1"}) == f"{data}/versions/{number}"
        await delete(admin, data)
        await admin.projects.DeleteProject(project_service_pb2.DeleteProjectRequest(name="projects/lab"))
