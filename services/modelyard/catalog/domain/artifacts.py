"""Projects, and datasets, models and packages with their immutable versions."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

from modelyard.catalog.domain.errors import EtagMismatch, TooManyLabels
from modelyard.catalog.domain.kinds import PackageKind
from modelyard.catalog.domain.model_info import ModelInfo
from modelyard.catalog.domain.names import ArtifactName, VersionName
from modelyard.foundation.errors import InvalidArgument

MAX_LABELS = 64
MAX_LABEL_VALUE = 256
MAX_DISPLAY_NAME = 128
MAX_DESCRIPTION = 4096
_LABEL_KEY = re.compile(r"[a-z]([a-z0-9_./-]{0,61}[a-z0-9])?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Project:
    uid: str
    id: str
    etag: str
    display_name: str
    labels: Mapping[str, str]
    create_time: datetime
    update_time: datetime

    @property
    def name(self) -> str:
        return f"projects/{self.id}"


@dataclass(frozen=True, slots=True)
class Profile:
    """What an owner may say of a project, dataset, model or package, and change."""

    display_name: str = ""
    description: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Artifact:
    """A dataset, a model or a package."""

    uid: str
    project_uid: str
    name: ArtifactName
    etag: str
    profile: Profile
    create_time: datetime
    update_time: datetime
    last_number: int = 0
    """The highest version number ever given under this name; numbers are never used again."""
    latest_version: int = 0
    """The newest version that exists; 0 is none."""
    kind: PackageKind = PackageKind.UNSAID
    """Of a package."""
    aliases: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Tree:
    """An immutable set of files: a manifest object, and the packs that its entries lie in."""

    uid: str
    project_uid: str
    digest: str
    """`sha256:…` over the sorted (path, size, sha256)."""
    manifest_sha256: str
    """Of the manifest object's bytes, by which it is stored."""
    manifest_bytes: int
    size_bytes: int
    file_count: int


@dataclass(frozen=True, slots=True)
class Version:
    """An immutable version of an artifact."""

    uid: str
    artifact: ArtifactName
    number: int
    tree: Tree
    labels: Mapping[str, str]
    creator: str
    create_time: datetime
    info: ModelInfo | None = None

    @property
    def name(self) -> VersionName:
        return VersionName(self.artifact, str(self.number))


def validate_labels(labels: Mapping[str, str], field: str) -> dict[str, str]:
    if len(labels) > MAX_LABELS:
        raise TooManyLabels(f"{field} has {len(labels)} entries; at most {MAX_LABELS} are allowed", field=field)
    for key, value in labels.items():
        if not _LABEL_KEY.fullmatch(key):
            raise InvalidArgument(
                f"{field} has the key {key[:80]!a}; a key is 1 to 63 of a-z 0-9 _ . / -, starting with a letter",
                field=field,
            )
        if len(value) > MAX_LABEL_VALUE:
            raise InvalidArgument(f"the value of {field}[{key}] is longer than {MAX_LABEL_VALUE}", field=field)
    return dict(labels)


def validate_profile(profile: Profile, field: str) -> Profile:
    if len(profile.display_name) > MAX_DISPLAY_NAME:
        raise InvalidArgument(f"display_name is longer than {MAX_DISPLAY_NAME}", field=f"{field}.display_name")
    if len(profile.description) > MAX_DESCRIPTION:
        raise InvalidArgument(f"description is longer than {MAX_DESCRIPTION}", field=f"{field}.description")
    return replace(profile, labels=validate_labels(profile.labels, f"{field}.labels"))


UPDATABLE = ("display_name", "description", "labels")


def validate_mask(paths: list[str]) -> None:
    if not paths:
        raise InvalidArgument(f"update_mask is empty; list what to change: {', '.join(UPDATABLE)}", field="update_mask")
    for path in paths:
        if path not in UPDATABLE:
            raise InvalidArgument(
                f"update_mask lists {path[:80]!a}; only {', '.join(UPDATABLE)} can be changed", field="update_mask"
            )


def updated_profile(old: Profile, new: Profile, paths: list[str], field: str) -> Profile:
    """`old` with the fields that a valid update mask lists taken from `new`."""
    changes = {path: getattr(new, path) for path in paths}
    return validate_profile(replace(old, **changes), field)


def check_etag(name: str, current: str, wanted: str) -> None:
    """An empty `wanted` asks for nothing."""
    if wanted and wanted != current:
        raise EtagMismatch(f"{name} was changed by somebody else; get it again and retry", resource=name, etag=current)
