"""Turns an assignment into an attempt that is ready to run."""

import os
from dataclasses import replace
from importlib.metadata import version

from modelyard.foundation.errors import ModelyardError
from modelyard.foundation.sync.cache import FolderCache
from modelyard.sdk.connection import Connection
from modelyard.sdk.discovery import Access
from modelyard.templates.specs import get_template
from modelyard.trainer.adapters.catalog import CatalogAttempt
from modelyard.trainer.adapters.scheduler import Scheduler
from modelyard.trainer.attempt import AttemptRun
from modelyard.trainer.domain import Found
from modelyard.trainer.orders import Assignment
from modelyard.trainer.reporter import Reporter
from modelyard.trainer.service import Running
from modelyard.trainer.settings import TrainerSettings
from modelyard.trainer.work import Work
from modelyard.trainer.workspace import Workspace


class Launcher:
    """Knows where everything is."""

    def __init__(self, settings: TrainerSettings, scheduler: Scheduler, cache: FolderCache, found: Found) -> None:
        self._settings = settings
        self._scheduler = scheduler
        self._cache = cache
        self._frameworks = {"tensorflow": found.tensorflow_version, "keras": version("keras")}

    def start(self, assignment: Assignment) -> Running:
        """An attempt with its own connection to the catalog, by its own token."""
        token = [assignment.token]
        ca_file = self._settings.server.tls_ca_file
        access = Access(self._settings.server.target, ca_file=str(ca_file) if ca_file else "")
        connection = Connection(access, token=lambda: token[0])
        reporter = Reporter(assignment.attempt, self._scheduler)
        work = self._work(assignment)
        catalog = CatalogAttempt(connection, work, self._cache, self._frameworks)
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
            visible_gpus=os.environ.get("CUDA_VISIBLE_DEVICES", ""),
        )
        try:
            template = get_template(assignment.template)
            # Protobuf has one kind of number; the template knows which are whole.
            parameters = template.complete(assignment.parameters)
        except ModelyardError as error:
            return replace(work, problem=f"this worker, of modelyard {version('modelyard')}, can't: {error.message}")
        return replace(work, code=template.folder, entry=template.entry, parameters=parameters)
