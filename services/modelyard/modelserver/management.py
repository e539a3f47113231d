"""ModelService over bytes: GetModelStatus and HandleReloadConfigRequest."""

from modelyard.api.serving.v1 import status_pb2
from modelyard.modelserver.errors import InvalidRequest, ModelConfigRefused
from modelyard.modelserver.models import Models, VersionStatus
from modelyard.modelserver.predict import parse, wanted

UNKNOWN = 2
"""What TensorFlow Serving reports for a version that could not be loaded."""


class Management:
    def __init__(self, models: Models) -> None:
        self._models = models

    async def get_model_status(self, body: bytes) -> bytes:
        request = parse(status_pb2.GetModelStatusRequest, body)
        if not request.HasField("model_spec"):
            raise InvalidRequest("Missing ModelSpec", field="model_spec")
        return model_status(self._models.status(wanted(request.model_spec))).SerializeToString()

    async def reload_config(self, body: bytes) -> bytes:
        # The configuration's messages come with TensorFlow, which is in this process by the time anybody reloads.
        from tensorflow_serving.apis import model_management_pb2

        from modelyard.modelserver.model_config import targets_of

        request = parse(model_management_pb2.ReloadConfigRequest, body)
        if request.config.WhichOneof("config") != "model_config_list":
            raise ModelConfigRefused(
                "ServerModelConfig type not supported by HandleReloadConfigRequest. Only ModelConfigList is currently "
                "supported"
            )
        await self._models.reload(targets_of(request.config))
        return bytes(model_management_pb2.ReloadConfigResponse(status={}).SerializeToString())


def model_status(versions: list[VersionStatus]) -> status_pb2.GetModelStatusResponse:
    return status_pb2.GetModelStatusResponse(
        model_version_status=[
            status_pb2.ModelVersionStatus(
                version=status.version,
                state=int(status.state),  # type: ignore[arg-type]
                status=status_pb2.Status(error_code=UNKNOWN if status.error else 0, error_message=status.error),
            )
            for status in versions
        ]
    )
