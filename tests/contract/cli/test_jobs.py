"""The commands about jobs, against a server that answers from dictionaries; each as a script or a person calls it."""

import json
from collections.abc import AsyncIterator
from pathlib import Path

import grpc
import pytest

from modelyard.api.catalog.v1 import (
    dataset_service_pb2_grpc,
    execution_pb2,
    lineage_service_pb2_grpc,
    model_pb2,
    model_service_pb2_grpc,
)
from modelyard.api.scheduler.v1 import job_pb2, job_service_pb2_grpc
from modelyard.sdk.errors import FailedPrecondition, InvalidArgument
from tests.contract.cli.scheduled import PROJECT, TRACEBACK, Installation, failed, known, make_folder, typed

State = job_pb2.Job.State
Class = job_pb2.Job.FailureClass


@pytest.fixture
async def there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Installation]:
    monkeypatch.chdir(tmp_path)
    installation, server = Installation(), grpc.aio.server()  # type: ignore[abstract]
    job_service_pb2_grpc.add_JobServiceServicer_to_server(installation, server)
    lineage_service_pb2_grpc.add_LineageServiceServicer_to_server(installation, server)
    model_service_pb2_grpc.add_ModelServiceServicer_to_server(installation, server)
    dataset_service_pb2_grpc.add_DatasetServiceServicer_to_server(installation, server)
    monkeypatch.setenv("MODELYARD_SERVER", f"unix:{tmp_path}/all.sock")
    monkeypatch.setenv("MODELYARD_TOKEN", "any")
    server.add_insecure_port(f"unix:{tmp_path}/all.sock")
    await server.start()
    yield installation
    await server.stop(0)


async def test_a_package_that_was_pushed_before_is_run_again(there: Installation) -> None:
    done = await typed("train", "mine@2", "--dataset", "d", "--entry", "train:main", "--set", "lr=0.01")
    assert done.exit_code == 0, done.output
    spec = there.asked[0].job.spec
    assert (spec.template, spec.package_version) == ("", f"{PROJECT}/packages/mine/versions/2")
    assert (spec.entry, spec.parameters["lr"]) == ("train:main", 0.01)


async def test_a_folder_named_like_no_template_gets_the_hint_how_to_say_it(there: Installation) -> None:
    make_folder("mine")
    done = await typed("train", "mine", "--dataset", "d")
    assert isinstance(done.exception, InvalidArgument)
    assert "a folder of that name here; to train what is in it: ./mine" in str(done.exception)


async def test_an_entry_for_a_template_points_to_the_code_that_was_meant(there: Installation) -> None:
    nowhere = await typed("train", "mine", "--dataset", "d", "--entry", "train:main")
    make_folder("mine")
    folder = await typed("train", "mine", "--dataset", "d", "--entry", "train:main")
    assert nowhere.exit_code == folder.exit_code == 2
    assert "./mine, mine.py or mine@1" in " ".join(nowhere.output.split())
    assert "the folder of that name here: ./mine" in " ".join(folder.output.split())
    assert not there.asked


async def test_a_template_named_like_a_folder_is_the_template_and_says_so(there: Installation) -> None:
    make_folder("image-classification")
    done = await typed("train", "image-classification", "--dataset", "d")
    assert there.asked[0].job.spec.template == "image-classification"
    assert "the folder of that name here would be ./image-classification" in done.stderr


async def test_a_watched_job_prints_what_its_code_reports(there: Installation) -> None:
    progress = {"stage": "training", "step": 5, "total_steps": 10, "epoch": 1, "epochs": 2}
    there.ends = [
        job_pb2.Job(state=State.STATE_PREPARING, progress=job_pb2.Progress(stage="installing")),
        job_pb2.Job(
            state=State.STATE_RUNNING,
            progress=job_pb2.Progress(**progress, metrics={"loss": 0.5}, texts={"note": "warm"}),  # type: ignore[arg-type]
        ),
        job_pb2.Job(state=State.STATE_SUCCEEDED, model_version=f"{PROJECT}/models/m/versions/3"),
    ]
    done = await typed("train", "mine@1", "--dataset", "d", "--job", "first", "--watch")
    assert done.exit_code == 0, done.output
    lines = done.output.splitlines()
    assert lines[:3] == ["first installing", "first note: warm", "first epoch 1/2  loss 0.5000"]
    assert "modelyard deploy NAME --model m@3" in done.output


async def test_a_failed_job_says_why_what_to_try_and_which_lines_led_there(there: Installation) -> None:
    there.ends = [failed(Class.FAILURE_CLASS_USER_CODE, "the labels are of shape [2]", TRACEBACK)]
    done = await typed("train", "mine@1", "--dataset", "d", "--job", "first", "--watch")
    assert done.exit_code == 1
    for part in ("the labels are of shape [2]", "--local runs it here", TRACEBACK, "Epoch 1\nsomething odd"):
        assert part in done.output, done.output
    again = await typed("jobs", "show", "first")
    assert TRACEBACK in again.output
    assert "something odd" in again.output


async def test_every_way_to_fail_has_something_to_try(there: Installation) -> None:
    for kind in Class.values():
        if kind == Class.FAILURE_CLASS_UNSPECIFIED:
            continue
        known(there, dataset_version=f"{PROJECT}/datasets/d/versions/1").MergeFrom(failed(kind, "so it is"))
        done = await typed("jobs", "show", "first")
        assert "try" in done.output.split(), Class.Name(kind)
        assert "{" not in done.output


async def test_show_says_which_code_ran_and_what_it_said(there: Installation) -> None:
    job = known(
        there,
        package_version=f"{PROJECT}/packages/mine/versions/2",
        package_digest="sha256:abcdef0123456789",
        entry="train:main",
        dataset_version=f"{PROJECT}/datasets/d/versions/1",
    )
    job.progress.texts["note"] = "half way"
    job.progress.images["mistakes"] = "images/mistakes/1.png"
    lines = [line.split() for line in (await typed("jobs", "show", "first")).output.splitlines()]
    assert ["code", "mine@2", "sha256:abcdef012345"] in lines
    assert ["entry", "train:main"] in lines
    assert ["note", "half", "way"] in lines
    assert ["images", "mistakes", "(images/mistakes/1.png)"] in lines
    listed = (await typed("jobs", "list")).output
    assert "mine@2" in listed


async def test_a_templates_job_has_no_code_to_give_back(there: Installation) -> None:
    known(there, template="image-classification")
    done = await typed("jobs", "code", "first")
    assert isinstance(done.exception, FailedPrecondition)
    assert done.exception.reason == "JOB_WITHOUT_PACKAGE"


async def test_outputs_are_listed_with_how_to_fetch_them(there: Installation) -> None:
    known(there)
    assert "nothing beside its model" in (await typed("jobs", "outputs", "first")).output
    there.outputs = [execution_pb2.Output(name=f"{PROJECT}/jobs/first/outputs/run", file_count=3, size_bytes=2000)]
    done = await typed("jobs", "outputs", "first")
    assert ["run", "3", "2.0", "kB", "0", "–"] in [line.split() for line in done.output.splitlines()]
    assert "modelyard jobs outputs first FOLDER" in done.output
    assert json.loads((await typed("jobs", "outputs", "first", "-o", "json")).output)[0]["file_count"] == "3"


async def test_an_evaluation_names_model_dataset_and_split(there: Installation) -> None:
    done = await typed("evaluate", "digits@2", "--dataset", "d", "--split", "test", "--show-grpc")
    spec = there.asked[0].job.spec
    assert (spec.template, spec.model_version) == ("evaluate", f"{PROJECT}/models/digits/versions/2")
    assert spec.parameters["split"] == "test"
    assert "JobService/CreateJob" in done.stderr


async def test_a_watched_evaluation_judges_examples_and_has_no_epochs(there: Installation) -> None:
    progress = {"stage": "training", "step": 5, "total_steps": 10, "epoch": 1, "epochs": 1}
    there.ends = [
        job_pb2.Job(state=State.STATE_RUNNING, progress=job_pb2.Progress(stage="training")),
        job_pb2.Job(state=State.STATE_RUNNING, progress=job_pb2.Progress(**progress)),  # type: ignore[arg-type]
        job_pb2.Job(state=State.STATE_SUCCEEDED),
    ]
    done = await typed("evaluate", "digits@2", "--dataset", "d", "--job", "first", "--watch")
    assert done.output.splitlines()[:2] == ["first judging", "first judged 5 of 10 examples"]


async def test_code_that_exports_nothing_is_told_to_change_the_code(there: Installation) -> None:
    own = '  File "/x/modelyard/job/lifetime.py", line 32, in live\n    context.require_result()\nExportInvalid: none'
    known(there, package_version=f"{PROJECT}/packages/mine/versions/2").MergeFrom(
        failed(Class.FAILURE_CLASS_EXPORT_INVALID, "the code ended without context.export(model)", own)
    )
    shown = (await typed("jobs", "show", "first")).output
    assert "change the code and train again" in shown
    assert "lifetime.py" not in shown


async def test_a_model_that_cannot_be_evaluated_is_looked_at(there: Installation) -> None:
    known(there, model_version=f"{PROJECT}/models/m/versions/1").MergeFrom(
        failed(Class.FAILURE_CLASS_INVALID_DATA, "'serving_default' takes 2 inputs")
    )
    assert "modelyard models show m@1" in (await typed("jobs", "show", "first")).output


async def test_cancel_says_what_became_of_the_job(there: Installation) -> None:
    known(there)
    assert (await typed("jobs", "cancel", "first")).output == "first is cancelling\n"


async def test_ctrl_c_ends_the_following_and_says_that_the_job_goes_on(
    there: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    known(there)
    monkeypatch.setattr("modelyard.cli.watch._watched", interrupted)
    done = await typed("jobs", "watch", "first")
    assert done.exit_code == 130
    assert "first goes on" in done.stderr
    assert "modelyard jobs cancel first" in done.stderr


async def test_compare_takes_recorded_evaluations_and_makes_none(there: Installation) -> None:
    for number, accuracy in ((1, 0.75), (2, 0.875)):
        there.evaluations.append(
            model_pb2.Evaluation(
                name=f"{PROJECT}/models/m/versions/{number}/evaluations/e",
                dataset_version=f"{PROJECT}/datasets/d/versions/1",
                split="test",
                example_count=100,
                metrics={"accuracy": accuracy},
            )
        )
    done = await typed("models", "compare", "m@1", "m@2", "--dataset", "d", "-o", "json")
    assert done.exit_code == 0, done.output
    assert json.loads(done.output)["metrics"][0]["difference"] == 0.125
    assert not there.asked


async def test_compare_makes_what_is_missing_and_says_why_it_could_not(there: Installation) -> None:
    there.ends = [failed(Class.FAILURE_CLASS_INVALID_DATA, "the model answers 10 numbers, the dataset has 3 classes")]
    done = await typed("models", "compare", "m@1", "m@2", "--dataset", "d")
    assert done.exit_code == 1
    assert "m@1 has not been judged on test of d@1 yet" in done.output
    assert "the dataset has 3 classes" in done.output
    assert len(there.asked) == 1
