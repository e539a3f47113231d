"""Turns an assignment into an attempt that is ready to run."""

import os
import platform
import sys
from dataclasses import replace
from importlib.metadata import version

from modelyard.foundation.errors import ModelyardError
from modelyard.foundation.sync.cache import FolderCache
from modelyard.sdk.connection import Connection
from modelyard.sdk.discovery import Access
from modelyard.templates.specs import Kind, get_template
from modelyard.trainer.adapters.catalog import CatalogAttempt
from modelyard.trainer.adapters.scheduler import Scheduler
from modelyard.trainer.attempt import AttemptRun
from modelyard.trainer.domain import Found
from modelyard.trainer.gpus import Gpu, gpus
from modelyard.trainer.installing import Installer
from modelyard.trainer.limits import beside, build_limits, job_limits
from modelyard.trainer.orders import Assignment
from modelyard.trainer.reporter import Reporter
from modelyard.trainer.service import Running
from modelyard.trainer.settings import TrainerSettings
from modelyard.trainer.work import Work
from modelyard.trainer.workspace import Workspace

PROFILE_PROGRAM = ("nice", "-n", "19", sys.executable, "-m", "modelyard.templates.profile")
"""Starts in no time, as it imports no TensorFlow, and gets the processor when nobody else wants it."""


class Launcher:
    """Knows where everything is."""

    def __init__(self, settings: TrainerSettings, scheduler: Scheduler, cache: FolderCache, found: Found) -> None:
        self._settings = settings
        self._scheduler = scheduler
        self._cache = cache
        self._installer = Installer(cache, settings.work_folder / "builds", build_limits(settings.limits))
        self._visible_gpus = visible_gpus(os.environ.get("CUDA_VISIBLE_DEVICES", ""), found, gpus())
        self._frameworks = {
            "tensorflow": found.tensorflow_version,
            "keras": version("keras"),
            "python": platform.python_version(),
        }

    def start(self, assignment: Assignment) -> Running:
        """An attempt with its own connection to the catalog, by its own token."""
        token = [assignment.token]
        ca_file = self._settings.server.tls_ca_file
        access = Access(self._settings.server.target, ca_file=str(ca_file) if ca_file else "")
        connection = Connection(access, token=lambda: token[0])
        reporter = Reporter(assignment.attempt, self._scheduler)
        work = self._work(assignment)
        catalog = CatalogAttempt(connection, work, self._cache, self._installer, self._frameworks)
        run = AttemptRun(work, Workspace(self._settings.work_folder, assignment.attempt), catalog, catalog, reporter)

        def renew(fresh: str) -> None:
            token[0] = fresh

        return Running(run, reporter, renew, connection.close)

    def _work(self, assignment: Assignment) -> Work:
        work = Work(
            attempt=assignment.attempt,
            dataset_version=assignment.dataset_version,
            dataset_digest=assignment.dataset_digest,
            model=assignment.model,
            devices=assignment.devices,
            cpu_threads=self._settings.cpu_threads,
            checkpoint_every_s=self._settings.checkpoint_every_s,
            visible_gpus=self._visible_gpus,
            entry=assignment.entry,
            parameters=assignment.parameters,
            package_version=assignment.package_version,
            package_digest=assignment.package_digest,
            model_version=assignment.model_version,
            model_digest=assignment.model_digest,
            source_version=assignment.source_version,
            source_digest=assignment.source_digest,
            output_dataset=assignment.output_dataset,
            limits=job_limits(self._settings.limits, assignment.max_runtime_s),
        )
        if assignment.package_version:
            return work
        try:
            template = get_template(assignment.template)
            # Protobuf has one kind of number; the template knows which are whole.
            parameters = template.complete(assignment.parameters)
        except ModelyardError as error:
            return replace(work, problem=f"this worker, of modelyard {version('modelyard')}, can't: {error.message}")
        work = replace(work, kind=template.kind, code=template.folder, entry=template.entry, parameters=parameters)
        if template.kind is Kind.PROFILE:
            limits = beside(work.limits, self._settings.limits)
            return replace(work, program=PROFILE_PROGRAM, limits=limits, cpu_threads=1)
        return work


def visible_gpus(variable: str, found: Found, known: list[Gpu]) -> str:
    """The names of this worker's GPUs in the order of their numbers, as CUDA_VISIBLE_DEVICES has them.

    UUIDs where the driver tells them: a job that sees only its own GPUs' nodes numbers them anew.
    """
    usable = [device for device in found.devices if device.kind == "gpu" and not device.problem]
    if variable or len(usable) != len(known) or not all(gpu.uuid for gpu in known):
        return variable
    return ",".join(gpu.uuid for gpu in known)
