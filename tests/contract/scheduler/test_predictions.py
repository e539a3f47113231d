"""Jobs that ask a model about a whole dataset and make a dataset of its answers."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from pydantic import SecretStr

from modelyard.api.catalog.v1 import model_pb2
from modelyard.api.scheduler.v1 import job_pb2, template_pb2
from modelyard.foundation.config import SqlSettings
from modelyard.foundation.rpc.status import Failure, failure_of
from tests.support.dataset_catalog import DATASET, MODEL_VERSION, PROJECT, VERSION, DatasetCatalog
from tests.support.scheduling import Scheduler, running_scheduler, scheduler_settings, templates_of_every_kind
from tests.support.servers import Issuers

PREDICT = {"template": "predict", "model_version": f"{PROJECT}/models/m/versions/latest"}
ANSWERS = f"{PROJECT}/datasets/answers"


@pytest.fixture
async def scheduler(tmp_path: Path, dataset_catalog: DatasetCatalog, issuers: Issuers) -> AsyncIterator[Scheduler]:
    sql = SqlSettings(url=SecretStr(f"sqlite:///{tmp_path}/scheduler.sqlite"))
    templates = templates_of_every_kind(tmp_path / "templates")
    settings = scheduler_settings(tmp_path, sql, dataset_catalog.target, issuers, templates=templates)
    async with running_scheduler(settings, dataset_catalog, issuers) as running:
        yield running


async def refused(scheduler: Scheduler, **fields: Any) -> Failure:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await scheduler.submit(**fields)
    assert not scheduler.catalog.executions
    return failure_of(caught.value)


async def test_it_ends_with_the_version_that_it_made(scheduler: Scheduler) -> None:
    job = await scheduler.submit(**PREDICT, output_dataset=ANSWERS)
    assert (job.kind, job.spec.output_dataset) == (template_pb2.Template.KIND_PREDICTION, ANSWERS)
    assert (job.spec.model_version, job.spec.dataset_version, job.spec.model) == (MODEL_VERSION, VERSION, "")
    (begun,) = scheduler.catalog.begun
    assert (list(begun.inputs), begun.output_dataset, begun.weak) == ([VERSION, MODEL_VERSION], ANSWERS, False)
    async with scheduler.worker() as worker:
        assignment = await worker.take()
        assert assignment.spec == job.spec
        assert len(assignment.devices) == 1
        wrong: list[dict[str, Any]] = [
            {"output_dataset_version": f"{DATASET}/versions/2"},
            {"output_dataset_version": ""},
            {"evaluation": f"{MODEL_VERSION}/evaluations/j"},
            {"model_version": f"{PROJECT}/models/m/versions/4"},
        ]
        for fields in wrong:
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await worker.complete(assignment.attempt, **fields)
            assert list(failure_of(caught.value).fields) == list(fields)
        await worker.complete(assignment.attempt, output_dataset_version=f"{ANSWERS}/versions/1")
    ended = await scheduler.job(job.name)
    assert (ended.state, ended.output_dataset_version) == (job_pb2.Job.STATE_SUCCEEDED, f"{ANSWERS}/versions/1")
    assert (ended.model_version, ended.evaluation) == ("", "")


async def test_the_answers_are_called_like_the_data_and_the_model(scheduler: Scheduler) -> None:
    assert (await scheduler.submit(**PREDICT)).spec.output_dataset == f"{PROJECT}/datasets/digits-m"


BAD = [
    ({"model_version": ""}, "model_version", "predict needs the model to ask"),
    ({"dataset_version": ""}, "dataset_version", "predict needs the data to ask it about"),
    ({"model": f"{PROJECT}/models/m"}, "model", "predict makes none (did you mean job.spec.model_version?)"),
    ({"output_dataset": DATASET}, "output_dataset", "which the job reads"),
    ({"output_dataset": VERSION}, "output_dataset", "must look like projects/{project}/datasets/{dataset}"),
    ({"output_dataset": "projects/q/datasets/e"}, "output_dataset", "must be in projects/p"),
    ({"source_version": f"{PROJECT}/packages/k/versions/1"}, "source_version", "takes no files to import"),
    ({"template": "image-classification", "model_version": ""}, "output_dataset", "makes no dataset version"),
]


@pytest.mark.parametrize(("fields", "path", "words"), BAD, ids=[f"{path}: {words}" for _, path, words in BAD])
async def test_what_it_has_no_use_for_is_refused(
    scheduler: Scheduler, fields: dict[str, Any], path: str, words: str
) -> None:
    failure = await refused(scheduler, **PREDICT | {"output_dataset": ANSWERS} | fields)
    assert list(failure.fields) == [f"job.spec.{path}"]
    assert words in failure.message


async def test_only_a_ready_model_is_asked(scheduler: Scheduler) -> None:
    scheduler.catalog.model_state = model_pb2.ModelVersion.STATE_REJECTED
    assert (await refused(scheduler, **PREDICT)).reason == "MODEL_VERSION_NOT_READY"


async def test_a_dataset_that_lacks_what_the_model_takes_is_refused_with_its_name(scheduler: Scheduler) -> None:
    age = model_pb2.TensorSpec(name="age", dtype="float32", shape=[-1])
    scheduler.catalog.model_signatures = [model_pb2.Signature(name="serving_default", inputs=[age])]
    failure = await refused(scheduler, **PREDICT)
    assert failure.reason == "DATASET_NOT_FOR_MODEL"
    assert failure.message == "digits@1 has nothing for 'age' (float32 [any]), which m@3 takes; it has image, label"
    assert (list(failure.fields), failure.facts["feature"]) == (["job.spec.dataset_version"], "age")


async def test_a_split_or_signature_that_is_not_there_is_refused(scheduler: Scheduler) -> None:
    image = model_pb2.TensorSpec(name="image", dtype="uint8", shape=[-1, 28, 28, 1])
    scheduler.catalog.model_signatures = [model_pb2.Signature(name="serving_default", inputs=[image])]
    failure = await refused(scheduler, **PREDICT, parameters={"split": "validation"})
    assert failure.message == "digits@1 has no split validation; it has train, test"
    failure = await refused(scheduler, **PREDICT, parameters={"signature": "other"})
    assert failure.message == "the model has no signature 'other'; it has serving_default"
    assert (await scheduler.submit(**PREDICT, parameters={"split": "test"})).spec.model_version == MODEL_VERSION
