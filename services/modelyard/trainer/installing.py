"""Installs what a requirements.txt asks for, apart from the job: without its data, its code, the worker's secrets."""

import asyncio
import contextlib
import importlib.util
import os
import platform
import shutil
import sys
import sysconfig
from collections import deque
from collections.abc import AsyncIterator, Mapping, Sequence
from importlib import metadata
from pathlib import Path

from modelyard.foundation.errors import ResourceExhausted
from modelyard.foundation.ids import new_uid
from modelyard.foundation.sandbox.confined import Confined
from modelyard.foundation.sandbox.outputs import HostileOutput, copy_out
from modelyard.foundation.sandbox.policy import End, EndKind, Limits, Sandbox, Tier
from modelyard.foundation.sync.cache import FolderCache
from modelyard.trainer.collected import seen_through
from modelyard.trainer.distributions import distributions, missing
from modelyard.trainer.domain import AttemptFailed, FailureClass
from modelyard.trainer.package_index import index_environment, index_files
from modelyard.trainer.removal import remove_tree
from modelyard.trainer.reporter import Reporter
from modelyard.trainer.requirements import MODULES, OURS, Requirements, parse_requirements, shadowed
from modelyard.trainer.work import Installed

_LAST_LINES = 20
_RESERVED_BYTES = 1 << 30
"""Room that is made in the cache before it is known how much is needed."""


class Installer:
    """This worker's installed requirements, in its cache."""

    def __init__(self, cache: FolderCache, folder: Path, limits: Limits) -> None:
        """`folder` is where they are built; `limits` are those of a build."""
        self._cache = cache
        self._folder = folder.resolve()
        self._limits = limits
        self._own = own_versions()
        self._platform = f"{sys.implementation.cache_tag} {sysconfig.get_platform()} {platform.libc_ver()[0]}"

    @contextlib.asynccontextmanager
    async def installed(self, content: bytes, reporter: Reporter) -> AsyncIterator[Installed]:
        """What a requirements.txt asks for. Raises AttemptFailed (REQUIREMENTS) or SandboxUnavailable."""
        requirements = parse_requirements(content, self._own)
        key = requirements.key(self._platform)
        if not self._cache.has(key):
            reporter.progress.stage = "installing"
            reporter.changed(urgent=True)

        async def build(folder: Path) -> None:
            await self._build(requirements, folder, reporter)

        async with contextlib.AsyncExitStack() as stack:
            try:
                folder = await stack.enter_async_context(self._cache.pinned(key, _RESERVED_BYTES, build))
            except ResourceExhausted as error:
                raise AttemptFailed(FailureClass.STORAGE, error.message) from error
            yield Installed(folder, await asyncio.to_thread(distributions, folder))

    async def _build(self, requirements: Requirements, folder: Path, reporter: Reporter) -> None:
        build = self._folder / new_uid()
        site = build / "site"
        try:
            for place in (site, build / "tmp"):
                await asyncio.to_thread(place.mkdir, parents=True)
            listed = build / "requirements.txt"
            await asyncio.to_thread(listed.write_text, requirements.text)
            if requirements.wanted:
                await self._run(build, [*_installer(), "--target", str(site), "-r", str(listed)], reporter)
            await asyncio.to_thread(folder.rmdir)
            await seen_through(copy_out, site, folder, self._limits)
            await asyncio.to_thread(_check, folder, self._own)
        except HostileOutput as error:
            raise AttemptFailed(
                FailureClass.REQUIREMENTS, f"what was installed for requirements.txt is not kept: {error.message}"
            ) from error
        finally:
            await seen_through(remove_tree, build)

    async def _run(self, build: Path, argv: Sequence[str], reporter: Reporter) -> None:
        """pip, which gets the index's settings and nothing else of the worker's."""
        last = deque[str](maxlen=_LAST_LINES)

        def show(_stream: str, line: str) -> None:
            last.append(line)
            reporter.line(line)

        scratch = str(build / "tmp")
        environment = index_environment(os.environ) | {
            "HOME": scratch,
            "TMPDIR": scratch,
            "PIP_CACHE_DIR": scratch,
            "UV_CACHE_DIR": scratch,
            "LANG": "C.UTF-8",
        }
        sandbox = Sandbox(
            tier=Tier.FOREIGN,
            readable=tuple(index_files(os.environ)),
            writable=(build,),
            limits=self._limits,
            network=True,
        )
        child = await Confined.start(sandbox, argv, environment=environment, cwd=build, on_line=show)
        try:
            end = await child.wait()
        finally:
            if child.running:
                child.kill()
                await child.wait()
        if not end.ok:
            raise _not_installed(end, last)


def own_versions() -> dict[str, str]:
    """The worker's versions of what every job runs on."""
    own: dict[str, str] = {}
    for name in OURS:
        with contextlib.suppress(metadata.PackageNotFoundError):
            own[name] = metadata.version(name)
    return own


def _installer() -> list[str]:
    """The command that installs wheels with known hashes and nothing else. Raises AttemptFailed if there is none."""
    if importlib.util.find_spec("pip") is not None:
        return [
            *(sys.executable, "-m", "pip", "install", "--require-hashes", "--only-binary", ":all:", "--no-deps"),
            *("--no-input", "--progress-bar", "off", "--disable-pip-version-check", "--no-cache-dir"),
            *("--root-user-action", "ignore"),
        ]
    if uv := shutil.which("uv"):
        return [
            *(uv, "pip", "install", "--python", sys.executable, "--require-hashes", "--no-build", "--no-deps"),
            *("--no-progress", "--no-config", "--compile-bytecode"),
        ]
    raise AttemptFailed(
        FailureClass.REQUIREMENTS,
        "this worker has neither pip nor uv to install requirements.txt with; "
        f"run `{sys.executable} -m ensurepip` there",
    )


def _check(folder: Path, own: Mapping[str, str]) -> None:
    """Raises AttemptFailed if what was installed would take the place of what every job runs on, or is not enough."""
    for module in MODULES:
        if (folder / module).exists() or (folder / f"{module}.py").exists():
            raise shadowed(module)
    lacks = missing(folder)
    if lacks:
        raise AttemptFailed(
            FailureClass.REQUIREMENTS,
            f"requirements.txt is not complete: {'; '.join(lacks[:5])}; list everything, as "
            "`uv pip compile --generate-hashes requirements.in -o requirements.txt` does",
        )


def _not_installed(end: End, last: Sequence[str]) -> AttemptFailed:
    said = [line for line in last if line.startswith(("ERROR:", "error:", "  ×"))] or list(last)
    why = said[-1].removeprefix("ERROR:").removeprefix("error:").strip(" ×") if said else str(end.exit)
    if end.kind is not EndKind.EXITED:
        why = end.message
    return AttemptFailed(
        FailureClass.REQUIREMENTS, f"requirements.txt could not be installed: {why[:1000]}", "\n".join(last)
    )
