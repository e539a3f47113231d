"""The prediction path of one process, put together from the settings; the same for both fronts."""

import logging

import grpc
from prometheus_client import CollectorRegistry

from modelyard.foundation.auth.credentials import TokenFile
from modelyard.foundation.auth.revocation_feed import follow_revocations
from modelyard.foundation.auth.tokens import Verifier
from modelyard.foundation.config import ChannelSettings
from modelyard.foundation.rpc.channel import connect
from modelyard.foundation.telemetry.metrics import Exposition
from modelyard.proxy.access_log import AccessLog
from modelyard.proxy.adapters.upstream import Upstream
from modelyard.proxy.adapters.watch import RouteWatch
from modelyard.proxy.domain import RouteTable
from modelyard.proxy.metrics import PredictionMetrics
from modelyard.proxy.service import Predictions
from modelyard.proxy.settings import ProxySettings

log = logging.getLogger(__name__)

_SPARE_S = 5.0


class Runtime:
    """Must be built in the event loop that it will run in."""

    def __init__(self, settings: ProxySettings, upstream: Upstream) -> None:
        self.upstream = upstream
        self._registry = CollectorRegistry()
        self._access_log = AccessLog(settings.access_log)
        self._channels = {name: self._channel(settings, getattr(settings, name)) for name in ("catalog", "inference")}
        self._revocations = follow_revocations(self._channels["catalog"])
        self.predictions = Predictions(
            Verifier(settings.identity.trust_file, revoked=self._revocations.is_revoked),
            settings.predictions,
            lambda in_flight: PredictionMetrics(self._registry, in_flight),
            self._access_log,
        )
        self._watch = RouteWatch(self._channels["inference"], self._use)
        self._exposition = Exposition(self._registry, settings.metrics.listen) if settings.metrics.listen else None

    async def start(self) -> None:
        self._revocations.start()
        self._watch.start()
        if self._exposition is not None:
            log.info("metrics", extra={"address": await self._exposition.start()})

    async def stop(self) -> None:
        await self._watch.stop()
        await self._revocations.stop()
        if self._exposition is not None:
            await self._exposition.stop()
        await self.upstream.close()
        for channel in self._channels.values():
            await channel.close()
        self._access_log.close()

    async def _use(self, table: RouteTable) -> None:
        await self.upstream.prepare(table.endpoints)
        self.predictions.use(table)

    def _channel(self, settings: ProxySettings, to: ChannelSettings) -> grpc.aio.Channel:
        file = settings.identity.token_file
        return connect(to, credentials=TokenFile(file) if file else None, max_message_bytes=64 * 1024 * 1024)


def retire_s(settings: ProxySettings) -> float:
    """After this, nothing can be in flight to a model server that no table has any more."""
    return settings.predictions.timeout_s + _SPARE_S
