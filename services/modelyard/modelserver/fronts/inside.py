"""The pyvoy front's inner half: the ASGI app that Envoy loads.

Its options and its line to the parent come in the environment.
"""

import asyncio
import atexit
import json
import os
import socket
from typing import Any

from modelyard.foundation.telemetry import logs
from modelyard.modelserver.errors import CannotServe
from modelyard.modelserver.flags import parse
from modelyard.modelserver.fronts.asgi import App, Message, Receive, Send
from modelyard.modelserver.fronts.envoy import ARGUMENTS, CONTROL_FD
from modelyard.modelserver.model_config import configuration
from modelyard.modelserver.server import ModelServer, Prepare, tensorflow


class Inside:
    """Starts the server when Envoy starts the app, so that everything lives on the one event loop of the app."""

    def __init__(self, prepare: Prepare) -> None:
        self._prepare = prepare
        self._app: App | None = None
        self._tasks: list[asyncio.Task[None]] = []

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        if self._app is not None and scope["type"] == "http":
            await self._app(scope, receive, send)
        elif scope["type"] == "lifespan":
            await receive()
            await self._start()
            await send({"type": "lifespan.startup.complete"})
            await receive()
            await send({"type": "lifespan.shutdown.complete"})

    async def _start(self) -> None:
        logs.configure("modelserver")
        options = parse(json.loads(os.environ[ARGUMENTS])).options
        server = ModelServer(options, *configuration(options), self._prepare)
        self._app = App(server)
        control = socket.socket(fileno=int(os.environ[CONTROL_FD]))
        reader, writer = await asyncio.open_connection(sock=control)
        self._tasks = [
            asyncio.create_task(self._run(server, writer)),
            asyncio.create_task(self._obey(server, reader, writer)),
        ]

    async def _run(self, server: ModelServer, writer: asyncio.StreamWriter) -> None:
        try:
            await server.run()
        except CannotServe as error:
            _leave_quietly()
            _say(writer, event="failed", expected=True, message=str(error))
        except Exception as error:
            _say(writer, event="failed", expected=False, message=f"{type(error).__name__}: {error}")
            raise

    async def _obey(self, server: ModelServer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if (await reader.readline()).strip() == b"drain":
            await server.drain()
            server.close()
            _leave_quietly()
            _say(writer, event="drained")


def _leave_quietly() -> None:
    """Envoy ends the interpreter after TensorFlow's libraries expect it to end, and they say so at length."""
    atexit._clear()


def _say(writer: asyncio.StreamWriter, **event: Any) -> None:
    writer.write(json.dumps(event).encode() + b"\n")


app = Inside(tensorflow)
