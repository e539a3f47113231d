"""DatasetService."""

from google.protobuf.empty_pb2 import Empty

from modelyard.api.catalog.v1 import dataset_pb2, statistics_pb2
from modelyard.api.catalog.v1 import dataset_service_pb2 as pb
from modelyard.api.catalog.v1.dataset_service_pb2_grpc import DatasetServiceServicer
from modelyard.catalog.domain.names import ArtifactName, Collection, JobName, VersionName, parse_project
from modelyard.catalog.service.artifacts import ArtifactService
from modelyard.catalog.service.files import FileService
from modelyard.catalog.service.statistics import AT, StatisticsService
from modelyard.catalog.servicers.dataset_messages import found_of, input_spec_message, statistics_message
from modelyard.catalog.servicers.messages import dataset_message, dataset_version_message, profile_of
from modelyard.catalog.servicers.requests import Page, request_key
from modelyard.foundation.auth.identity import current_identity
from modelyard.foundation.pages import PageTokens


class DatasetServicer(DatasetServiceServicer):
    def __init__(
        self, datasets: ArtifactService, files: FileService, statistics: StatisticsService, tokens: PageTokens
    ) -> None:
        self._datasets = datasets
        self._files = files
        self._statistics = statistics
        self._tokens = tokens

    async def CreateDataset(self, request: pb.CreateDatasetRequest, context: object) -> dataset_pb2.Dataset:
        project = parse_project(request.parent)
        key = request_key("CreateDataset", request, request.request_id)
        created = await self._datasets.create(
            current_identity(), project, request.dataset_id, profile_of(request.dataset), key
        )
        return dataset_message(created)

    async def GetDataset(self, request: pb.GetDatasetRequest, context: object) -> dataset_pb2.Dataset:
        return dataset_message(await self._datasets.get(_name(request.name)))

    async def ListDatasets(self, request: pb.ListDatasetsRequest, context: object) -> pb.ListDatasetsResponse:
        project = parse_project(request.parent)
        page = Page(self._tokens, "ListDatasets", request.parent, request.page_size, request.page_token)
        found = await self._datasets.page(project, page.after, page.limit)
        return pb.ListDatasetsResponse(
            datasets=map(dataset_message, page.shown(found)),
            next_page_token=page.next_token(found, lambda dataset: dataset.name.id),
        )

    async def UpdateDataset(self, request: pb.UpdateDatasetRequest, context: object) -> dataset_pb2.Dataset:
        wanted = request.dataset
        updated = await self._datasets.update(
            current_identity(),
            _name(wanted.name, "dataset.name"),
            profile_of(wanted),
            list(request.update_mask.paths),
            wanted.etag,
        )
        return dataset_message(updated)

    async def DeleteDataset(self, request: pb.DeleteDatasetRequest, context: object) -> Empty:
        await self._datasets.delete(current_identity(), _name(request.name), request.etag)
        return Empty()

    async def GetDatasetVersion(
        self, request: pb.GetDatasetVersionRequest, context: object
    ) -> dataset_pb2.DatasetVersion:
        name = VersionName.parse(Collection.DATASETS, request.name)
        return dataset_version_message(await self._datasets.get_version(name))

    async def ListDatasetVersions(
        self, request: pb.ListDatasetVersionsRequest, context: object
    ) -> pb.ListDatasetVersionsResponse:
        name = _name(request.parent, "parent")
        page = Page(self._tokens, "ListDatasetVersions", request.parent, request.page_size, request.page_token)
        found = await self._datasets.page_versions(name, page.number, page.limit)
        return pb.ListDatasetVersionsResponse(
            dataset_versions=map(dataset_version_message, page.shown(found)),
            next_page_token=page.next_token(found, lambda version: version.number),
        )

    async def DeleteDatasetVersion(self, request: pb.DeleteDatasetVersionRequest, context: object) -> Empty:
        name = VersionName.parse(Collection.DATASETS, request.name)
        await self._datasets.delete_version(current_identity(), name)
        return Empty()

    async def SetDatasetAlias(self, request: pb.SetDatasetAliasRequest, context: object) -> dataset_pb2.Dataset:
        expected = request.expected_version if request.HasField("expected_version") else None
        changed = await self._datasets.set_alias(
            current_identity(), _name(request.name), request.alias, request.version, expected
        )
        return dataset_message(changed)

    async def DeleteDatasetAlias(self, request: pb.DeleteDatasetAliasRequest, context: object) -> dataset_pb2.Dataset:
        expected = request.expected_version if request.HasField("expected_version") else None
        changed = await self._datasets.delete_alias(current_identity(), _name(request.name), request.alias, expected)
        return dataset_message(changed)

    async def GetInputSpec(self, request: pb.GetInputSpecRequest, context: object) -> dataset_pb2.InputSpec:
        name = VersionName.parse(Collection.DATASETS, request.name)
        return input_spec_message(*await self._files.input_spec(current_identity(), name))

    async def GetStatistics(self, request: pb.GetStatisticsRequest, context: object) -> statistics_pb2.Statistics:
        name = VersionName.parse(Collection.DATASETS, request.name)
        return statistics_message(await self._statistics.get(current_identity(), name))

    async def RecordStatistics(self, request: pb.RecordStatisticsRequest, context: object) -> statistics_pb2.Statistics:
        wanted = request.statistics
        dataset = VersionName.parse(Collection.DATASETS, wanted.dataset_version, f"{AT}.dataset_version")
        recorded = await self._statistics.record(current_identity(), dataset, found_of(wanted, AT), wanted.report)
        return statistics_message(recorded)

    async def ListUnprofiledVersions(
        self, request: pb.ListUnprofiledVersionsRequest, context: object
    ) -> pb.ListUnprofiledVersionsResponse:
        page = Page(self._tokens, "ListUnprofiledVersions", "", request.page_size, request.page_token)
        found = await self._statistics.unprofiled(page.number, page.limit)
        return pb.ListUnprofiledVersionsResponse(
            dataset_versions=[dataset_version_message(version) for _, version in page.shown(found)],
            next_page_token=page.next_token(found, lambda place_and_version: place_and_version[0]),
        )

    async def SetProfileJob(self, request: pb.SetProfileJobRequest, context: object) -> Empty:
        name = VersionName.parse(Collection.DATASETS, request.name)
        await self._statistics.set_job(current_identity(), name, JobName.parse(request.job, "job"))
        return Empty()


def _name(name: str, field: str = "name") -> ArtifactName:
    return ArtifactName.parse(Collection.DATASETS, name, field)
