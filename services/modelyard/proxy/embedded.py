"""The prediction path inside Envoy: an ASGI app that its filter calls on the prediction routes."""

import gc
import logging
import os

from modelyard.foundation.telemetry import logs
from modelyard.proxy.adapters.envoy_upstream import EnvoyUpstream
from modelyard.proxy.asgi_types import Event, Receive, Send
from modelyard.proxy.embedding import SETTINGS_VARIABLE
from modelyard.proxy.envoy.bootstrap import admin_socket, cluster_file
from modelyard.proxy.grpc_asgi import GrpcOverAsgi
from modelyard.proxy.rest import RestOverAsgi
from modelyard.proxy.runtime import Runtime, retire_s
from modelyard.proxy.settings import ProxySettings

log = logging.getLogger(__name__)

_REST = "/v1/"
_GC_YOUNG = 20_000


class App:
    """Built in the lifespan, which runs in the loop that serves."""

    def __init__(self) -> None:
        self._grpc: GrpcOverAsgi | None = None
        self._rest: RestOverAsgi | None = None

    async def __call__(self, scope: Event, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._live(receive, send)
        elif scope["path"].startswith(_REST):
            if self._rest is not None:
                await self._rest(scope, receive, send)
        elif self._grpc is not None:
            await self._grpc(scope, receive, send)

    async def _live(self, receive: Receive, send: Send) -> None:
        await receive()
        settings = ProxySettings.model_validate_json(os.environ[SETTINGS_VARIABLE])
        logs.configure("proxy", level=settings.log.level, format=settings.log.format)
        upstream = EnvoyUpstream(
            settings.backends,
            cluster_file(settings.run_dir),
            admin_socket(settings.run_dir),
            settings.predictions.max_message_bytes,
            retire_s(settings),
        )
        runtime = Runtime(settings, upstream)
        self._grpc = GrpcOverAsgi(runtime.predictions, upstream)
        self._rest = RestOverAsgi(runtime.predictions, upstream, settings.predictions.max_json_bytes)
        await runtime.start()
        # What is there now stays; young garbage of a few thousand requests is not worth looking through often.
        gc.collect()
        gc.freeze()
        gc.set_threshold(_GC_YOUNG, 20, 20)
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await runtime.stop()
        await send({"type": "lifespan.shutdown.complete"})


app = App()
