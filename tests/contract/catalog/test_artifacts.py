"""Projects, datasets and their versions and aliases."""

import json
import uuid

import grpc
import pytest
from google.protobuf.field_mask_pb2 import FieldMask

from modelyard.api.catalog.v1 import (
    dataset_pb2,
    dataset_service_pb2,
    model_service_pb2,
    project_pb2,
    project_service_pb2,
)
from modelyard.foundation.rpc.status import failure_of, reason_of
from tests.support.catalog import PROJECT, Client, RunningCatalog

DIGITS = f"{PROJECT}/datasets/digits"
DESCRIPTION = {
    "format": 1,
    "layout": "class_folders",
    "modality": "image",
    "features": {
        "image": {"dtype": "uint8", "shape": [None, 28, 1], "encoding": "png"},
        "label": {"dtype": "int64", "classes": ["zero", "one"]},
    },
    "split_rule": "hash-10",
    "splits": {"train": {"examples": 9}, "test": {"examples": 1}},
}


async def create(client: Client, dataset_id: str = "digits", **fields: object) -> dataset_pb2.Dataset:
    request = dataset_service_pb2.CreateDatasetRequest(parent=PROJECT, dataset_id=dataset_id, **fields)  # type: ignore[arg-type]
    return await client.datasets.CreateDataset(request)


async def failed(call: object) -> grpc.aio.AioRpcError:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call  # type: ignore[misc]
    return caught.value


async def test_a_retry_with_the_same_request_id_gets_the_first_answer(admin: Client) -> None:
    request_id = str(uuid.uuid4())
    first = await create(admin, request_id=request_id)

    assert await create(admin, request_id=request_id) == first
    assert reason_of(await failed(create(admin, "other", request_id=request_id))) == "REQUEST_ID_REUSED"
    error = await failed(create(admin))
    assert (error.code(), reason_of(error)) == (grpc.StatusCode.ALREADY_EXISTS, "NAME_TAKEN")


@pytest.mark.parametrize(
    "dataset_id", ["", "Digits", "1digits", "d" * 64, "../x", "a\0b", "a/b", "digits-", "\u202edigits"]
)
async def test_a_bad_id_is_refused_with_its_field(admin: Client, dataset_id: str) -> None:
    error = await failed(create(admin, dataset_id))

    assert error.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert "dataset_id" in failure_of(error).fields


async def test_an_update_changes_what_its_mask_lists(admin: Client) -> None:
    dataset = await create(admin, dataset=dataset_pb2.Dataset(display_name="old", labels={"a": "1"}))
    wanted = dataset_pb2.Dataset(name=DIGITS, display_name="new", description="said", etag=dataset.etag)

    updated = await admin.datasets.UpdateDataset(
        dataset_service_pb2.UpdateDatasetRequest(dataset=wanted, update_mask=FieldMask(paths=["display_name"]))
    )

    assert (updated.display_name, updated.description, dict(updated.labels)) == ("new", "", {"a": "1"})
    again = dataset_service_pb2.UpdateDatasetRequest(dataset=wanted, update_mask=FieldMask(paths=["labels"]))
    assert reason_of(await failed(admin.datasets.UpdateDataset(again))) == "ETAG_MISMATCH"
    for paths in ([], ["uid"]):
        wrong = dataset_service_pb2.UpdateDatasetRequest(dataset=wanted, update_mask=FieldMask(paths=paths))
        assert failure_of(await failed(admin.datasets.UpdateDataset(wrong))).fields.keys() == {"update_mask"}


async def test_labels_have_limits(admin: Client) -> None:
    for labels in ({f"k{n}": "" for n in range(65)}, {"Bad Key": ""}, {"k": "v" * 257}):
        error = await failed(create(admin, dataset=dataset_pb2.Dataset(labels=labels)))
        assert error.code() is grpc.StatusCode.INVALID_ARGUMENT


async def test_a_list_goes_on_where_it_was_although_rows_come_in_between(admin: Client) -> None:
    for name in ("a", "c", "e"):
        await create(admin, name)
    first = await admin.datasets.ListDatasets(dataset_service_pb2.ListDatasetsRequest(parent=PROJECT, page_size=2))
    await create(admin, "b")
    await create(admin, "d")
    request = dataset_service_pb2.ListDatasetsRequest(parent=PROJECT, page_size=2, page_token=first.next_page_token)
    second = await admin.datasets.ListDatasets(request)

    assert [dataset.name.rpartition("/")[2] for dataset in [*first.datasets, *second.datasets]] == ["a", "c", "d", "e"]
    assert second.next_page_token == ""
    for page_size, token in ((-1, ""), (2, "forged"), (2, first.next_page_token[:-2])):
        wrong = dataset_service_pb2.ListDatasetsRequest(parent=PROJECT, page_size=page_size, page_token=token)
        assert (await failed(admin.datasets.ListDatasets(wrong))).code() is grpc.StatusCode.INVALID_ARGUMENT


async def test_versions_are_found_by_number_alias_and_latest(admin: Client) -> None:
    for content in (b"1", b"2", b"3"):
        await admin.pushed(DIGITS, {"n": content})
    aliased = await admin.datasets.SetDatasetAlias(
        dataset_service_pb2.SetDatasetAliasRequest(name=DIGITS, alias="good", version=2, expected_version=0)
    )
    assert (dict(aliased.aliases), aliased.latest_version) == ({"good": 2}, 3)

    for reference, number in (("1", 1), ("good", 2), ("latest", 3)):
        got = await admin.datasets.GetDatasetVersion(
            dataset_service_pb2.GetDatasetVersionRequest(name=f"{DIGITS}/versions/{reference}")
        )
        assert got.name == f"{DIGITS}/versions/{number}"
    listed = await admin.datasets.ListDatasetVersions(
        dataset_service_pb2.ListDatasetVersionsRequest(parent=DIGITS, page_size=2)
    )
    assert [version.name[-1] for version in listed.dataset_versions] == ["3", "2"]
    for reference in ("4", "nope"):
        error = await failed(
            admin.datasets.GetDatasetVersion(
                dataset_service_pb2.GetDatasetVersionRequest(name=f"{DIGITS}/versions/{reference}")
            )
        )
        assert failure_of(error).resource == f"{DIGITS}/versions/{reference}"
        assert error.code() is grpc.StatusCode.NOT_FOUND


async def test_an_alias_moves_only_from_where_the_caller_thinks_it_is(admin: Client) -> None:
    await admin.pushed(DIGITS, {"n": b"1"})
    await admin.pushed(DIGITS, {"n": b"2"})

    async def move(version: int, expected: int | None, alias: str = "good") -> dataset_pb2.Dataset:
        return await admin.datasets.SetDatasetAlias(
            dataset_service_pb2.SetDatasetAliasRequest(
                name=DIGITS, alias=alias, version=version, expected_version=expected
            )
        )

    await move(1, 0)
    error = await failed(move(2, 0))
    assert (error.code(), reason_of(error)) == (grpc.StatusCode.ABORTED, "ALIAS_MOVED")
    assert (await failed(move(9, None))).code() is grpc.StatusCode.NOT_FOUND
    assert (await failed(move(1, None, "latest"))).code() is grpc.StatusCode.INVALID_ARGUMENT
    held = await failed(
        admin.datasets.DeleteDatasetVersion(
            dataset_service_pb2.DeleteDatasetVersionRequest(name=f"{DIGITS}/versions/1")
        )
    )
    assert failure_of(held).facts["holders"] == "alias good"
    await move(2, 1)
    gone = await admin.datasets.DeleteDatasetAlias(
        dataset_service_pb2.DeleteDatasetAliasRequest(name=DIGITS, alias="good", expected_version=2)
    )
    assert dict(gone.aliases) == {}


async def test_a_number_is_never_given_twice(admin: Client) -> None:
    await admin.pushed(DIGITS, {"n": b"1"})
    last = await admin.pushed(DIGITS, {"n": b"2"})
    await admin.datasets.DeleteDatasetVersion(dataset_service_pb2.DeleteDatasetVersionRequest(name=last))

    assert await admin.pushed(DIGITS, {"n": b"3"}) == f"{DIGITS}/versions/3"


async def test_a_dataset_says_what_its_examples_look_like(admin: Client) -> None:
    version = await admin.pushed(DIGITS, {"modelyard.dataset.json": json.dumps(DESCRIPTION).encode(), "x": b"x"})

    spec = await admin.datasets.GetInputSpec(dataset_service_pb2.GetInputSpecRequest(name=f"{DIGITS}/versions/latest"))

    assert (spec.dataset_version, spec.layout, spec.modality) == (version, "class_folders", "image")
    assert list(spec.features[0].shape) == [-1, 28, 1]
    assert list(spec.features[1].classes) == ["zero", "one"]
    assert [(split.name, split.example_count) for split in spec.splits] == [("train", 9), ("test", 1)]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (None, "DATASET_HAS_NO_DESCRIPTION"),
        (b"{", "DATASET_DESCRIPTION_WRONG"),
        (b"[" * 100_000, "DATASET_DESCRIPTION_WRONG"),
        (b" " * ((3 << 20) + 1), "DATASET_DESCRIPTION_WRONG"),
        (b'{"format": 2}', "DATASET_DESCRIPTION_WRONG"),
    ],
)
async def test_a_wrong_description_is_told_as_such(admin: Client, content: bytes | None, reason: str) -> None:
    files = {"x": b"x"} | ({"modelyard.dataset.json": content} if content is not None else {})
    version = await admin.pushed(DIGITS, files)

    error = await failed(admin.datasets.GetInputSpec(dataset_service_pb2.GetInputSpecRequest(name=version)))

    assert (error.code(), reason_of(error)) == (grpc.StatusCode.FAILED_PRECONDITION, reason)


async def test_a_project_is_empty_before_it_goes_and_nothing_of_it_comes_back(
    catalog: RunningCatalog, admin: Client
) -> None:
    made = await admin.projects.CreateProject(
        project_service_pb2.CreateProjectRequest(
            project_id="lab", project=project_pb2.Project(display_name="The lab"), request_id=str(uuid.uuid4())
        )
    )
    await admin.pushed("projects/lab/datasets/d", {"x": b"x"})
    delete = project_service_pb2.DeleteProjectRequest(name="projects/lab", etag=made.etag)
    error = await failed(admin.projects.DeleteProject(delete))
    assert (reason_of(error), failure_of(error).facts["holders"]) == ("STILL_NEEDED", "projects/lab/datasets/d")
    await admin.datasets.DeleteDataset(dataset_service_pb2.DeleteDatasetRequest(name="projects/lab/datasets/d"))
    await admin.projects.DeleteProject(delete)

    again = await admin.projects.CreateProject(project_service_pb2.CreateProjectRequest(project_id="lab"))

    assert again.uid != made.uid
    listed = await admin.datasets.ListDatasets(dataset_service_pb2.ListDatasetsRequest(parent="projects/lab"))
    assert not listed.datasets


async def test_everybody_sees_only_projects_in_which_they_have_a_role(catalog: RunningCatalog, admin: Client) -> None:
    for name in ("a-lab", "b-lab"):
        await admin.projects.CreateProject(project_service_pb2.CreateProjectRequest(project_id=name))
    ann = await catalog.client("viewer", "a-lab")

    listed = await ann.projects.ListProjects(project_service_pb2.ListProjectsRequest())

    assert [project.name for project in listed.projects] == ["projects/a-lab"]


async def test_models_have_the_same_use_cases(admin: Client) -> None:
    name = f"{PROJECT}/models/m"
    await admin.models.CreateModel(model_service_pb2.CreateModelRequest(parent=PROJECT, model_id="m"))
    listed = await admin.models.ListModels(model_service_pb2.ListModelsRequest(parent=PROJECT))
    assert [model.name for model in listed.models] == [name]
    assert not (
        await admin.models.ListModelVersions(model_service_pb2.ListModelVersionsRequest(parent=name))
    ).model_versions
    await admin.models.DeleteModel(model_service_pb2.DeleteModelRequest(name=name))
    error = await failed(admin.models.GetModel(model_service_pb2.GetModelRequest(name=name)))
    assert failure_of(error).resource == name


async def test_every_change_leaves_a_row_that_says_who_did_it(catalog: RunningCatalog, admin: Client) -> None:
    from sqlalchemy import select

    from modelyard.catalog.adapters.schema import audit

    request_id = str(uuid.uuid4())
    await create(admin, request_id=request_id)
    await failed(create(admin))

    rows = await catalog.database.read(
        lambda connection: connection.execute(select(audit).where(audit.c.action == "CreateDataset")).all()
    )

    assert [(row.subject, row.resource, row.request_id) for row in rows] == [("users/ann", DIGITS, request_id)]
