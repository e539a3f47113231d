"""The demo's last words: what came of it, and what to try next."""

import shutil
import sys
from pathlib import Path

from modelyard.api.catalog.v1 import dataset_pb2
from modelyard.api.inference.v1 import deployment_pb2
from modelyard.api.scheduler.v1 import job_pb2
from modelyard.cli.output import metrics_text, show_facts
from modelyard.local.demo import DEPLOYMENT, TEMPLATE
from modelyard.local.demo.phases import Phases
from modelyard.local.demo.predictions import BATCH, IN_FLIGHT, SINGLES, Answers
from modelyard.local.demo.samples import MINE
from modelyard.sdk.discovery import DATA_FOLDER
from modelyard.sdk.names import short


def show_table(
    spec: dataset_pb2.InputSpec,
    job: job_pb2.Job,
    deployment: deployment_pb2.Deployment,
    answers: Answers,
    phases: Phases,
) -> None:
    """What came of it, a line each."""
    splits = ", ".join(f"{split.example_count:,} {split.name}" for split in spec.splits)
    total = sum(phases.seconds.values())
    times = ", ".join(f"{title} {seconds:.0f} s" for title, seconds in phases.seconds.items())
    print()
    show_facts(
        [
            ("data", f"{short(spec.dataset_version)}: {splits}"),
            ("model", f"{short(job.model_version)}: {metrics_text(_shown(job))}"),
            ("deployment", f"{deployment.serving_name} serves {short(deployment.serving_version)}"),
            (
                "right answers",
                f"{answers.right:,}/{answers.images:,} ({answers.accuracy:.2%}), asked through the proxy",
            ),
            (
                "latency",
                f"p50 {answers.p50_s * 1000:.1f} ms, p99 {answers.p99_s * 1000:.1f} ms ({SINGLES:,} × one image)",
            ),
            ("throughput", f"{answers.images_per_s:,.0f} images/s ({BATCH} a request, {IN_FLIGHT} in flight)"),
            ("time", f"{total:.0f} s: {times}"),
        ]
    )


def _shown(job: job_pb2.Job) -> list[tuple[str, float]]:
    return [(name, value) for name, value in job.progress.metrics.items() if name.startswith("val_")]


def show_next(address: str, samples: Path) -> None:
    """Lines to paste: all of them work as they are."""
    print()
    for line in next_lines(address, samples):
        print(line)


def next_lines(address: str, samples: Path) -> list[str]:
    """Comments and commands, for the folder in which `make demo` was run; `samples` as `write_samples` answers it."""
    modelyard, python = _program("modelyard"), _program("python")
    image = samples / "digit.png"
    bearer = f'-H "authorization: Bearer $({modelyard} token print)"'
    encoded = f"'\"$(base64 -w0 {image})\"'"
    rest = f'{{"signature_name":"encoded","instances":[{{"b64":"{encoded}"}}]}}'
    tensor = f'{{"dtype":"DT_STRING","tensor_shape":{{"dim":[{{"size":1}}]}},"string_val":["{encoded}"]}}'
    grpc = f'{{"model_spec":{{"name":"{DEPLOYMENT}","signature_name":"encoded"}},"inputs":{{"image_bytes":{tensor}}}}}'
    return [
        "Try next; put your own folder of images, a folder a class, in place of the one named here:",
        f"  {modelyard} predict {DEPLOYMENT} --image {image}",
        f"  {modelyard} datasets push {MINE} {samples / MINE}",
        f"  {modelyard} train {TEMPLATE} --dataset {MINE} --set epochs=20 --watch",
        f"  {modelyard} deploy {MINE} --model {MINE}-{TEMPLATE}",
        f"  {modelyard} predict {MINE} --image {image}",
        "The same from any language; gRPC and REST as TensorFlow Serving has them:",
        f"  grpcurl -plaintext {bearer} -d '{grpc}' {address} tensorflow.serving.PredictionService/Predict",
        f"  curl -s {bearer} -d '{rest}' http://{address}/v1/models/{DEPLOYMENT}:predict",
        f"  {python} {samples / 'client.py'} {address} {DATA_FOLDER}/token {image}"
        "  # an unmodified tensorflow_serving.apis client",
        "The installation stays up; see it with the first line, stop it with the second:",
        f"  {modelyard} status",
        "  make demo-down",
    ]


def _program(name: str) -> str:
    """How it is called from here."""
    here = Path(sys.executable).with_name(name)
    found = shutil.which(name)
    if found is not None and Path(found) == here:
        return name
    return str(here.relative_to(Path.cwd()) if here.is_relative_to(Path.cwd()) else here)
