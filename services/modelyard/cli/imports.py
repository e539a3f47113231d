"""`models push`: what can be said before anything is sent, and whether there is anything to do."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from modelyard.api.catalog.v1 import dataset_pb2, model_pb2
from modelyard.api.scheduler.v1 import job_pb2
from modelyard.cli.output import console, print_json, to_json
from modelyard.sdk import Client
from modelyard.sdk.errors import InvalidArgument, NotFound
from modelyard.sdk.names import short
from modelyard.sdk.saved_model import Input, read_inputs

TEMPLATE = "import-model"
Feature = dataset_pb2.Feature
_FLOATS = ("float16", "bfloat16", "float32", "float64")
_SETTINGS = ("template", "source_version", "dataset_version", "model", "parameters")


def check_import(client: Client, package: str, dataset: str, model: str, parameters: Mapping[str, Any]) -> None:
    """Raise what the server has against this import, whatever the files are."""
    try:
        client.jobs.create(TEMPLATE, dataset, source=package, model=model, parameters=parameters, validate_only=True)
    except NotFound as error:
        if not error.field.endswith("source_version"):  # which is yet to be pushed
            raise


def imported_before(client: Client, wanted: job_pb2.Job) -> job_pb2.Job | None:
    """The job that made the model's latest version, if it was this very import: same files, same settings."""
    try:
        latest = client.models.version(wanted.spec.model)
        job = client.jobs.get(latest.creator.partition("/attempts/")[0])
    except NotFound:
        return None
    same = all(getattr(job.spec, name) == getattr(wanted.spec, name) for name in _SETTINGS)
    ready = latest.state == model_pb2.ModelVersion.STATE_READY and job.model_version == latest.name
    return job if same and ready else None


def show_imported_before(job: job_pb2.Job, *, as_json: bool) -> None:
    """Which version it is; for scripts the job that made it, as if it had just ended."""
    if as_json:
        print_json(to_json(job))
    else:
        console().print(f"unchanged: {short(job.model_version)} has these files")


def check_fit(path: Path, spec: dataset_pb2.InputSpec, wanted: str) -> None:
    """Refuse a dataset whose images certainly fit no input of a SavedModel; `wanted` is the input that was named.

    The rule is that of the import itself, which also judges what can't be told here.
    """
    images = [feature for feature in spec.features if feature.name == "image" or feature.kind == Feature.KIND_IMAGE]
    signatures = read_inputs(path) if path.is_dir() else None
    if not images or not signatures or len(images[0].shape) != 3:
        return
    shape = images[0].shape
    inputs = [each for its in signatures.values() for each in its if not wanted or each.name == wanted]
    if any(_fits(each, shape) for each in inputs):
        return
    takes = "; ".join(f"{name} takes {', '.join(map(str, its)) or 'nothing'}" for name, its in signatures.items())
    fit = f"do not fit the input {wanted!r}" if wanted else "fit no input"
    raise InvalidArgument(
        f"the images of {short(spec.dataset_version)} ({_in_words(shape)}) {fit} of the model ({takes}); "
        "leave --dataset out, or give one whose images fit",
        reason="DATASET_FITS_NO_INPUT",
    )


def _fits(taken: Input, image: Sequence[int]) -> bool:
    """Whether images of this shape, -1 where they differ, can be brought into the input's form."""
    if taken.dtype == "string":
        return taken.shape in (None, (-1,))
    if taken.dtype != "uint8" and taken.dtype not in _FLOATS:
        return False
    if taken.shape is None or len(taken.shape) != 4 or taken.shape[3] not in (-1, 1, 3, 4):
        return False
    rows, height, width, channels = taken.shape
    has = (height, width) if height == width and height > 0 else (image[0], image[1])
    fits = all(want in (-1, have) for want, have in zip((height, width), has, strict=True))
    return fits and min(has) > 0 and rows in (-1, 1) and channels in (-1, image[2] if image[2] > 0 else 3)


def _in_words(shape: Sequence[int]) -> str:
    sizes = f"{shape[0]} × {shape[1]}" if min(shape[:2]) > 0 else "of different sizes"
    return f"{sizes}, {shape[2] if shape[2] > 0 else 3} channels" if shape[2] != 1 else f"{sizes}, 1 channel"
