"""Jobs of packages, imports and evaluations: what they need, what is refused, what comes out."""

from typing import Any

import grpc
import pytest

from modelyard.api.catalog.v1 import model_pb2
from modelyard.api.scheduler.v1 import job_pb2, job_service_pb2, template_pb2
from modelyard.foundation.rpc.status import Failure, failure_of
from tests.support.dataset_catalog import MODEL_VERSION, PACKAGE, PROJECT, VERSION
from tests.support.scheduling import Scheduler

State = job_pb2.Job.State
MINE = f"{PACKAGE}/versions/1"
FILES = f"{PROJECT}/packages/files"
LATEST = {"template": "", "package_version": f"{PACKAGE}/versions/latest"}
EVALUATE = {"template": "evaluate", "model_version": MODEL_VERSION}
IMPORT = {"template": "import-model", "dataset_version": "", "source_version": f"{FILES}/versions/latest"}
TYPED = """
entry = "train:main"
[parameters.lr]
type = "float"
default = 0.1
max = 1.0
"""


async def refused(scheduler: Scheduler, **fields: Any) -> Failure:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await scheduler.submit(**fields)
    assert not (await scheduler.jobs.ListJobs(job_service_pb2.ListJobsRequest(parent=PROJECT))).jobs
    assert not scheduler.catalog.executions
    return failure_of(caught.value)


async def test_a_package_job_is_stored_resolved_and_is_given_to_a_worker_as_it_is(scheduler: Scheduler) -> None:
    scheduler.catalog.add_package()
    job = await scheduler.submit(**LATEST, parameters={"lr": 0.01, "name": "x", "deep": True})
    assert (job.spec.package_version, job.spec.package_digest, job.spec.entry) == (MINE, "sha256:2", "train")
    assert (job.spec.template, job.spec.dataset_digest) == ("", "sha256:1")
    assert job.spec.model == f"{PROJECT}/models/digits-mine"
    assert dict(job.spec.parameters) == {"lr": 0.01, "name": "x", "deep": True}
    assert [ref.name for ref in scheduler.catalog.executions[job.name].inputs] == [VERSION, MINE]
    async with scheduler.worker() as worker:
        assignment = await worker.take()
        assert assignment.spec == job.spec
        await worker.complete(assignment.attempt, model_version=f"{job.spec.model}/versions/1")
    assert (await scheduler.job(job.name)).state == State.STATE_SUCCEEDED


async def test_an_import_makes_a_version_of_the_model_that_is_called_like_its_files(scheduler: Scheduler) -> None:
    scheduler.catalog.add_package(FILES, number=4)
    job = await scheduler.submit(**IMPORT)
    assert (job.spec.source_version, job.spec.source_digest) == (f"{FILES}/versions/4", "sha256:2")
    assert (job.spec.model, job.spec.dataset_version) == (f"{PROJECT}/models/files", "")
    assert [ref.name for ref in scheduler.catalog.executions[job.name].inputs] == [f"{FILES}/versions/4"]
    with_examples = await scheduler.submit(**{**IMPORT, "dataset_version": VERSION}, model=f"{PROJECT}/models/theirs")
    assert (with_examples.spec.dataset_digest, with_examples.spec.model) == ("sha256:1", f"{PROJECT}/models/theirs")


async def test_an_evaluation_ends_with_what_it_recorded_and_with_no_model(scheduler: Scheduler) -> None:
    job = await scheduler.submit(**EVALUATE | {"model_version": f"{PROJECT}/models/m/versions/latest"})
    assert (job.spec.model_version, job.spec.model_digest, job.spec.model) == (MODEL_VERSION, "sha256:3", "")
    evaluation = f"{MODEL_VERSION}/evaluations/{job.name.rpartition('/')[2]}"
    async with scheduler.worker() as worker:
        attempt = (await worker.take()).attempt
        wrong: list[dict[str, Any]] = [
            {"model_version": f"{PROJECT}/models/m/versions/4", "evaluation": evaluation},
            {"evaluation": f"{evaluation}x"},
            {"evaluation": ""},
        ]
        for fields in wrong:
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await worker.complete(attempt, **fields)
            assert list(failure_of(caught.value).fields) == list(fields)[:1]
        await worker.complete(attempt, evaluation=evaluation)
    ended = await scheduler.job(job.name)
    assert (ended.state, ended.evaluation, ended.model_version) == (State.STATE_SUCCEEDED, evaluation, "")


async def test_a_training_job_has_no_evaluation(scheduler: Scheduler) -> None:
    await scheduler.submit()
    async with scheduler.worker() as worker:
        attempt = (await worker.take()).attempt
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await worker.complete(attempt, evaluation=f"{MODEL_VERSION}/evaluations/j")
        assert list(failure_of(caught.value).fields) == ["evaluation"]


BAD = [
    (LATEST | {"template": "evaluate"}, "package_version", "are both set"),
    (LATEST | {"dataset_version": ""}, "dataset_version", "mine needs the data to train on"),
    (LATEST | {"package_version": f"{PROJECT}/packages/none/versions/1"}, "package_version", "does not exist"),
    (LATEST | {"package_version": f"{PACKAGE}/versions/9"}, "package_version", "does not exist"),
    (LATEST | {"package_version": PACKAGE}, "package_version", "must look like projects/{project}/packages/{package}/"),
    (LATEST | {"package_version": "projects/q/packages/k/versions/1"}, "package_version", "must be in projects/p"),
    (LATEST | {"entry": "trian:main"}, "entry", "did you mean 'train'?"),
    (LATEST | {"entry": "zzz:main"}, "entry", "there is train"),
    (LATEST | {"entry": "train.py"}, "entry", "did you mean 'train'?"),
    (LATEST | {"entry": "train.py:main"}, "entry", "did you mean 'train:main'?"),
    (LATEST | {"entry": "./train.py"}, "entry", "did you mean 'train'?"),
    (LATEST | {"entry": "train.deep:main"}, "entry", "of a module at the package's root"),
    (LATEST | {"entry": "train:"}, "entry", "must be module:function"),
    (LATEST | {"entry": "train:main()"}, "entry", "must be module:function"),
    (LATEST | {"parameters": {"a b": 1}}, "parameters", "a name is 1 to 64 letters"),
    (LATEST | {"parameters": {"x": float("nan")}}, "parameters.x", "must be a finite number"),
    (LATEST | {"parameters": {"x": float("inf")}}, "parameters.x", "must be a finite number"),
    (LATEST | {"parameters": {"x": "é" * 2049}}, "parameters.x", "text of at most 4096 bytes"),
    (LATEST | {"parameters": {"x": "a\0b"}}, "parameters.x", "without NUL"),
    (LATEST | {"parameters": {"x": [1]}}, "parameters.x", "must be a number, text, true or false"),
    (LATEST | {"parameters": {f"x{n}": 0 for n in range(257)}}, "parameters", "there are 257 parameters"),
    (LATEST | {"parameters": {f"x{n}": "y" * 4000 for n in range(17)}}, "parameters", "65536 are allowed"),
    (LATEST | {"model_version": MODEL_VERSION}, "model_version", "mine is of kind training"),
    (LATEST | {"source_version": MINE}, "source_version", "mine is of kind training"),
    ({"entry": "train"}, "entry", "is for packages"),
    ({"template": "evaluat"}, "template", "did you mean 'evaluate'?"),
    ({"dataset_version": ""}, "dataset_version", "image-classification needs the data to train on"),
    ({"model_version": MODEL_VERSION}, "model_version", "is for jobs of kind evaluation"),
    (EVALUATE | {"model_version": ""}, "model_version", "evaluate needs the model to judge"),
    (EVALUATE | {"dataset_version": ""}, "dataset_version", "evaluate needs the data to judge it on"),
    (EVALUATE | {"model": f"{PROJECT}/models/m"}, "model", "evaluate makes none"),
    (
        EVALUATE | {"parameters": {"split": "validation"}},
        "parameters.split",
        "has no split validation; it has train, test",
    ),
    (EVALUATE | {"model_version": f"{PROJECT}/models/m/versions/8"}, "model_version", "does not exist"),
    (EVALUATE | {"model_version": "m@1"}, "model_version", "must look like"),
    (IMPORT | {"source_version": ""}, "source_version", "import-model needs a package with the model's files"),
    (IMPORT | {"source_version": f"{PROJECT}/packages/none/versions/1"}, "source_version", "does not exist"),
]


@pytest.mark.parametrize(("fields", "path", "words"), BAD, ids=[f"{path}: {words}" for _, path, words in BAD])
async def test_what_cannot_be_run_is_refused_before_anything_is_stored(
    scheduler: Scheduler, fields: dict[str, Any], path: str, words: str
) -> None:
    scheduler.catalog.add_package()
    scheduler.catalog.add_package(FILES)
    failure = await refused(scheduler, **fields)
    assert list(failure.fields) == [f"job.spec.{path}"]
    assert words in failure.message


@pytest.mark.parametrize("state", ["VALIDATING", "REJECTED", "ARCHIVED"])
async def test_only_a_ready_model_is_evaluated(scheduler: Scheduler, state: str) -> None:
    scheduler.catalog.model_state = model_pb2.ModelVersion.State.Value(f"STATE_{state}")
    failure = await refused(scheduler, **EVALUATE)
    assert (failure.reason, list(failure.fields)) == ("MODEL_VERSION_NOT_READY", ["job.spec.model_version"])
    assert state.lower() in failure.message


async def test_the_entry_is_what_the_packages_own_template_says(scheduler: Scheduler) -> None:
    scheduler.catalog.add_package(PACKAGE, "other", "train", toml=TYPED)
    job = await scheduler.submit(**LATEST)
    assert (job.spec.entry, dict(job.spec.parameters)) == ("train:main", {"lr": 0.1})
    other = await scheduler.submit(**LATEST, entry="other", parameters={"lr": "1e-3"})
    assert (other.spec.entry, dict(other.spec.parameters)) == ("other", {"lr": 0.001})


async def test_a_package_of_several_modules_needs_an_entry(scheduler: Scheduler) -> None:
    scheduler.catalog.add_package(PACKAGE, "model", "train")
    failure = await refused(scheduler, **LATEST)
    assert list(failure.fields) == ["job.spec.entry"]
    assert "several modules: model, train" in failure.message


async def test_a_package_without_a_module_is_refused(scheduler: Scheduler) -> None:
    scheduler.catalog.add_package()
    del scheduler.catalog.packages[PACKAGE].modules[:]
    failure = await refused(scheduler, **LATEST)
    assert list(failure.fields) == ["job.spec.package_version"]
    assert "no Python module at its root" in failure.message


@pytest.mark.parametrize(
    ("toml", "fields", "path", "words"),
    [
        (TYPED, {"parameters": {"lr": 2}}, "parameters.lr", "parameter lr is 2.0; it must be at most 1"),
        (TYPED, {"parameters": {"lrr": 2}}, "parameters.lrr", "mine has no parameter 'lrr'; did you mean 'lr'?"),
        (TYPED.replace("max", "maximum"), {}, "package_version", "parameters.lr has the unknown key 'maximum'"),
        ("entri = 'train'", {}, "package_version", "the unknown key 'entri'; did you mean 'entry'?"),
        ("entry = 'gone:main'", {}, "entry", "entry in its template.toml is 'gone:main'"),
        ("entry =", {}, "package_version", "mine: template.toml is not TOML"),
        ("kind = 'import'", {}, "package_version", "a package of one's own is of kind 'training'"),
        ("[dataset]\nmodality = 'text'", {}, "dataset_version", "digits@1 is of images; mine takes texts"),
        ("[dataset]\nsplits = ['validation']", {}, "dataset_version", "has no split validation, which mine needs"),
    ],
)
async def test_what_a_packages_template_forbids_is_refused(
    scheduler: Scheduler, toml: str, fields: dict[str, Any], path: str, words: str
) -> None:
    scheduler.catalog.add_package(PACKAGE, "train", toml=toml)
    failure = await refused(scheduler, **LATEST, **fields)
    assert list(failure.fields) == [f"job.spec.{path}"]
    assert words in failure.message


async def test_an_input_that_goes_away_while_the_job_is_created_is_named(scheduler: Scheduler) -> None:
    scheduler.catalog.add_package()
    for field, version in (("package_version", MINE), ("dataset_version", VERSION)):
        scheduler.catalog.gone = {version}
        failure = await refused(scheduler, **LATEST, job_id="again")
        assert (failure.code, list(failure.fields)) == (grpc.StatusCode.NOT_FOUND, [f"job.spec.{field}"])
        assert failure.message == f"{version} was deleted while the job was being created"
    scheduler.catalog.gone = set()
    assert (await scheduler.submit(**LATEST, job_id="again")).state == State.STATE_QUEUED


async def test_a_package_whose_models_name_would_be_too_long_asks_for_one(scheduler: Scheduler) -> None:
    name = f"{PROJECT}/packages/{'k' * 60}"
    scheduler.catalog.add_package(name)
    fields = {"template": "", "package_version": f"{name}/versions/1"}
    assert list((await refused(scheduler, **fields)).fields) == ["job.spec.model"]
    assert (await scheduler.submit(**fields, model=f"{PROJECT}/models/m")).spec.model == f"{PROJECT}/models/m"


async def test_templates_are_listed_with_their_kinds(scheduler: Scheduler) -> None:
    listed = (await scheduler.jobs.ListTemplates(job_service_pb2.ListTemplatesRequest())).templates
    kinds = {one.name: one.kind for one in listed}
    assert kinds["templates/evaluate"] == template_pb2.Template.KIND_EVALUATION
    assert kinds["templates/image-classification"] == template_pb2.Template.KIND_TRAINING
    assert kinds["templates/import-model"] == template_pb2.Template.KIND_IMPORT


async def test_one_template_says_all_of_itself(scheduler: Scheduler) -> None:
    name = "templates/image-classification"
    template = await scheduler.jobs.GetTemplate(job_service_pb2.GetTemplateRequest(name=name))
    listed = (await scheduler.jobs.ListTemplates(job_service_pb2.ListTemplatesRequest())).templates
    assert template in listed
    assert (template.title, template.task, template.metric) == (
        "Image classification",
        "image-classification",
        "val_accuracy",
    )
    assert (template.maximize, template.data.required, list(template.data.modalities)) == (True, True, ["image"])
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await scheduler.jobs.GetTemplate(job_service_pb2.GetTemplateRequest(name="templates/image-clasification"))
    assert failure_of(caught.value).facts["did_you_mean"] == "image-classification"
