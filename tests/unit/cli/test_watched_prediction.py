from modelyard.api.scheduler.v1 import job_pb2
from modelyard.cli.watch import _asked, _stage
from modelyard.sdk.jobs import State


def job(**progress: float) -> job_pb2.Job:
    spec = job_pb2.JobSpec(model_version="projects/p/models/m/versions/1", output_dataset="projects/p/datasets/e")
    shown = job_pb2.Progress(stage="predicting", **progress)  # type: ignore[arg-type]
    return job_pb2.Job(state=State.STATE_RUNNING, spec=spec, progress=shown)


def test_a_prediction_says_how_fast_it_is_and_when_it_will_be_done() -> None:
    now = job(step=2000, total_steps=10_000, examples_per_second=400.0)
    assert _asked(now) == ("2", "predicted 2,000 of 10,000 examples  400/s, 20s left")
    assert _stage(now) == "predicting"


def test_one_that_has_no_speed_yet_promises_nothing() -> None:
    assert _asked(job(step=5, total_steps=10))[1] == "predicted 5 of 10 examples"
