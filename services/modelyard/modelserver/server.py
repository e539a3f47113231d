"""The model server behind its fronts: methods over bytes, and the life of the process."""

import asyncio
import importlib
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from modelyard.modelserver.batching import BatchingEngine, Limits
from modelyard.modelserver.engine import DirectEngine
from modelyard.modelserver.fastpath import FastPath
from modelyard.modelserver.flags import Options
from modelyard.modelserver.health import Health
from modelyard.modelserver.management import Management
from modelyard.modelserver.models import LoadPolicy, Models
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
MODEL = "/tensorflow.serving.ModelService"


class ModelServer:
    def __init__(self, options: Options, targets: Sequence[ModelTarget], limits: Limits | None = None) -> None:
        """With `limits`, requests are batched. Needs a running event loop."""
        self._options = options
        self._targets = targets
        self._saved_model: Any = None
        self.health = Health()
        self._engine: DirectEngine | BatchingEngine = DirectEngine(options.tensorflow_session_parallelism)
        if limits is not None:
            self._engine = BatchingEngine(limits, options.tensorflow_session_parallelism)
        policy = LoadPolicy(
            retries=options.max_num_load_retries,
            retry_interval_s=options.load_retry_interval_micros / 1e6,
            labels_for_unavailable=options.allow_version_labels_for_unavailable_models,
        )
        self.models = Models(self._load, self._warm, policy)
        shortcut = FastPath(self.models, self._engine) if isinstance(self._engine, BatchingEngine) else None
        self.predictor = Predictor(self.models, self._engine, shortcut)
        self.rest = Rest(self.models, self._engine)
        self.rest_timeout_s = options.rest_api_timeout_in_ms / 1000 or None
        management = Management(self.models)
        self.unary: dict[str, Unary] = {
            f"{PREDICTION}/Predict": self.predictor.predict,
            f"{PREDICTION}/GetModelMetadata": self.predictor.metadata,
            f"{MODEL}/GetModelStatus": management.get_model_status,
            f"{MODEL}/HandleReloadConfigRequest": management.reload_config,
            "/grpc.health.v1.Health/Check": self.health.check,
            **{f"{PREDICTION}/{name}": partial(not_offered, name) for name in ("Classify", "Regress", "MultiInference")},
        }
        self.streams: dict[str, Stream] = {"/grpc.health.v1.Health/Watch": self.health.watch}

    async def run(self) -> None:
        """Loads the models, then follows their folders for ever. Raises CannotServe."""
        self._saved_model = await asyncio.to_thread(importlib.import_module, "modelyard.modelserver.saved_model")
        options = self._options
        self._saved_model.configure(
            options.tensorflow_intra_op_parallelism,
            options.tensorflow_inter_op_parallelism,
            options.per_process_gpu_memory_fraction,
        )
        await self.models.start(self._targets)
        self.health.set(True)
        log.info("serving", extra={"models": [target.name for target in self._targets]})
        if options.file_system_poll_wait_seconds > 0:
            await self.models.follow(options.file_system_poll_wait_seconds)
        await asyncio.Event().wait()

    def close(self) -> None:
        self._engine.close()

    def _load(self, name: str, version: int, folder: Path) -> Servable:
        servable: Servable = self._saved_model.load(
            name, version, folder, self._options.saved_model_tags, self._options.enable_model_warmup
        )
        return servable

    async def _warm(self, servable: Servable) -> None:
        await self.predictor.warm(servable)
