"""UploadService."""

from modelyard.api.catalog.v1 import upload_pb2
from modelyard.api.catalog.v1 import upload_service_pb2 as pb
from modelyard.api.catalog.v1.upload_service_pb2_grpc import UploadServiceServicer
from modelyard.catalog.domain.names import ArtifactName, Collection, parse_artifact, parse_project, parse_target
from modelyard.catalog.service.inline import InlineService
from modelyard.catalog.service.uploads import PartRef, UploadService
from modelyard.catalog.servicers.messages import pack_of, package_kind_of, timestamp, upload_message
from modelyard.catalog.servicers.model_messages import model_info_of
from modelyard.catalog.servicers.requests import Context, Origin, origin_of, request_key
from modelyard.foundation.auth.identity import current_identity
from modelyard.foundation.errors import InvalidArgument


class UploadServicer(UploadServiceServicer):
    def __init__(self, uploads: UploadService, inline: InlineService, origin: Origin) -> None:
        self._uploads = uploads
        self._inline = inline
        self._origin = origin

    async def BeginUpload(self, request: pb.BeginUploadRequest, context: object) -> upload_pb2.Upload:
        wanted = request.upload
        begun = await self._uploads.begin(
            current_identity(),
            parse_project(request.parent),
            parse_target(wanted.target, "upload.target"),
            wanted.base_version,
            [pack_of(pack) for pack in wanted.packs],
            dict(wanted.labels),
            request_key("BeginUpload", request, request.request_id),
            package_kind_of(wanted.package_kind, "upload.package_kind"),
        )
        return upload_message(begun)

    async def SignUploadParts(self, request: pb.SignUploadPartsRequest, context: Context) -> pb.SignUploadPartsResponse:
        origin = origin_of(context, self._origin)
        refs = [PartRef(part.pack, part.part) for part in request.parts]
        urls, expire_time = await self._uploads.sign_parts(current_identity(), request.name, refs, origin)
        return pb.SignUploadPartsResponse(
            parts=[pb.SignedPart(pack=ref.pack, part=ref.part, url=url) for ref, url in zip(refs, urls, strict=True)],
            expire_time=timestamp(expire_time),
        )

    async def GetUpload(self, request: pb.GetUploadRequest, context: object) -> upload_pb2.Upload:
        return upload_message(await self._uploads.get(current_identity(), request.name))

    async def CommitUpload(self, request: pb.CommitUploadRequest, context: object) -> upload_pb2.Upload:
        info = model_info_of(request.model_info) if request.HasField("model_info") else None
        return upload_message(await self._uploads.commit(current_identity(), request.name, info))

    async def AbortUpload(self, request: pb.AbortUploadRequest, context: object) -> upload_pb2.Upload:
        return upload_message(await self._uploads.abort(current_identity(), request.name))

    async def UploadInline(self, request: pb.UploadInlineRequest, context: object) -> upload_pb2.Upload:
        uploaded = await self._inline.upload(
            current_identity(),
            parse_project(request.parent),
            _inline_target(request.target),
            [(file.path, file.content) for file in request.files],
            dict(request.labels),
            request_key("UploadInline", request, request.request_id),
            package_kind_of(request.package_kind, "package_kind"),
        )
        return upload_message(uploaded)


def _inline_target(name: str) -> ArtifactName:
    target = parse_artifact(name, "target")
    if target is None or target.collection is Collection.MODELS:
        raise InvalidArgument(
            f"target must be a dataset (projects/{{project}}/datasets/{{dataset}}) or a package; got {name[:200]!a}",
            field="target",
        )
    return target
