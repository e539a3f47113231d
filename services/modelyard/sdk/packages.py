"""Packages: code of one's own, and the files of models from elsewhere."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Literal

from modelyard.api.catalog.v1 import package_pb2, package_service_pb2, package_service_pb2_grpc
from modelyard.sdk.code import code_sources, file_source
from modelyard.sdk.connection import Connection
from modelyard.sdk.download import fetch_files
from modelyard.sdk.folder import Sources, scan
from modelyard.sdk.names import in_project, version_in_project
from modelyard.sdk.pages import every, lister
from modelyard.sdk.progress import Progress, silent
from modelyard.sdk.upload import Pushed, push

Contents = Literal["code", "model"]
_KINDS = {"code": package_pb2.Package.KIND_CODE, "model": package_pb2.Package.KIND_MODEL}


class Packages:
    """A project's packages and their versions."""

    def __init__(self, connection: Connection, project: str) -> None:
        self._connection = connection
        self._project = project
        self._stub = package_service_pb2_grpc.PackageServiceStub(connection.channel)

    def push(
        self,
        name: str,
        path: Path | str,
        *,
        contents: Contents = "code",
        labels: Mapping[str, str] | None = None,
        progress: Progress = silent,
    ) -> Pushed:
        """Make a folder, or one file, a version of a package; the same files pushed again are the same version.

        Args:
            contents: `code` is a folder with Python files or one such file, of which caches, environments and hidden
                files stay behind (`Pushed.skipped` names them); `model` is a folder or one file of any size, as it is.
                A package holds the one or the other: FailedPrecondition PACKAGE_KIND_DIFFERS.
        """
        path = Path(path)
        if contents == "code":
            sources, skipped = code_sources(path)
        else:
            sources, skipped = (scan(path) if path.is_dir() else file_source(path)), ()
        pushed = self.push_sources(name, sources, contents=contents, labels=labels, progress=progress)
        return pushed.without(skipped)

    def push_sources(
        self,
        name: str,
        sources: Sources,
        *,
        contents: Contents = "code",
        labels: Mapping[str, str] | None = None,
        progress: Progress = silent,
    ) -> Pushed:
        """The same for files that need not lie in one folder, and without a look at what they are."""
        target = in_project(self._project, "packages", name)
        base = f"{target}/versions/latest"
        kind = _KINDS[contents]
        return push(self._connection, target, sources, base=base, labels=labels, package_kind=kind, progress=progress)

    def pull(self, version: str, folder: Path | str, *, progress: Progress = silent) -> None:
        """Write a version's files into a new folder, verified."""
        name = version_in_project(self._project, "packages", version)
        fetch_files(self._connection, name, Path(folder), progress=progress)

    def get(self, name: str) -> package_pb2.Package:
        """A package by its name."""
        full = in_project(self._project, "packages", name)
        return self._connection.call(self._stub.GetPackage, package_service_pb2.GetPackageRequest(name=full))

    def version(self, name: str) -> package_pb2.PackageVersion:
        """A version: `mine@3`, `mine@latest`, `mine`."""
        full = version_in_project(self._project, "packages", name)
        request = package_service_pb2.GetPackageVersionRequest(name=full)
        return self._connection.call(self._stub.GetPackageVersion, request)

    def spec(self, name: str) -> package_service_pb2.PackageSpec:
        """What a version says of itself: its template.toml, its modules, whether it has requirements."""
        full = version_in_project(self._project, "packages", name)
        return self._connection.call(self._stub.GetPackageSpec, package_service_pb2.GetPackageSpecRequest(name=full))

    def list(self) -> Iterator[package_pb2.Package]:
        """Every package of the project."""
        request = package_service_pb2.ListPackagesRequest(parent=f"projects/{self._project}")
        return every(lister(self._connection.call, self._stub.ListPackages, request, "packages"))

    def versions(self, name: str) -> Iterator[package_pb2.PackageVersion]:
        """Every version of a package, newest first."""
        request = package_service_pb2.ListPackageVersionsRequest(parent=in_project(self._project, "packages", name))
        return every(lister(self._connection.call, self._stub.ListPackageVersions, request, "package_versions"))

    def delete(self, name: str) -> None:
        """Delete a package with all versions, or with `name@3` that version."""
        if "@" in name or "/versions/" in name:
            full = version_in_project(self._project, "packages", name)
            version_request = package_service_pb2.DeletePackageVersionRequest(name=full)
            self._connection.call(self._stub.DeletePackageVersion, version_request)
        else:
            request = package_service_pb2.DeletePackageRequest(name=in_project(self._project, "packages", name))
            self._connection.call(self._stub.DeletePackage, request)
