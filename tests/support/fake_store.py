"""Trees behind signed URLs, as FileService gives them out, on a loopback HTTP server."""

import hashlib
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import grpc

from modelyard.api.catalog.v1 import file_service_pb2, file_service_pb2_grpc
from modelyard.tree import File, digest, encode_manifest, plan_packs


@dataclass
class FakeStore(file_service_pb2_grpc.FileServiceServicer):
    """Holds objects by path; `publish` puts a tree there."""

    address: str
    objects: dict[str, bytes] = field(default_factory=dict)
    reads: dict[str, file_service_pb2.SignReadsResponse] = field(default_factory=dict)
    requested: list[str] = field(default_factory=list)
    """Objects that were read, in order."""
    down: bool = False

    def publish(self, name: str, files: Mapping[str, bytes]) -> str:
        """The digest of the tree."""
        plan = plan_packs(
            [File(path, len(data), hashlib.sha256(data).hexdigest()) for path, data in files.items()],
            prefix=f"{hashlib.sha256(name.encode()).hexdigest()[:12]}-",
        )
        answer = file_service_pb2.SignReadsResponse(name=name, digest=digest(plan.entries))
        answer.manifest_url = self._put(f"{name}/manifest", encode_manifest(plan.entries))
        for pack in plan.packs:
            url = self._put(f"{name}/{pack.pack}", b"".join(files[entry.path] for entry in pack.files))
            answer.packs.add(pack=pack.pack, size_bytes=pack.size, url=url)
        self.reads[name] = answer
        return answer.digest

    async def ListFiles(self, request: Any, context: Any) -> file_service_pb2.ListFilesResponse:
        await context.abort(grpc.StatusCode.UNIMPLEMENTED, "nobody needs it")
        raise AssertionError

    async def SignReads(self, request: Any, context: Any) -> file_service_pb2.SignReadsResponse:
        if self.down:
            await context.abort(grpc.StatusCode.UNAVAILABLE, "the catalog is away")
        if request.name not in self.reads:
            await context.abort(grpc.StatusCode.NOT_FOUND, f"{request.name} does not exist")
        return self.reads[request.name]

    def _put(self, path: str, data: bytes) -> str:
        self.objects[f"/{path}"] = data
        return f"http://{self.address}/{path}"


@contextmanager
def running_fake_store() -> Iterator[FakeStore]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            data = b"" if store.down else store.objects.get(self.path, b"")
            store.requested.append(self.path)
            self.send_response(503 if store.down else 200 if data else 404)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_: object) -> None:
            """Quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    store = FakeStore(f"127.0.0.1:{server.server_port}")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield store
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
