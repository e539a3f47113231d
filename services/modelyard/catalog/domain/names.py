"""Resource names of the catalog."""

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Self

from modelyard.foundation.errors import InvalidArgument
from modelyard.foundation.ids import matches, parse, parse_number, validate_id

LATEST = "latest"


class Collection(StrEnum):
    """The kinds of artifact; the value is the segment in their names."""

    DATASETS = "datasets"
    MODELS = "models"
    PACKAGES = "packages"

    @property
    def singular(self) -> str:
        return self.value.removesuffix("s")


@dataclass(frozen=True, slots=True)
class ArtifactName:
    """`projects/{project}/datasets/{dataset}`, `…/models/{model}` or `…/packages/{package}`."""

    project: str
    collection: Collection
    id: str

    def __str__(self) -> str:
        return f"projects/{self.project}/{self.collection}/{self.id}"

    @classmethod
    def parse(cls, collection: Collection, name: str, field: str = "name") -> Self:
        found = parse(f"projects/{{project}}/{collection}/{{{collection.singular}}}", name, field)
        return cls(found["project"], collection, found[collection.singular])


@dataclass(frozen=True, slots=True)
class VersionName:
    """`{artifact}/versions/{reference}`; the reference is a number, an alias or `latest`."""

    artifact: ArtifactName
    reference: str

    def __str__(self) -> str:
        return f"{self.artifact}/versions/{self.reference}"

    @property
    def number(self) -> int | None:
        return int(self.reference) if self.reference.isdigit() else None

    @classmethod
    def parse(cls, collection: Collection, name: str, field: str = "name") -> Self:
        parent, separator, reference = name.rpartition("/versions/")
        if not separator or not re.fullmatch(r"[1-9][0-9]{0,17}|[a-z]([a-z0-9-]{0,61}[a-z0-9])?", reference, re.ASCII):
            wanted = f"projects/{{project}}/{collection}/{{{collection.singular}}}/versions/{{version}}"
            raise InvalidArgument(f"{field} must look like {wanted}; got {name[:200]!a}", field=field)
        return cls(ArtifactName.parse(collection, parent, field), reference)


@dataclass(frozen=True, slots=True)
class JobName:
    """`projects/{project}/jobs/{job}`."""

    project: str
    id: str

    def __str__(self) -> str:
        return f"projects/{self.project}/jobs/{self.id}"

    @classmethod
    def parse(cls, name: str, field: str = "name") -> Self:
        found = parse("projects/{project}/jobs/{job}", name, field)
        return cls(found["project"], found["job"])


@dataclass(frozen=True, slots=True)
class CheckpointName:
    """`projects/{project}/jobs/{job}/checkpoints/{step}`."""

    job: JobName
    step: int

    def __str__(self) -> str:
        return f"{self.job}/checkpoints/{self.step}"

    @property
    def project(self) -> str:
        return self.job.project

    @classmethod
    def parse(cls, name: str, field: str = "name") -> Self:
        found = parse("projects/{project}/jobs/{job}/checkpoints/{step:int}", name, field)
        return cls(JobName(found["project"], found["job"]), parse_number(found["step"], field))


@dataclass(frozen=True, slots=True)
class OutputName:
    """`projects/{project}/jobs/{job}/outputs/{output}`."""

    job: JobName
    id: str

    def __str__(self) -> str:
        return f"{self.job}/outputs/{self.id}"

    @property
    def project(self) -> str:
        return self.job.project

    @classmethod
    def parse(cls, name: str, field: str = "name") -> Self:
        found = parse("projects/{project}/jobs/{job}/outputs/{output}", name, field)
        return cls(JobName(found["project"], found["job"]), found["output"])


Target = ArtifactName | CheckpointName | OutputName
"""What an upload makes a version of."""
Readable = VersionName | CheckpointName | OutputName
"""What has files that can be read."""


def parse_target(name: str, field: str) -> Target:
    if matches("projects/{project}/jobs/{job}/checkpoints/{step:int}", name):
        return CheckpointName.parse(name, field)
    if matches("projects/{project}/jobs/{job}/outputs/{output}", name):
        return OutputName.parse(name, field)
    artifact = parse_artifact(name, field)
    if artifact is None:
        raise InvalidArgument(
            f"{field} must be a dataset (projects/{{project}}/datasets/{{dataset}}), a model, a package, or a "
            f"checkpoint or output of a job; got {name[:200]!a}",
            field=field,
        )
    return artifact


def parse_artifact(name: str, field: str) -> ArtifactName | None:
    """A dataset, model or package; None for a name of another form."""
    for collection in Collection:
        if matches(f"projects/{{project}}/{collection}/{{id}}", name):
            return ArtifactName.parse(collection, name, field)
    return None


def parse_readable(name: str, field: str) -> Readable:
    """A name whose files can be read: a version of a dataset, model or package, or a checkpoint or output of a job."""
    match name.split("/"):
        case [_, _, "jobs", _, "checkpoints", *_]:
            return CheckpointName.parse(name, field)
        case [_, _, "jobs", _, "outputs", *_]:
            return OutputName.parse(name, field)
    return parse_version(name, field)


def parse_version(name: str, field: str) -> VersionName:
    """A version of a dataset, model or package."""
    segments = name.split("/")
    for collection in Collection:
        if len(segments) > 2 and segments[2] == collection:
            return VersionName.parse(collection, name, field)
    raise InvalidArgument(
        f"{field} must be a version of a dataset (projects/{{project}}/datasets/{{dataset}}/versions/{{version}}), "
        f"a model or a package; got {name[:200]!a}",
        field=field,
    )


def parse_project(name: str, field: str = "parent") -> str:
    """The ID in `projects/{project}`."""
    return parse("projects/{project}", name, field)["project"]


def parse_consumer(name: str, field: str = "consumer") -> str:
    """A job or a deployment, as it is."""
    if not any(matches(f"projects/{{project}}/{kind}/{{id}}", name) for kind in ("jobs", "deployments")):
        raise InvalidArgument(
            f"{field} must be a job (projects/{{project}}/jobs/{{job}}) or a deployment; got {name[:200]!a}",
            field=field,
        )
    return name


def parse_upload(name: str, field: str = "name") -> tuple[str, str]:
    """(project, upload ID) of `projects/{project}/uploads/{upload}`."""
    found = parse("projects/{project}/uploads/{upload:uid}", name, field)
    return found["project"], found["upload"]


def check_same_project(project: str, other: str, field: str) -> None:
    """Refuse a request that is authorised for one project and names a thing of another."""
    if project != other:
        raise InvalidArgument(f"{field} lies in project {other}, the request is about {project}", field=field)


def validate_alias(alias: str, field: str = "alias") -> str:
    if alias == LATEST:
        raise InvalidArgument(f"{field} must not be {LATEST!r}: that is always the newest version", field=field)
    return validate_id(alias, field)
