import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelyard.job.messages import (
    Checkpoint,
    Checkpointed,
    Evaluated,
    Exported,
    Failed,
    FailureClass,
    Hello,
    Image,
    JobSpec,
    Metric,
    Prepared,
    Progress,
    Stop,
    Stopped,
    Text,
)
from modelyard.job.wire import ProtocolError, decode_child, decode_worker, encode

CHILD = [
    Hello("2.21.0", "3.15.1", ("cpu",)),
    Prepared(1875, 18750, 32),
    Progress(3, 18750, 1, 10, 4211.5, {"loss": 0.5}),
    Metric(3, "val_loss", 0.25),
    Text(3, "note", "two\nlines"),
    Image(3, "filters", "images/filters/3.png"),
    Checkpoint(3, "checkpoints/3"),
    Evaluated({"accuracy": 0.5}, "test", 100),
    Exported("model", {"accuracy": 1.0}),
    Stopped(3),
    Failed(FailureClass.DIVERGED, "the loss became nan", "train.py:3"),
]


@pytest.mark.parametrize("message", CHILD, ids=lambda message: message.kind)
def test_what_the_child_says_arrives_as_it_was_said(message: Progress) -> None:
    line = encode(message)
    assert line.endswith(b"\n")
    assert line.count(b"\n") == 1
    assert decode_child(line) == message


@pytest.mark.parametrize("message", [Stop(), Checkpointed(7)], ids=lambda message: message.kind)
def test_what_the_worker_says_arrives_as_it_was_said(message: Stop) -> None:
    assert decode_worker(encode(message)) == message


def test_a_loss_that_is_no_number_can_be_said() -> None:
    message = decode_child(encode(Metric(1, "loss", math.nan)))
    assert isinstance(message, Metric)
    assert math.isnan(message.value)


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"{}",
        b"[]",
        b"1",
        b'{"stop":{}}',
        b'{"stopped":{}}',
        b'{"stopped":{"step":-1}}',
        b'{"stopped":{"step":true}}',
        b'{"stopped":{"step":1,"more":2}}',
        b'{"stopped":{"step":1},"hello":{}}',
        b'{"metric":{"step":1,"name":"a","value":"1"}}',
        b'{"failed":{"failure_class":"BORED","message":""}}',
        b'{"stopped":' + b"[" * 5000,
        b'{"metric":{"step":1,"name":"' + b"a" * 300_000 + b'","value":1}}',
    ],
)
def test_what_is_no_message_is_a_protocol_error(line: bytes) -> None:
    with pytest.raises(ProtocolError):
        decode_child(line)


@given(st.binary(max_size=200))
def test_no_bytes_break_the_reader(line: bytes) -> None:
    with pytest.raises(ProtocolError):
        decode_child(line)


def test_a_job_survives_its_file() -> None:
    spec = JobSpec(
        job="projects/p/jobs/j",
        attempt=2,
        code="/templates/image-classification",
        entry="train:main",
        fd=7,
        parameters={"epochs": 3, "learning_rate": 0.001},
        devices=("gpu:0", "gpu:1"),
        resume="resume",
        resume_step=10,
        kind="evaluation",
        model_version="projects/p/models/m/versions/1",
        dataset_version="projects/p/datasets/d/versions/1",
        earlier_versions=("projects/p/datasets/d/versions/1",),
        site_packages=("/cache/requirements/1",),
    )
    assert JobSpec.from_json(spec.to_json()) == spec


def test_a_job_file_of_another_version_is_refused_by_its_key() -> None:
    with pytest.raises(ValueError, match="wings"):
        JobSpec.from_json('{"job": "j", "attempt": 1, "code": "c", "entry": "e", "fd": 1, "wings": 2}')
