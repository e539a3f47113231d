"""ModelService."""

from google.protobuf.empty_pb2 import Empty

from modelyard.api.catalog.v1 import model_pb2
from modelyard.api.catalog.v1 import model_service_pb2 as pb
from modelyard.api.catalog.v1.model_service_pb2_grpc import ModelServiceServicer
from modelyard.catalog.domain.names import ArtifactName, Collection, VersionName, parse_project
from modelyard.catalog.service.artifacts import ArtifactService
from modelyard.catalog.service.evaluations import EvaluationService
from modelyard.catalog.servicers.messages import model_message, profile_of
from modelyard.catalog.servicers.model_messages import evaluation_message, measured_of, model_version_message
from modelyard.catalog.servicers.requests import Page, request_key
from modelyard.foundation.auth.identity import current_identity
from modelyard.foundation.pages import PageTokens


class ModelServicer(ModelServiceServicer):
    def __init__(self, models: ArtifactService, evaluations: EvaluationService, tokens: PageTokens) -> None:
        self._models = models
        self._evaluations = evaluations
        self._tokens = tokens

    async def CreateModel(self, request: pb.CreateModelRequest, context: object) -> model_pb2.Model:
        project = parse_project(request.parent)
        key = request_key("CreateModel", request, request.request_id)
        created = await self._models.create(
            current_identity(), project, request.model_id, profile_of(request.model), key
        )
        return model_message(created)

    async def GetModel(self, request: pb.GetModelRequest, context: object) -> model_pb2.Model:
        return model_message(await self._models.get(_name(request.name)))

    async def ListModels(self, request: pb.ListModelsRequest, context: object) -> pb.ListModelsResponse:
        project = parse_project(request.parent)
        page = Page(self._tokens, "ListModels", request.parent, request.page_size, request.page_token)
        found = await self._models.page(project, page.after, page.limit)
        return pb.ListModelsResponse(
            models=map(model_message, page.shown(found)),
            next_page_token=page.next_token(found, lambda model: model.name.id),
        )

    async def UpdateModel(self, request: pb.UpdateModelRequest, context: object) -> model_pb2.Model:
        wanted = request.model
        updated = await self._models.update(
            current_identity(),
            _name(wanted.name, "model.name"),
            profile_of(wanted),
            list(request.update_mask.paths),
            wanted.etag,
        )
        return model_message(updated)

    async def DeleteModel(self, request: pb.DeleteModelRequest, context: object) -> Empty:
        await self._models.delete(current_identity(), _name(request.name), request.etag)
        return Empty()

    async def GetModelVersion(self, request: pb.GetModelVersionRequest, context: object) -> model_pb2.ModelVersion:
        name = VersionName.parse(Collection.MODELS, request.name)
        return model_version_message(await self._models.get_version(name))

    async def ListModelVersions(
        self, request: pb.ListModelVersionsRequest, context: object
    ) -> pb.ListModelVersionsResponse:
        name = _name(request.parent, "parent")
        page = Page(self._tokens, "ListModelVersions", request.parent, request.page_size, request.page_token)
        found = await self._models.page_versions(name, page.number, page.limit)
        return pb.ListModelVersionsResponse(
            model_versions=map(model_version_message, page.shown(found)),
            next_page_token=page.next_token(found, lambda version: version.number),
        )

    async def DeleteModelVersion(self, request: pb.DeleteModelVersionRequest, context: object) -> Empty:
        name = VersionName.parse(Collection.MODELS, request.name)
        await self._models.delete_version(current_identity(), name)
        return Empty()

    async def SetModelAlias(self, request: pb.SetModelAliasRequest, context: object) -> model_pb2.Model:
        expected = request.expected_version if request.HasField("expected_version") else None
        changed = await self._models.set_alias(
            current_identity(), _name(request.name), request.alias, request.version, expected
        )
        return model_message(changed)

    async def DeleteModelAlias(self, request: pb.DeleteModelAliasRequest, context: object) -> model_pb2.Model:
        expected = request.expected_version if request.HasField("expected_version") else None
        changed = await self._models.delete_alias(current_identity(), _name(request.name), request.alias, expected)
        return model_message(changed)

    async def RecordEvaluation(self, request: pb.RecordEvaluationRequest, context: object) -> model_pb2.Evaluation:
        recorded = await self._evaluations.record(
            current_identity(),
            VersionName.parse(Collection.MODELS, request.parent, "parent"),
            VersionName.parse(Collection.DATASETS, request.evaluation.dataset_version, "evaluation.dataset_version"),
            measured_of(request.evaluation),
        )
        return evaluation_message(recorded)

    async def ListEvaluations(self, request: pb.ListEvaluationsRequest, context: object) -> pb.ListEvaluationsResponse:
        name = VersionName.parse(Collection.MODELS, request.parent, "parent")
        dataset = None
        if request.dataset_version:
            dataset = VersionName.parse(Collection.DATASETS, request.dataset_version, "dataset_version")
        listed = f"{request.parent} {request.dataset_version}"
        page = Page(self._tokens, "ListEvaluations", listed, request.page_size, request.page_token)
        found = await self._evaluations.page(name, dataset, page.number, page.limit)
        return pb.ListEvaluationsResponse(
            evaluations=map(evaluation_message, page.shown(found)),
            next_page_token=page.next_token(found, lambda evaluation: evaluation.sequence),
        )


def _name(name: str, field: str = "name") -> ArtifactName:
    return ArtifactName.parse(Collection.MODELS, name, field)
