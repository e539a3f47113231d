"""An attempt's inputs in its folder, and what its process is started with."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from modelyard.foundation.sandbox.policy import Tier
from modelyard.foundation.sandbox.preparation import tier_for_data
from modelyard.templates.specs import Kind
from modelyard.trainer.package import REQUIREMENTS_FILE, read_package, shipped_requirements
from modelyard.trainer.reporter import Reporter
from modelyard.trainer.work import Distribution, Inputs, Resume, Work
from modelyard.trainer.workspace import Workspace


@dataclass(frozen=True, slots=True)
class Ready:
    """All is here."""

    code: Path
    entry: str
    parameters: Mapping[str, Any]
    resume: Resume | None
    site_packages: tuple[Path, ...] = ()
    distributions: tuple[Distribution, ...] = ()
    trees: tuple[Path, ...] = field(default_factory=tuple)
    """Folders outside of the attempt's own that the process reads."""
    earlier_versions: tuple[str, ...] = ()
    """Of the dataset, whose profiles lie among the inputs."""
    tier: Tier = Tier.SHIPPED
    """Of the sandbox that the process gets."""


@contextlib.asynccontextmanager
async def prepared(work: Work, workspace: Workspace, inputs: Inputs, reporter: Reporter) -> AsyncIterator[Ready]:
    """Fetch what the attempt needs, and keep it while the context is open. Raises AttemptFailed or AttemptStopped."""
    await asyncio.to_thread(workspace.create)
    resume = await inputs.begin(reporter)
    async with contextlib.AsyncExitStack() as stack:
        ready = Ready(work.code, work.entry, work.parameters, resume, trees=(work.code,) if work.entry else ())
        if work.package_version:
            ready = await _with_package(work, inputs, reporter, resume, stack)
        elif (work.code / REQUIREMENTS_FILE).is_file():
            wanted = await asyncio.to_thread(shipped_requirements, work.code, work.parameters)
            ready = await _installed(ready, wanted, inputs, reporter, stack)
        trees = [*ready.trees]

        async def give(place: Path, copy: contextlib.AbstractAsyncContextManager[Path]) -> None:
            tree = await stack.enter_async_context(copy)
            await asyncio.to_thread(place.symlink_to, tree, target_is_directory=True)
            trees.append(tree)

        if work.dataset_version:
            await give(workspace.dataset, inputs.dataset(reporter))
        if work.model_version:
            await give(workspace.input_model, inputs.files(work.model_version, work.model_digest, reporter))
        if work.source_version:
            await give(workspace.source, inputs.files(work.source_version, work.source_digest, reporter))
        earlier = await inputs.earlier_profiles(workspace.earlier, reporter) if work.kind is Kind.PROFILE else ()
        if resume is not None:
            await inputs.checkpoint(resume, workspace.resume, reporter)
            await inputs.run_so_far(workspace.run_output, reporter)
            reporter.start_step = resume.step
            reporter.progress.step = reporter.progress.checkpoint_step = resume.step
        tier = await _tier(work, inputs, reporter)
        yield replace(ready, trees=tuple(trees), earlier_versions=earlier, tier=tier)


async def _tier(work: Work, inputs: Inputs, reporter: Reporter) -> Tier:
    """Code and models of others run in the strong sandbox or not at all; what only decodes their data runs, where there
    is none, in the one that training has."""
    if not work.foreign:
        return Tier.SHIPPED
    if work.package_version or work.source_version:
        return Tier.FOREIGN
    if work.model_version and await inputs.made_by_others(work.model_version, reporter):
        return Tier.FOREIGN
    return await asyncio.to_thread(tier_for_data)


async def _with_package(
    work: Work, inputs: Inputs, reporter: Reporter, resume: Resume | None, stack: contextlib.AsyncExitStack
) -> Ready:
    code = await stack.enter_async_context(inputs.files(work.package_version, work.package_digest, reporter))
    name = work.package_version.split("/")[3]
    package = await asyncio.to_thread(read_package, code, name, work.entry, work.parameters)
    ready = Ready(code, package.entry, package.parameters, resume, trees=(code,))
    return await _installed(ready, package.requirements, inputs, reporter, stack)


async def _installed(
    ready: Ready, requirements: bytes, inputs: Inputs, reporter: Reporter, stack: contextlib.AsyncExitStack
) -> Ready:
    if not requirements.strip():
        return ready
    installed = await stack.enter_async_context(inputs.installed(requirements, reporter))
    return replace(
        ready,
        site_packages=(installed.folder,),
        distributions=installed.distributions,
        trees=(*ready.trees, installed.folder),
    )
