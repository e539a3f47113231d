"""Checks what a job shall run, before anything is stored: each refusal has the path of the field at fault."""

from collections.abc import Awaitable, Mapping
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import TypeVar

from modelyard.foundation.errors import InvalidArgument, ModelyardError
from modelyard.foundation.ids import ID_RULE, matches, parse, project_of
from modelyard.scheduler.domain.devices import ANY, BESIDE
from modelyard.scheduler.domain.errors import DatasetDoesNotFit, ModelVersionNotReady
from modelyard.scheduler.domain.records import JobSpec
from modelyard.scheduler.service.ports import Catalog, Dataset, Model
from modelyard.scheduler.service.programs import SPEC, Program, Programs, check_parameters
from modelyard.templates.fitting import DatasetNotForModel, SignatureUnknown, choose, fit
from modelyard.templates.needs import DatasetNotForTemplate
from modelyard.templates.specs import Kind, Template

T = TypeVar("T")

MAX_PRIORITY = 1000
MAX_ATTEMPTS = 100
MAX_DEVICES = 64
MAX_DURATION = timedelta(days=366)
MAX_LABELS = 64
MAX_LABEL_CHARACTERS = 256
_COLLECTIONS = {
    "dataset_version": "datasets",
    "package_version": "packages",
    "model_version": "models",
    "source_version": "packages",
}


class Submission:
    def __init__(self, catalog: Catalog, templates: Path) -> None:
        self._catalog = catalog
        self._programs = Programs(catalog, templates)

    def templates(self) -> tuple[Template, ...]:
        return self._programs.templates()

    def template(self, name: str) -> Template:
        """Raises TemplateUnknown, with the nearest name."""
        return self._programs.template(name)

    async def check(self, project: str, spec: JobSpec) -> JobSpec:
        """The spec as it will be stored: with every parameter, the model's name and all versions' numbers."""
        _check_numbers(spec)
        check_parameters(spec.parameters)
        for field, version in spec.inputs.items():
            _check_version_name(project, field, version)
        program = await self._programs.find(spec)
        _check_inputs(program, spec)
        spec = replace(
            spec,
            kind=program.kind,
            package_version=program.package_version,
            entry=program.entry,
            parameters=program.complete(spec.parameters),
            model=_model(project, program, spec) if program.kind.makes_model else "",
            output_dataset=_output_dataset(project, spec) if program.kind is Kind.PREDICTION else "",
            ask=BESIDE if program.kind.beside else spec.ask,
        )
        if program.kind is Kind.PROFILE:
            # Also of one that does not describe itself: then the job says so, where people look for its statistics.
            version = await _at("dataset_version", self._catalog.dataset_version(spec.dataset_version))
            spec = replace(spec, dataset_version=version)
        dataset: Dataset | None = None
        if spec.dataset_version and program.kind is not Kind.PROFILE:
            dataset = await self._fitting_dataset(program, spec.dataset_version)
            spec = replace(spec, dataset_version=dataset.version)
            if program.kind in (Kind.EVALUATION, Kind.PREDICTION):
                _check_split(dataset, spec.parameters)
        if spec.model_version:
            model = await self._ready_model(spec.model_version)
            spec = replace(spec, model_version=model.version)
            if program.kind is Kind.PREDICTION and dataset is not None:
                _check_answerable(model, dataset, spec.parameters)
        if spec.source_version:
            source = await _at("source_version", self._catalog.package(spec.source_version))
            spec = replace(spec, source_version=source.version)
        return spec

    async def _fitting_dataset(self, program: Program, version: str) -> Dataset:
        dataset: Dataset = await _at("dataset_version", self._catalog.dataset(version))
        if program.described is not None:
            try:
                program.described.check_dataset(dataset.data)
            except DatasetNotForTemplate as error:
                field = f"{SPEC}.dataset_version"
                raise DatasetDoesNotFit(
                    error.message, field=field, resource=dataset.version, template=program.name
                ) from None
        return dataset

    async def _ready_model(self, version: str) -> Model:
        model: Model = await _at("model_version", self._catalog.model(version))
        if model.state != "READY":
            raise ModelVersionNotReady(
                f"{model.version} is {model.state.lower()}; only a ready version can be asked",
                field=f"{SPEC}.model_version",
                resource=model.version,
                state=model.state,
            )
        return model


def _check_split(dataset: Dataset, parameters: Mapping[str, object]) -> None:
    split, data = parameters.get("split", "all"), dataset.data
    if split not in ("all", "held-out", *data.splits):
        raise InvalidArgument(
            f"{data.name} has no split {split}; it has {', '.join(data.splits)}", field=f"{SPEC}.parameters.split"
        )


def _check_answerable(model: Model, dataset: Dataset, parameters: Mapping[str, object]) -> None:
    """What the model takes must be there, as far as that is known."""
    data = dataset.data
    if not model.signatures:
        return
    _, _, _, name, _, number = model.version.split("/")
    try:
        signature = choose(model.signatures, data, str(parameters.get("signature", "")))
        fit(model.signatures[signature], data, model=f"{name}@{number}", kinds=model.kinds or None)
    except DatasetNotForModel as error:
        error.field, error.resource = f"{SPEC}.dataset_version", dataset.version
        raise
    except SignatureUnknown as error:
        error.field, error.resource = f"{SPEC}.parameters.signature", model.version
        raise


async def _at(field: str, call: Awaitable[T]) -> T:
    """What the catalog refuses is about this field."""
    try:
        return await call
    except ModelyardError as error:
        error.field = f"{SPEC}.{field}"
        raise


def check_labels(display_name: str, labels: dict[str, str]) -> None:
    if len(display_name) > MAX_LABEL_CHARACTERS:
        raise InvalidArgument(
            f"display_name has {len(display_name)} characters; {MAX_LABEL_CHARACTERS} are allowed",
            field="job.display_name",
        )
    if "\0" in display_name:
        raise InvalidArgument("display_name has a NUL character", field="job.display_name")
    if len(labels) > MAX_LABELS:
        raise InvalidArgument(f"labels has {len(labels)} entries; {MAX_LABELS} are allowed", field="job.labels")
    for key, value in labels.items():
        if not key or len(key) > MAX_LABEL_CHARACTERS or len(value) > MAX_LABEL_CHARACTERS or "\0" in key + value:
            raise InvalidArgument(
                f"a label has a key of 1 to {MAX_LABEL_CHARACTERS} characters and a value of at most as many, "
                "without NUL",
                field="job.labels",
            )


def _check_numbers(spec: JobSpec) -> None:
    _in_range("priority", spec.priority, -MAX_PRIORITY, MAX_PRIORITY)
    _in_range("max_attempts", spec.max_attempts, 1, MAX_ATTEMPTS)
    _in_range("devices.count", spec.ask.count, 1, MAX_DEVICES)
    for field, value in (("max_runtime", spec.max_runtime), ("max_queue_duration", spec.max_queue_duration)):
        if value is not None and not timedelta() < value <= MAX_DURATION:
            raise InvalidArgument(
                f"{SPEC}.{field} must be more than 0 s and at most {MAX_DURATION.days} days; leave it out for no limit",
                field=f"{SPEC}.{field}",
            )


def _in_range(field: str, value: int, least: int, most: int) -> None:
    if not least <= value <= most:
        path = f"{SPEC}.{field}"
        raise InvalidArgument(f"{path} must be between {least} and {most}; got {value}", field=path)


def _check_version_name(project: str, field: str, version: str) -> None:
    collection, path = _COLLECTIONS[field], f"{SPEC}.{field}"
    parent = f"projects/{{project}}/{collection}/{{{collection[:-1]}}}/versions"
    if not matches(f"{parent}/{{version:int}}", version) and not matches(f"{parent}/{{alias}}", version):
        kinds = "number or latest" if collection == "packages" else "number, alias or latest"
        raise InvalidArgument(f"{path} must look like {parent}/{{{kinds}}}; got {version[:120]!a}", field=path)
    if project_of(version) != project:
        raise InvalidArgument(f"{path} must be in projects/{project}, like the job; got {version}", field=path)


def _check_inputs(program: Program, spec: JobSpec) -> None:
    """What a job of this kind needs, and what it has no use for."""
    kind, name = program.kind, program.name
    needed = {
        Kind.TRAINING: {"dataset_version": "the data to train on"},
        Kind.EVALUATION: {"model_version": "the model to judge", "dataset_version": "the data to judge it on"},
        Kind.IMPORT: {"source_version": "a package with the model's files"},
        Kind.PROFILE: {"dataset_version": "the data to look at"},
        Kind.PREDICTION: {"model_version": "the model to ask", "dataset_version": "the data to ask it about"},
    }[kind]
    if program.described is not None and program.described.data.required:
        needed = {"dataset_version": "the data it works on"} | needed
    for field, what in needed.items():
        if not getattr(spec, field):
            raise InvalidArgument(f"{SPEC}.{field} is empty; {name} needs {what}", field=f"{SPEC}.{field}")
    refused = {
        "model_version": ((Kind.EVALUATION, Kind.PREDICTION), "takes no model version to work on"),
        "source_version": ((Kind.IMPORT,), "takes no files to import"),
        "output_dataset": ((Kind.PREDICTION,), "makes no dataset version"),
    }
    for field, (owners, what) in refused.items():
        if kind not in owners and getattr(spec, field):
            raise InvalidArgument(
                f"{SPEC}.{field} is for jobs of kind {' and '.join(owners)}; {name} is of kind {kind} and {what}",
                field=f"{SPEC}.{field}",
            )
    if kind.beside and spec.ask not in (ANY, BESIDE):
        raise InvalidArgument(
            f"{SPEC}.devices is set; {name} takes no device, it runs beside other jobs", field=f"{SPEC}.devices"
        )
    if spec.model and not kind.makes_model:
        raise InvalidArgument(
            f"{SPEC}.model names the model that gets a new version; {name} makes none"
            + (f" (did you mean {SPEC}.model_version?)" if "model_version" in needed else ""),
            field=f"{SPEC}.model",
        )


def _output_dataset(project: str, spec: JobSpec) -> str:
    """The name of the dataset that gets the new version."""
    field, source = f"{SPEC}.output_dataset", spec.dataset_version.partition("/versions/")[0]
    name = spec.output_dataset
    if not name:
        short = f"{source.split('/')[3]}-{spec.model_version.split('/')[3]}"
        name = f"projects/{project}/datasets/{short}"
        if not matches("projects/{project}/datasets/{dataset}", name):
            raise InvalidArgument(f"{short} cannot be the dataset's name, which is {ID_RULE}; set {field}", field=field)
    parse("projects/{project}/datasets/{dataset}", name, field)
    if project_of(name) != project:
        raise InvalidArgument(f"{field} must be in projects/{project}, like the job; got {name}", field=field)
    if name == source:
        raise InvalidArgument(f"{field} is {name}, which the job reads; name another dataset", field=field)
    return name


def _model(project: str, program: Program, spec: JobSpec) -> str:
    """The name of the model that gets the new version."""
    field = f"{SPEC}.model"
    if spec.model:
        parse("projects/{project}/models/{model}", spec.model, field)
        if project_of(spec.model) != project:
            raise InvalidArgument(f"{field} must be in projects/{project}, like the job; got {spec.model}", field=field)
        return spec.model
    if program.kind is Kind.IMPORT:
        short = spec.source_version.split("/")[3]
    else:
        short = f"{spec.dataset_version.split('/')[3]}-{program.name}"
    name = f"projects/{project}/models/{short}"
    if not matches("projects/{project}/models/{model}", name):
        raise InvalidArgument(f"{short} cannot be the model's name, which is {ID_RULE}; set {field}", field=field)
    return name
