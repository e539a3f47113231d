"""The model server behind its fronts: methods over bytes, and the life of the process."""

import asyncio
import gc
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from functools import partial
from pathlib import Path

from modelyard.foundation.errors import ModelyardError
from modelyard.modelserver.batching import BatchingEngine, Limits
from modelyard.modelserver.calls import Calls
from modelyard.modelserver.engine import DirectEngine
from modelyard.modelserver.errors import UsageError
from modelyard.modelserver.fastpath import FastPath
from modelyard.modelserver.flags import Options
from modelyard.modelserver.health import Health
from modelyard.modelserver.management import Management
from modelyard.modelserver.model_config import read
from modelyard.modelserver.models import Load, LoadPolicy, Models
from modelyard.modelserver.predict import Predictor, not_offered
from modelyard.modelserver.rest import Rest
from modelyard.modelserver.servable import Servable
from modelyard.modelserver.versions import ModelTarget

log = logging.getLogger(__name__)

MAX_MESSAGE_BYTES = 64 << 20
"""Largest request, also after it was inflated."""

Unary = Callable[[bytes], Awaitable[bytes]]
Stream = Callable[[bytes], AsyncIterator[bytes]]

PREDICTION = "/tensorflow.serving.PredictionService"
NOT_OFFERED = ("Classify", "Regress", "MultiInference")
MODEL = "/tensorflow.serving.ModelService"


Prepare = Callable[[Options], Load]
"""Blocking: gets ready to load models. TensorFlow's import takes seconds, so it runs while health already answers."""


def tensorflow(options: Options) -> Load:
    from modelyard.modelserver import saved_model

    saved_model.configure(
        options.tensorflow_intra_op_parallelism,
        options.tensorflow_inter_op_parallelism,
        options.per_process_gpu_memory_fraction,
    )
    return partial(saved_model.load, tags=options.saved_model_tags, warmup=options.enable_model_warmup)


class ModelServer:
    def __init__(
        self, options: Options, targets: Sequence[ModelTarget], limits: Limits | None, prepare: "Prepare"
    ) -> None:
        """With `limits`, requests are batched. Needs a running event loop."""
        self._options = options
        self._targets = targets
        self._prepare = prepare
        self._load_folder: Load | None = None
        self.health = Health()
        self.calls = Calls()
        self._engine: DirectEngine | BatchingEngine = DirectEngine(options.tensorflow_session_parallelism)
        if limits is not None:
            self._engine = BatchingEngine(limits, options.tensorflow_session_parallelism)
        policy = LoadPolicy(
            retries=options.max_num_load_retries,
            retry_interval_s=options.load_retry_interval_micros / 1e6,
            labels_for_unavailable=options.allow_version_labels_for_unavailable_models,
        )
        self.models = Models(self._load, self._warm, self._forget, policy)
        self._shortcut = FastPath(self.models, self._engine) if isinstance(self._engine, BatchingEngine) else None
        self.predictor = Predictor(self.models, self._engine, self._shortcut)
        self.rest = Rest(self.models, self._engine)
        self.rest_timeout_s = options.rest_api_timeout_in_ms / 1000 or None
        management = Management(self.models)
        self.unary: dict[str, Unary] = {
            f"{PREDICTION}/Predict": self.predictor.predict,
            f"{PREDICTION}/GetModelMetadata": self.predictor.metadata,
            f"{MODEL}/GetModelStatus": management.get_model_status,
            f"{MODEL}/HandleReloadConfigRequest": management.reload_config,
            "/grpc.health.v1.Health/Check": self.health.check,
            **{f"{PREDICTION}/{name}": partial(not_offered, name) for name in NOT_OFFERED},
        }
        self.streams: dict[str, Stream] = {"/grpc.health.v1.Health/Watch": self.health.watch}

    async def run(self) -> None:
        """Loads the models, then follows their folders for ever. Raises CannotServe."""
        self._load_folder = await asyncio.to_thread(self._prepare, self._options)
        await self.models.start(self._targets)
        self.health.set(True)
        # TensorFlow's import leaves a million objects that never die: keep the collector from visiting them.
        gc.collect()
        gc.freeze()
        log.info("serving", extra={"models": [target.name for target in self._targets]})
        async with asyncio.TaskGroup() as watchers:
            watchers.create_task(self._follow_folders())
            watchers.create_task(self._follow_configuration())
            await asyncio.Event().wait()

    async def _follow_folders(self) -> None:
        if self._options.file_system_poll_wait_seconds > 0:
            await self.models.follow(self._options.file_system_poll_wait_seconds)

    async def _follow_configuration(self) -> None:
        """A file that cannot be used changes nothing."""
        wait_s, path = self._options.model_config_file_poll_wait_seconds, Path(self._options.model_config_file)
        current = list(self._targets)
        while self._options.model_config_file and wait_s > 0:
            await asyncio.sleep(wait_s)
            try:
                targets = await asyncio.to_thread(read, path)
                if targets != current:
                    current = targets
                    await self.models.reload(targets)
            except (UsageError, ModelyardError) as error:
                log.warning("configuration not taken", extra={"file": str(path), "error": str(error)})

    async def drain(self) -> None:
        """NOT_SERVING, nothing new; returns when the calls in flight have ended."""
        self.health.close()
        await self.calls.drain()

    def close(self) -> None:
        """After the last call was answered."""
        rows, calls = self._engine.rows, self._engine.calls
        log.info("drained", extra={"rows": rows, "calls": calls, "mean_batch_rows": round(rows / max(calls, 1), 2)})
        self._engine.close()

    def _load(self, name: str, version: int, folder: Path) -> Servable:
        assert self._load_folder is not None
        return self._load_folder(name, version, folder)

    def _forget(self, servable: Servable) -> None:
        if self._shortcut is not None:
            self._shortcut.forget(servable)

    async def _warm(self, servable: Servable) -> None:
        await self.predictor.warm(servable)
