"""A world of deployments and hosts with a clock, for what `inference` decides."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from modelyard.inference.domain.deployments import Deployment, Hold, ModelVersion, State
from modelyard.inference.domain.hosts import Assignment, Host, Served, ServedState
from modelyard.inference.domain.reconcile import Plan, World, reconcile

START = datetime(2026, 1, 1, tzinfo=UTC)
NAME = "projects/default/deployments/digits"


def version(number: int) -> ModelVersion:
    return ModelVersion(f"projects/default/models/m/versions/{number}", f"sha256:{number}", batching=True)


def deployment(number: int = 1, name: str = NAME) -> Deployment:
    return Deployment(name, "u", "e", version(number), "tokens/t", START, START)


def host(name: str = "hosts/a", **fields: object) -> Host:
    return replace(Host(name, "i", START, START), **fields)  # type: ignore[arg-type]


def held(*numbers: int, name: str = NAME) -> Hold:
    inputs = tuple(version(number).name for number in numbers)
    return Hold(name, 0, inputs, settled=True, held=inputs)


class Installation:
    """A world with a clock, whose hosts do what they are told when they are asked to."""

    def __init__(self, *hosts: Host, deployments: tuple[Deployment, ...] = ()) -> None:
        self.now = START
        self.world = World(deployments=deployments, hosts=hosts)
        self.plan: Plan = self.settle()

    def settle(self) -> Plan:
        self.plan = reconcile(self.world, self.now, START)
        confirmed = tuple(
            replace(hold, settled=True, held=() if hold.closing else hold.inputs) for hold in self.plan.world.holds
        )
        self.world = replace(self.plan.world, holds=confirmed)
        return self.plan

    def after(self, seconds: float, *, silent: frozenset[str] = frozenset()) -> Plan:
        self.now += timedelta(seconds=seconds)
        for each in self.world.hosts:
            if each.name not in silent:
                self.change_host(each.name, heartbeat_time=self.now, lost=False)
        return self.settle()

    def change_host(self, name: str, **fields: object) -> None:
        hosts = tuple(
            replace(each, **fields) if each.name == name else each  # type: ignore[arg-type]
            for each in self.world.hosts
        )
        self.world = replace(self.world, hosts=hosts)

    def change(self, changed: Deployment) -> Plan:
        kept = tuple(each for each in self.world.deployments if each.name != changed.name)
        self.world = replace(self.world, deployments=(*kept, changed))
        return self.settle()

    def report(self, name: str, state: ServedState, number: int = 1, message: str = "", deployment: str = NAME) -> Plan:
        """`hosts/…` says where it is with a version."""
        served = Served(deployment, version(number).name, state, message, endpoint=f"unix:/{name[6:]}-{number}")
        known = next(each for each in self.world.hosts if each.name == name)
        others = tuple(
            each for each in known.served if (each.deployment, each.model_version) != (deployment, served.model_version)
        )
        self.change_host(name, served=(*others, served))
        return self.settle()

    def obey(self, name: str) -> Plan:
        """The host starts what it shall run, and stops the rest, at once."""
        mine = [each for each in self.world.assignments if each.host == name and not each.stopping]
        known = next(each for each in self.world.hosts if each.name == name)
        before = {(each.deployment, each.model_version): each for each in known.served}
        served = tuple(
            before.get((each.deployment, each.model_version))
            or Served(
                each.deployment, each.model_version, ServedState.SERVING, endpoint=f"unix:/{name}/{each.model_version}"
            )
            for each in mine
        )
        self.change_host(name, served=served)
        return self.settle()

    def state(self) -> State:
        return self.deployment.state

    @property
    def deployment(self) -> Deployment:
        return next(each for each in self.world.deployments if each.name == NAME)

    def assignment(self, number: int = 1, name: str = "hosts/a") -> Assignment | None:
        return next((each for each in self.world.assignments if each.key == (NAME, version(number).name, name)), None)

    def routed(self) -> list[tuple[int, int]]:
        """Version and weight of what answers."""
        return [(backend.version, backend.weight) for route in self.plan.routes for backend in route.backends]
