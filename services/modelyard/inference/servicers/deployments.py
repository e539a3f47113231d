"""DeploymentService."""

from collections.abc import AsyncIterator

from google.protobuf.empty_pb2 import Empty

from modelyard.api.inference.v1 import deployment_pb2
from modelyard.api.inference.v1 import deployment_service_pb2 as pb
from modelyard.api.inference.v1.deployment_service_pb2_grpc import DeploymentServiceServicer
from modelyard.foundation.auth.identity import current_identity
from modelyard.inference.service.deployments import Deployments, Wish
from modelyard.inference.service.ports import Request
from modelyard.inference.servicers.messages import deployment_message, served_message


class DeploymentServicer(DeploymentServiceServicer):
    def __init__(self, deployments: Deployments) -> None:
        self._deployments = deployments

    async def CreateDeployment(self, request: pb.CreateDeploymentRequest, context: object) -> deployment_pb2.Deployment:
        created = await self._deployments.create(
            request.parent,
            request.deployment_id,
            _wish(request.deployment),
            Request(request.request_id, request.SerializeToString(deterministic=True)),
            current_identity(),
            validate_only=request.validate_only,
        )
        return deployment_message(created)

    async def GetDeployment(self, request: pb.GetDeploymentRequest, context: object) -> deployment_pb2.Deployment:
        return deployment_message(await self._deployments.get(request.name))

    async def ListDeployments(self, request: pb.ListDeploymentsRequest, context: object) -> pb.ListDeploymentsResponse:
        found, token = await self._deployments.page(request.parent, request.page_size, request.page_token)
        return pb.ListDeploymentsResponse(deployments=map(deployment_message, found), next_page_token=token)

    async def UpdateDeployment(self, request: pb.UpdateDeploymentRequest, context: object) -> deployment_pb2.Deployment:
        wish, paths = _wish(request.deployment), list(request.update_mask.paths)
        return deployment_message(
            await self._deployments.update(request.deployment.name, wish, paths, current_identity())
        )

    async def DeleteDeployment(self, request: pb.DeleteDeploymentRequest, context: object) -> Empty:
        await self._deployments.delete(request.name, request.etag, current_identity())
        return Empty()

    async def WatchDeployment(
        self, request: pb.WatchDeploymentRequest, context: object
    ) -> AsyncIterator[deployment_pb2.Deployment]:
        sent = None
        async for deployment in self._deployments.watch(request.name):
            message = deployment_message(deployment)
            if message != sent:
                sent = message
                yield message

    async def GetServingConfig(self, request: pb.GetServingConfigRequest, context: object) -> pb.ServingConfig:
        served = await self._deployments.served(request.name)
        return pb.ServingConfig(served_versions=[served_message(host, each) for host, each in served])


def _wish(deployment: deployment_pb2.Deployment) -> Wish:
    return Wish(deployment.model_version, deployment.display_name, dict(deployment.labels), deployment.etag)
