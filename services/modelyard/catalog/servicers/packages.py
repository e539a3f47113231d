"""PackageService."""

from google.protobuf.empty_pb2 import Empty

from modelyard.api.catalog.v1 import package_pb2
from modelyard.api.catalog.v1 import package_service_pb2 as pb
from modelyard.api.catalog.v1.package_service_pb2_grpc import PackageServiceServicer
from modelyard.catalog.domain.names import ArtifactName, Collection, VersionName, parse_project
from modelyard.catalog.service.artifacts import ArtifactService
from modelyard.catalog.service.files import FileService
from modelyard.catalog.servicers.messages import package_message, package_spec_message, package_version_message
from modelyard.catalog.servicers.requests import Page
from modelyard.foundation.auth.identity import current_identity
from modelyard.foundation.pages import PageTokens


class PackageServicer(PackageServiceServicer):
    def __init__(self, packages: ArtifactService, files: FileService, tokens: PageTokens) -> None:
        self._packages = packages
        self._files = files
        self._tokens = tokens

    async def GetPackage(self, request: pb.GetPackageRequest, context: object) -> package_pb2.Package:
        return package_message(await self._packages.get(_name(request.name)))

    async def ListPackages(self, request: pb.ListPackagesRequest, context: object) -> pb.ListPackagesResponse:
        project = parse_project(request.parent)
        page = Page(self._tokens, "ListPackages", request.parent, request.page_size, request.page_token)
        found = await self._packages.page(project, page.after, page.limit)
        return pb.ListPackagesResponse(
            packages=map(package_message, page.shown(found)),
            next_page_token=page.next_token(found, lambda package: package.name.id),
        )

    async def DeletePackage(self, request: pb.DeletePackageRequest, context: object) -> Empty:
        await self._packages.delete(current_identity(), _name(request.name), request.etag)
        return Empty()

    async def GetPackageVersion(
        self, request: pb.GetPackageVersionRequest, context: object
    ) -> package_pb2.PackageVersion:
        return package_version_message(await self._packages.get_version(_version(request.name)))

    async def ListPackageVersions(
        self, request: pb.ListPackageVersionsRequest, context: object
    ) -> pb.ListPackageVersionsResponse:
        name = _name(request.parent, "parent")
        page = Page(self._tokens, "ListPackageVersions", request.parent, request.page_size, request.page_token)
        found = await self._packages.page_versions(name, page.number, page.limit)
        return pb.ListPackageVersionsResponse(
            package_versions=map(package_version_message, page.shown(found)),
            next_page_token=page.next_token(found, lambda version: version.number),
        )

    async def DeletePackageVersion(self, request: pb.DeletePackageVersionRequest, context: object) -> Empty:
        await self._packages.delete_version(current_identity(), _version(request.name))
        return Empty()

    async def GetPackageSpec(self, request: pb.GetPackageSpecRequest, context: object) -> pb.PackageSpec:
        return package_spec_message(await self._files.package_spec(current_identity(), _version(request.name)))


def _name(name: str, field: str = "name") -> ArtifactName:
    return ArtifactName.parse(Collection.PACKAGES, name, field)


def _version(name: str) -> VersionName:
    return VersionName.parse(Collection.PACKAGES, name)
