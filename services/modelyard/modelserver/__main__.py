"""`python -m modelyard.modelserver`.

Exit codes: 0 drained after SIGTERM or SIGINT, 1 broken, 2 the flags or a file they name, 3 the model cannot be served,
4 address taken.
"""

import asyncio
import importlib.metadata
import logging
import os
import signal
import sys

from modelyard.foundation.telemetry import logs
from modelyard.modelserver.errors import AddressInUse, CannotServe, UsageError
from modelyard.modelserver.flags import parse, usage
from modelyard.modelserver.fronts import envoy
from modelyard.modelserver.model_config import configuration
from modelyard.modelserver.models import check_base_path
from modelyard.modelserver.server import ModelServer, Prepare, tensorflow

log = logging.getLogger("modelyard.modelserver")

EXIT_CODES = {UsageError: 2, CannotServe: 3, AddressInUse: 4}


async def serve(arguments: list[str], prepare: Prepare, app: str) -> None:
    command = parse(arguments)
    options = command.options
    for name in command.ignored:
        log.warning("flag has no effect here", extra={"flag": f"--{name}"})
    targets, limits = configuration(options)
    for target in targets:
        check_base_path(target)
    envoy.claim(options)
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    missing = "" if options.front == "aio" else envoy.missing()
    if missing and options.front == "pyvoy":
        raise UsageError(f"--front=pyvoy cannot run here: {missing}; use --front=auto")
    if options.front == "aio" or missing:
        from modelyard.modelserver.fronts.aio import AioFront

        log.info("front", extra={"front": "aio", "why": missing or "--front=aio"})
        await AioFront(ModelServer(options, targets, limits, prepare), options).run(stop)
    else:
        log.info("front", extra={"front": "pyvoy"})
        await envoy.Envoy(options, arguments, app).run(stop)


def main(arguments: list[str], prepare: Prepare = tensorflow, app: str = envoy.APP) -> int:
    """`app` is what Envoy loads, where it is the front; it prepares by itself."""
    if "--help" in arguments:
        print(usage())
        return 0
    if "--version" in arguments:
        print(f"modelyard model server {importlib.metadata.version('modelyard')}")
        print(f"TensorFlow Library: {importlib.metadata.version('tensorflow')}")
        return 0
    logs.configure("modelserver")
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    try:
        asyncio.run(serve(arguments, prepare, app))
    except (UsageError, CannotServe, AddressInUse) as error:
        log.error("cannot start", extra={"error": str(error)})
        return EXIT_CODES[type(error)]
    except Exception:
        log.exception("model server broke")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
