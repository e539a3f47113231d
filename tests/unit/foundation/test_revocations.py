"""Revocations follow the catalog, and survive its absence."""

from collections.abc import Sequence
from datetime import timedelta

from modelyard.foundation.auth.revocations import Revocation, RevocationPage, Revocations
from modelyard.foundation.clock import ManualClock
from modelyard.foundation.errors import Unavailable
from tests.support.eventually import eventually


class Catalog:
    """What the catalog would answer: everything after the cursor."""

    def __init__(self, clock: ManualClock) -> None:
        self.clock = clock
        self.revoked: list[Revocation] = []
        self.cursors: list[str] = []
        self.reachable = True

    def revoke(self, token_id: str, ttl_s: float = 3600) -> None:
        self.revoked.append(Revocation(token_id, self.clock.now() + timedelta(seconds=ttl_s)))

    async def list_revocations(self, since: str) -> RevocationPage:
        if not self.reachable:
            raise Unavailable("the catalog is away")
        self.cursors.append(since)
        page: Sequence[Revocation] = self.revoked[int(since or 0) :]
        return RevocationPage(page, str(len(self.revoked)))


async def test_what_is_revoked_is_known_after_a_poll() -> None:
    catalog = Catalog(ManualClock())
    revocations = Revocations(catalog.list_revocations, clock=catalog.clock)
    catalog.revoke("a")
    await revocations.poll()
    assert revocations.is_revoked("a")
    assert not revocations.is_revoked("b")
    catalog.revoke("b")
    await revocations.poll()
    assert revocations.is_revoked("a")
    assert revocations.is_revoked("b")
    assert catalog.cursors == ["", "1"]


async def test_it_polls_by_itself_and_through_an_outage() -> None:
    catalog = Catalog(ManualClock())
    revocations = Revocations(catalog.list_revocations, clock=catalog.clock, poll_s=0.01)
    catalog.revoke("a")
    revocations.start()
    try:
        await eventually(lambda: revocations.is_revoked("a"))
        catalog.reachable = False
        catalog.revoke("b")
        asked = len(catalog.cursors)
        assert revocations.is_revoked("a")
        catalog.reachable = True
        await eventually(lambda: revocations.is_revoked("b"))
        assert len(catalog.cursors) > asked
    finally:
        await revocations.stop()


async def test_a_revocation_is_forgotten_when_its_token_is_long_dead() -> None:
    catalog = Catalog(ManualClock())
    revocations = Revocations(catalog.list_revocations, clock=catalog.clock)
    catalog.revoke("a", ttl_s=60)
    await revocations.poll()
    catalog.clock.advance(90)
    await revocations.poll()
    assert revocations.is_revoked("a")
    catalog.clock.advance(600)
    await revocations.poll()
    assert not revocations.is_revoked("a")
