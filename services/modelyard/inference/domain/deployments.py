"""Deployments, and the versions that the catalog keeps for them."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import IntEnum

from modelyard.foundation.errors import (
    AlreadyExists,
    Conflict,
    FailedPrecondition,
    InvalidArgument,
    NotFound,
    Unavailable,
)
from modelyard.foundation.ids import parse, validate_id

DEPLOYMENT = "projects/{project}/deployments/{deployment}"
MODEL_VERSION = "projects/{project}/models/{model}/versions/{version:int}"
DEFAULT_PROJECT = "default"
MAX_LABELS = 64
MAX_LABEL_CHARS = 63
MAX_DISPLAY_NAME_CHARS = 200


class DeploymentNotFound(NotFound):
    reason = "DEPLOYMENT_NOT_FOUND"


class DeploymentExists(AlreadyExists):
    reason = "DEPLOYMENT_EXISTS"


class DeploymentDeleting(Unavailable):
    reason = "DEPLOYMENT_DELETING"


class EtagMismatch(Conflict):
    reason = "DEPLOYMENT_CHANGED"


class ModelVersionNotFound(NotFound):
    reason = "MODEL_VERSION_NOT_FOUND"


class ModelVersionNotReady(FailedPrecondition):
    reason = "MODEL_VERSION_NOT_READY"


class State(IntEnum):
    """As in the API."""

    PENDING = 1
    FETCHING = 2
    LOADING = 3
    SERVING = 4
    UPDATING = 5
    FAILED = 6
    DELETING = 7


@dataclass(frozen=True, slots=True)
class ModelVersion:
    """What the catalog says of a version that may be served."""

    name: str
    """With its number."""
    digest: str
    batching: bool
    """Its gate showed that requests may be batched."""
    foreign: bool = False
    """Others' code or files made it: it is loaded in the strong sandbox only."""


@dataclass(frozen=True, slots=True)
class Deployment:
    name: str
    uid: str
    etag: str
    target: ModelVersion
    """What shall answer."""
    creator: str
    create_time: datetime
    update_time: datetime
    display_name: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    trial: int = 0
    """Counts how often somebody asked again for a version that had failed."""
    deleting: bool = False
    state: State = State.PENDING
    message: str = ""
    serving_version: str = ""
    """What answers now."""
    fallback: ModelVersion | None = None
    """What answered last: it is kept up until the target answers."""

    @property
    def serving_name(self) -> str:
        return serving_name(self.name)


@dataclass(frozen=True, slots=True)
class Hold:
    """What the catalog keeps for a deployment: an execution with its inputs.

    The row outlives the deployment: it says whether the catalog was told to let go.
    """

    deployment: str
    attempt: int
    inputs: tuple[str, ...]
    """Model versions."""
    closing: bool = False
    """It shall be ended, not begun."""
    settled: bool = False
    """The catalog has confirmed it."""
    held: tuple[str, ...] = ()
    """What the catalog confirmed last."""
    error: str = ""
    """Why the catalog refuses."""


def serving_name(deployment: str) -> str:
    """The name that TensorFlow Serving clients use: `{deployment}` in project `default`, else `{project}.{deployment}`.

    IDs have no dots, so two deployments never share one.
    """
    segments = parse(DEPLOYMENT, deployment)
    if segments["project"] == DEFAULT_PROJECT:
        return segments["deployment"]
    return f"{segments['project']}.{segments['deployment']}"


def validate_model_version(name: str, project: str, field: str) -> str:
    """A version's name, by number or alias, in the deployment's own project."""
    pattern = "projects/{project}/models/{model}/versions/{version}"
    found = parse(MODEL_VERSION if name.rpartition("/")[2].isdigit() else pattern, name, field)
    if found["project"] != project:
        raise InvalidArgument(f"{field} is in project {found['project']}, the deployment in {project}", field=field)
    return name


def version_number(model_version: str) -> int:
    return int(model_version.rpartition("/")[2])


def deployment_name(parent: str, deployment_id: str) -> str:
    project = parse("projects/{project}", parent, "parent")["project"]
    return f"projects/{project}/deployments/{validate_id(deployment_id, 'deployment_id')}"


def validate_display_name(value: str) -> str:
    field = "deployment.display_name"
    if len(value) > MAX_DISPLAY_NAME_CHARS or not value.isprintable():
        raise InvalidArgument(f"{field} takes up to {MAX_DISPLAY_NAME_CHARS} printable characters", field=field)
    return value


def validate_labels(labels: Mapping[str, str]) -> Mapping[str, str]:
    field = "deployment.labels"
    if len(labels) > MAX_LABELS:
        raise InvalidArgument(f"{field} takes up to {MAX_LABELS} labels; got {len(labels)}", field=field)
    for key, value in labels.items():
        if not key or max(len(key), len(value)) > MAX_LABEL_CHARS or not (key + value).isprintable():
            raise InvalidArgument(
                f"keys and values of {field} are up to {MAX_LABEL_CHARS} printable characters; see {key[:80]!a}",
                field=field,
            )
    return dict(labels)


def check_etag(deployment: Deployment, etag: str, field: str) -> None:
    if etag and etag != deployment.etag:
        raise EtagMismatch(
            f"{deployment.name} was changed in the meantime; get it again and repeat the change",
            field=field,
            resource=deployment.name,
        )


def taken(existing: Deployment) -> DeploymentExists | DeploymentDeleting:
    """Why no other deployment can have this name now."""
    if existing.deleting:
        return DeploymentDeleting(
            f"{existing.name} is still being deleted: its model servers are stopping; try again in a few seconds",
            resource=existing.name,
        )
    return DeploymentExists(
        f"{existing.name} exists; update it, delete it first, or choose another deployment_id",
        field="deployment_id",
        resource=existing.name,
    )


def not_found(name: str) -> DeploymentNotFound:
    return DeploymentNotFound(f"{name} does not exist; list the project's deployments to see what does", resource=name)


def take_down(deployment: Deployment) -> Deployment:
    return replace(
        deployment, deleting=True, state=State.DELETING, message="its model servers are stopping", serving_version=""
    )


def retarget(deployment: Deployment, target: ModelVersion) -> Deployment:
    """Another version, or the same one again after it had failed."""
    if target.name != deployment.target.name:
        return replace(deployment, target=target, trial=0, message="", state=_before(deployment))
    if deployment.state is State.FAILED:
        return replace(deployment, trial=deployment.trial + 1, message="", state=_before(deployment))
    return deployment


def _before(deployment: Deployment) -> State:
    return State.UPDATING if deployment.serving_version else State.PENDING
