"""The models this server has: what is loaded, what answers, and the loop that follows the folders.

A new version is loaded and warmed before the old one goes (TensorFlow Serving's availability-preserving policy). A base
path that disappears or runs empty changes nothing: what is loaded goes on answering.
"""

import asyncio
import gc
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path

from modelyard.modelserver.errors import (
    CannotServe,
    InvalidRequest,
    LabelNotAssignable,
    ModelLoading,
    ModelNotLoaded,
    ServableNotFound,
)
from modelyard.modelserver.servable import Servable
from modelyard.modelserver.versions import ModelTarget, choose, scan

log = logging.getLogger(__name__)


class State(IntEnum):
    """tensorflow.serving.ModelVersionStatus.State."""

    START = 10
    LOADING = 20
    AVAILABLE = 30
    UNLOADING = 40
    END = 50


@dataclass(slots=True)
class VersionStatus:
    version: int
    state: State
    error: str = ""


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which servable a request means."""

    name: str
    version: int | None = None
    label: str = ""


@dataclass(frozen=True, slots=True)
class LoadPolicy:
    retries: int = 5
    retry_interval_s: float = 60.0
    labels_for_unavailable: bool = False


Load = Callable[[str, int, Path], Servable]
"""Blocking: (name, version, folder) -> servable. CannotServe = not worth a retry; any other exception is retried."""
Unloaded = Callable[[Servable], None]
"""Told when a version no longer answers, to let go of it."""
Warm = Callable[[Servable], Awaitable[None]]


class Models:
    def __init__(self, load: Load, warm: Warm, unloaded: Unloaded, policy: LoadPolicy) -> None:
        self._load = load
        self._warm = warm
        self._unloaded = unloaded
        self._policy = policy
        self._targets: dict[str, ModelTarget] = {}
        self._status: dict[str, dict[int, VersionStatus]] = {}
        self._available: dict[str, dict[int, Servable]] = {}
        self._labels: dict[str, dict[str, int]] = {}
        self._pass = asyncio.Lock()
        self._settled = False

    @property
    def ready(self) -> bool:
        """Every model has a version that answers."""
        return self._settled and bool(self._targets) and all(self._available.get(name) for name in self._targets)

    async def start(self, targets: Sequence[ModelTarget]) -> None:
        """Loads every model; raises CannotServe with a sentence if one has no version that answers."""
        for target in targets:
            check_base_path(target)
        async with self._pass:
            self._targets = {target.name: target for target in targets}
            for target in targets:
                await self._follow(target)
                self._require_answer(target)
                self._assign_labels(target, allow_unavailable=self._policy.labels_for_unavailable)
            self._settled = True

    async def follow(self, wait_s: float) -> None:
        """Looks for new and removed versions for ever."""
        while True:
            await asyncio.sleep(wait_s)
            async with self._pass:
                for target in list(self._targets.values()):
                    await self._follow(target)

    async def reload(self, targets: Sequence[ModelTarget]) -> None:
        """Makes `targets` the whole configuration; returns when they are loaded.

        Raises ModelNotLoaded, LabelNotAssignable.
        """
        async with self._pass:
            for name in self._targets.keys() - {target.name for target in targets}:
                for version in list(self._available.get(name, ())):
                    self._unload(name, version)
                del self._targets[name]
                self._labels.pop(name, None)
            for target in targets:
                self._targets[target.name] = target
                await self._follow(target)
            failed = [message for target in targets if (message := self._no_answer(target))]
            if failed:
                raise ModelNotLoaded("; ".join(failed))
            for target in targets:
                self._assign_labels(target, allow_unavailable=False)

    def resolve(self, wanted: Wanted) -> Servable:
        """Raises InvalidRequest, ModelLoading, ServableNotFound."""
        if not wanted.name:
            raise InvalidRequest("ModelSpec has no name specified.", field="model_spec.name")
        available = self._available.get(wanted.name, {})
        version = wanted.version
        if wanted.label:
            version = self._labels.get(wanted.name, {}).get(wanted.label)
            if version is None:
                raise InvalidRequest(
                    f"Unrecognized servable version label: {wanted.label}", field="model_spec.version_label"
                )
        if version is None and available:
            return available[max(available)]
        servable = None if version is None else available.get(version)
        if servable is not None:
            return servable
        if not self._settled and (wanted.name in self._targets or not self._targets):
            raise ModelLoading(f"model {wanted.name} is being loaded; try again in a moment", model=wanted.name)
        request = f"Latest({wanted.name})" if version is None else f"Specific({wanted.name}, {version})"
        raise ServableNotFound(f"Servable not found for request: {request}", field="model_spec")

    def status(self, wanted: Wanted) -> list[VersionStatus]:
        """Newest first. Raises InvalidRequest, ServableNotFound."""
        if not wanted.name:
            raise InvalidRequest("Missing ModelSpec", field="model_spec")
        version = self.resolve(wanted).version if wanted.label else wanted.version
        known = self._status.get(wanted.name, {})
        if not known:
            raise ServableNotFound(f"Could not find any versions of model {wanted.name}", field="model_spec.name")
        if version is None:
            return [known[number] for number in sorted(known, reverse=True)]
        if version not in known:
            raise ServableNotFound(f"Could not find version {version} of model {wanted.name}", field="model_spec")
        return [known[version]]

    async def _follow(self, target: ModelTarget) -> None:
        try:
            folders = await asyncio.to_thread(scan, target.base_path)
        except OSError as error:
            log.warning("base path unreadable", extra={"model": target.name, "error": str(error)})
            return
        desired = choose(folders, target.policy)
        if not desired:
            log.warning("no versions under base path", extra={"model": target.name, "base_path": target.base_path})
            return
        known = self._status.setdefault(target.name, {})
        # A version that failed and was taken away may come back repaired.
        for number in [n for n, status in known.items() if n not in folders and status.state is State.END]:
            del known[number]
        for number in desired:
            if number not in known or (known[number].state is State.END and not known[number].error):
                await self._bring_up(target.name, number, folders[number])
        loaded = self._available.get(target.name, {})
        if any(number in loaded for number in desired):
            for number in [n for n in loaded if n not in desired]:
                self._unload(target.name, number)

    async def _bring_up(self, name: str, version: int, folder: Path) -> None:
        status = VersionStatus(version, State.LOADING)
        self._status[name][version] = status
        for attempt in range(self._policy.retries + 1):
            try:
                servable = await asyncio.to_thread(self._load, name, version, folder)
                await self._warm(servable)
            except CannotServe as error:
                status.error = str(error)
                break
            except Exception as error:
                facts = {"model": name, "version": version, "attempt": attempt}
                log.warning("load failed", exc_info=error, extra=facts)
                status.error = f"{type(error).__name__}: {error}"
                if attempt < self._policy.retries:
                    await asyncio.sleep(self._policy.retry_interval_s)
            else:
                status.error, status.state = "", State.AVAILABLE
                self._available.setdefault(name, {})[version] = servable
                log.info("version available", extra={"model": name, "version": version})
                return
        status.state = State.END
        log.error("version cannot be served", extra={"model": name, "version": version, "error": status.error})

    def _unload(self, name: str, version: int) -> None:
        """Calls in flight hold the servable, and its memory, until they end."""
        self._unloaded(self._available[name].pop(version))
        self._status[name][version].state = State.END
        gc.collect()
        log.info("version unloaded", extra={"model": name, "version": version})

    def _assign_labels(self, target: ModelTarget, *, allow_unavailable: bool) -> None:
        available = self._available.get(target.name, {})
        for label, version in target.labels.items():
            if version not in available and not allow_unavailable:
                raise LabelNotAssignable(
                    f"Request to assign label {label} to version {version} of model {target.name}, which is not "
                    "currently available for inference"
                )
        self._labels[target.name] = dict(target.labels)

    def _require_answer(self, target: ModelTarget) -> None:
        message = self._no_answer(target)
        if message:
            raise CannotServe(message)

    def _no_answer(self, target: ModelTarget) -> str:
        if self._available.get(target.name):
            return ""
        failed = [status for status in self._status.get(target.name, {}).values() if status.error]
        if failed:
            newest = max(failed, key=lambda status: status.version)
            return f"model {target.name} version {newest.version} cannot be served: {newest.error}"
        try:
            check_base_path(target)
        except CannotServe as error:
            return str(error)
        return f"model {target.name} has no version that answers"


def check_base_path(target: ModelTarget) -> None:
    """Raises CannotServe: a cheap look before TensorFlow is imported."""
    try:
        folders = scan(target.base_path)
    except FileNotFoundError:
        raise CannotServe(f"model {target.name}: base path {target.base_path} does not exist") from None
    except OSError as error:
        raise CannotServe(
            f"model {target.name}: base path {target.base_path} cannot be read: {error.strerror}"
        ) from None
    if not choose(folders, target.policy):
        found = (
            f"it has {', '.join(map(str, sorted(folders)))}, none of which is asked for"
            if folders
            else ("a version is a folder named by a number, for example 1/saved_model.pb")
        )
        raise CannotServe(f"model {target.name}: no versions under base path {target.base_path}; {found}")
