"""Checks what a job shall run, before anything is stored: each refusal has the path of the field at fault."""

from dataclasses import replace
from datetime import timedelta
from difflib import get_close_matches
from pathlib import Path

from modelyard.foundation.errors import InvalidArgument, ModelyardError
from modelyard.foundation.ids import ID_RULE, matches, parse, project_of
from modelyard.scheduler.domain.errors import DatasetDoesNotFit
from modelyard.scheduler.domain.records import JobSpec
from modelyard.scheduler.service.ports import Catalog, Dataset
from modelyard.templates.specs import (
    DatasetNotForTemplate,
    ParameterInvalid,
    Template,
    TemplateUnknown,
    get_template,
    list_templates,
)

SPEC = "job.spec"
MAX_PRIORITY = 1000
MAX_ATTEMPTS = 100
MAX_DEVICES = 64
MAX_DURATION = timedelta(days=366)
MAX_LABELS = 64
MAX_LABEL_CHARACTERS = 256


class Submission:
    def __init__(self, catalog: Catalog, templates: Path) -> None:
        self._catalog = catalog
        self._folder = templates

    def templates(self) -> tuple[Template, ...]:
        return list_templates(self._folder)

    async def check(self, project: str, spec: JobSpec) -> JobSpec:
        """The spec as it will be stored: with every parameter, the model's name and the dataset's number."""
        template = self._template(spec.template)
        _check_numbers(spec)
        parameters = _parameters(template, spec)
        _check_dataset_name(project, spec.dataset_version)
        model = _model(project, spec)
        dataset = await self._dataset(spec.dataset_version)
        try:
            template.check_dataset(dataset.modality, dataset.layout, dataset.splits)
        except DatasetNotForTemplate as error:
            field = f"{SPEC}.dataset_version"
            raise DatasetDoesNotFit(
                error.message, field=field, resource=dataset.version, template=template.name
            ) from None
        return replace(spec, parameters=parameters, model=model, dataset_version=dataset.version)

    def _template(self, name: str) -> Template:
        if not name:
            names = ", ".join(template.name for template in self.templates())
            raise InvalidArgument(f"{SPEC}.template is empty; there is {names}", field=f"{SPEC}.template")
        try:
            return get_template(name, self._folder)
        except TemplateUnknown as error:
            near = get_close_matches(name, [template.name for template in self.templates()], 1)
            error.field = f"{SPEC}.template"
            error.facts |= {"did_you_mean": near[0]} if near else {}
            raise

    async def _dataset(self, version: str) -> Dataset:
        try:
            return await self._catalog.dataset(version)
        except ModelyardError as error:
            error.field = f"{SPEC}.dataset_version"
            raise


def check_labels(display_name: str, labels: dict[str, str]) -> None:
    if len(display_name) > MAX_LABEL_CHARACTERS:
        raise InvalidArgument(
            f"display_name has {len(display_name)} characters; {MAX_LABEL_CHARACTERS} are allowed",
            field="job.display_name",
        )
    if len(labels) > MAX_LABELS:
        raise InvalidArgument(f"labels has {len(labels)} entries; {MAX_LABELS} are allowed", field="job.labels")
    for key, value in labels.items():
        if not key or len(key) > MAX_LABEL_CHARACTERS or len(value) > MAX_LABEL_CHARACTERS:
            raise InvalidArgument(
                f"a label has a key of 1 to {MAX_LABEL_CHARACTERS} characters and a value of at most as many",
                field="job.labels",
            )


def _parameters(template: Template, spec: JobSpec) -> dict[str, object]:
    try:
        return dict(template.complete(spec.parameters))
    except ParameterInvalid as error:
        error.field = f"{SPEC}.{error.field}"
        raise


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


def _check_dataset_name(project: str, version: str) -> None:
    field = f"{SPEC}.dataset_version"
    if matches("projects/{project}/datasets/{dataset}/versions/{version:int}", version):
        pass
    elif not matches("projects/{project}/datasets/{dataset}/versions/{alias}", version):
        raise InvalidArgument(
            f"{field} must look like projects/{{project}}/datasets/{{dataset}}/versions/{{number, alias or latest}}; "
            f"got {version[:120]!a}",
            field=field,
        )
    if project_of(version) != project:
        raise InvalidArgument(f"{field} must be in projects/{project}, like the job; got {version}", field=field)


def _model(project: str, spec: JobSpec) -> str:
    """The name of the model that gets the new version."""
    field = f"{SPEC}.model"
    if not spec.model:
        dataset = spec.dataset_version.split("/")[3]
        name = f"projects/{project}/models/{dataset}-{spec.template}"
        if not matches("projects/{project}/models/{model}", name):
            raise InvalidArgument(
                f"{dataset}-{spec.template} cannot be the model's name, which is {ID_RULE}; set {field}", field=field
            )
        return name
    parse("projects/{project}/models/{model}", spec.model, field)
    if project_of(spec.model) != project:
        raise InvalidArgument(f"{field} must be in projects/{project}, like the job; got {spec.model}", field=field)
    return spec.model
