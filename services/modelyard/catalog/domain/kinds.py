"""What a package holds: one kind of files for all its versions."""

from enum import StrEnum

from modelyard.catalog.domain.errors import PackageKindDiffers
from modelyard.catalog.domain.names import ArtifactName, Collection, Target
from modelyard.foundation.errors import InvalidArgument


class PackageKind(StrEnum):
    UNSAID = ""
    CODE = "code"
    MODEL = "model"

    @property
    def content(self) -> str:
        """In words."""
        return "the files of a model" if self is PackageKind.MODEL else "code"


def agreed_kind(name: str, holds: PackageKind, pushed: PackageKind) -> PackageKind:
    """What the package holds from now on; PackageKindDiffers where it holds something else."""
    if holds and pushed and holds is not pushed:
        raise PackageKindDiffers(
            f"{name} holds {holds.content}, so {pushed.content} can't become a version of it; "
            "push it as a package of another name",
            resource=name,
            holds=holds,
            pushed=pushed,
        )
    return holds or pushed


def check_only_of_packages(kind: PackageKind, target: Target, field: str) -> None:
    if kind and not (isinstance(target, ArtifactName) and target.collection is Collection.PACKAGES):
        raise InvalidArgument(f"{field} is for packages only; leave it out", field=field)
