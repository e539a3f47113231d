"""FileService."""

from modelyard.api.catalog.v1 import file_service_pb2 as pb
from modelyard.api.catalog.v1.file_service_pb2_grpc import FileServiceServicer
from modelyard.catalog.domain.names import parse_readable
from modelyard.catalog.service.files import FileService
from modelyard.catalog.servicers.messages import timestamp
from modelyard.catalog.servicers.requests import Context, Origin, Page, origin_of
from modelyard.foundation.auth.identity import current_identity
from modelyard.foundation.pages import PageTokens
from modelyard.tree import Entry

DEFAULT_FILES = 1000
MAX_FILES = 10_000


class FileServicer(FileServiceServicer):
    def __init__(self, files: FileService, origin: Origin, tokens: PageTokens) -> None:
        self._files = files
        self._origin = origin
        self._tokens = tokens

    async def ListFiles(self, request: pb.ListFilesRequest, context: object) -> pb.ListFilesResponse:
        name = parse_readable(request.parent, "parent")
        page = Page(
            self._tokens,
            "ListFiles",
            request.parent,
            request.page_size,
            request.page_token,
            default=DEFAULT_FILES,
            largest=MAX_FILES,
        )
        found, tree = await self._files.page(current_identity(), name, page.after, page.limit)
        return pb.ListFilesResponse(
            files=map(_file_message, page.shown(found)),
            next_page_token=page.next_token(found, lambda entry: entry.path),
            digest=tree.digest,
        )

    async def SignReads(self, request: pb.SignReadsRequest, context: Context) -> pb.SignReadsResponse:
        name = parse_readable(request.name, "name")
        signed = await self._files.sign_reads(current_identity(), name, origin_of(context, self._origin))
        return pb.SignReadsResponse(
            name=signed.name,
            digest=signed.digest,
            manifest_url=signed.manifest_url,
            packs=[pb.SignedPack(pack=pack.id, size_bytes=pack.size, url=url) for pack, url in signed.packs],
            expire_time=timestamp(signed.expire_time),
        )


def _file_message(entry: Entry) -> pb.File:
    return pb.File(path=entry.path, size_bytes=entry.size, digest=f"sha256:{entry.sha256}")
