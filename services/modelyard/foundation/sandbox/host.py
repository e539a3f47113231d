"""The parts of this machine that every program needs: readable in both tiers."""

import functools
import os
import sys
from collections.abc import Iterable
from pathlib import Path

import modelyard

_SYSTEM = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32", "/nix/store", "/gnu/store")
_CONFIGURATION = (
    "alternatives",
    "debian_version",
    "ld.so.cache",
    "ld.so.conf",
    "ld.so.conf.d",
    "localtime",
    "lsb-release",
    "mime.types",
    "nsswitch.conf",
    "os-release",
    "OpenCL",
    "protocols",
    "services",
    "ssl/openssl.cnf",
)
_NETWORK_CONFIGURATION = ("ca-certificates", "gai.conf", "host.conf", "hosts", "pki", "resolv.conf", "ssl/certs")
"""Below /etc. Not all of /etc: there are keys in it."""
_HARDWARE = ("/sys/devices/system/cpu", "/sys/devices/system/node")
_ACCELERATORS = ("/sys/bus/pci", "/sys/devices", "/sys/module/nvidia", "/sys/module/nvidia_uvm")


def system(*, network: bool, accelerators: bool) -> list[Path]:
    """Those of the system that exist here."""
    names = [*_SYSTEM, *_HARDWARE, *(_ACCELERATORS if accelerators else ())]
    names += [f"/etc/{name}" for name in (*_CONFIGURATION, *(_NETWORK_CONFIGURATION if network else ()))]
    return [path for path in map(Path, names) if os.path.lexists(path)]


@functools.cache
def interpreter() -> tuple[Path, ...]:
    """This Python, its packages, and modelyard itself, without what /usr holds."""
    own = Path(modelyard.__path__[0])
    # Not all of sys.path: a checkout or a script's folder is nobody's business in there.
    packages = [place for place in map(Path, sys.path) if place.name in ("site-packages", "dist-packages")]
    needed = [own, Path(sys.base_prefix), Path(sys.prefix), *(place for place in packages if place.is_dir())]
    return tuple(path for path in outermost(needed) if not path.is_relative_to("/usr"))


def import_folders() -> list[Path]:
    """Where modelyard lies: Python lists the folder before it opens the package."""
    own = Path(modelyard.__path__[0])
    return [own.parent] if str(own.parent) in sys.path else []


def outermost(paths: Iterable[Path]) -> list[Path]:
    """Without those that lie in another; each also under its real name, where links lead elsewhere."""
    every = sorted({name for path in paths for name in (path, path.resolve())})
    return [path for path in every if not any(path.is_relative_to(other) for other in every if other != path)]
