"""The way of a prediction, without a network."""

import json
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from modelyard.foundation.errors import ModelyardError, Unauthenticated
from modelyard.proxy.access_log import AccessEvent, AccessLog
from modelyard.proxy.domain import Backend, ModelSpec, Route, table_of
from modelyard.proxy.errors import BackendLost, NotAllowed, Overloaded, TooLate
from modelyard.proxy.methods import METHODS, PREDICT, not_offered
from modelyard.proxy.metrics import PredictionMetrics
from modelyard.proxy.payload import Payload
from modelyard.proxy.rest_path import parse
from modelyard.proxy.service import Call, NotSent, Outcome, Predictions
from modelyard.proxy.settings import PredictionLimits
from tests.support.servers import Issuers

ONE, TWO = Backend(1, "unix:/1", 100), Backend(2, "unix:/2", 100)
SPEC = ModelSpec("digits")


def served(*backends: Backend) -> Route:
    return Route("digits", "projects/default/deployments/digits", backends)


def answer(code: int = 0) -> Outcome:
    return Outcome(Payload(b"", framed=False), code)


class Way:
    """Predictions with one caller, and what was sent where."""

    def __init__(self, log: Path | None = None, **limits: float) -> None:
        self.issuers = Issuers()
        self.registry = CollectorRegistry()
        self.log = AccessLog(str(log) if log else "")
        self.predictions = Predictions(
            self.issuers.verifier(),
            PredictionLimits.model_validate(limits),
            lambda in_flight: PredictionMetrics(self.registry, in_flight),
            self.log,
        )
        self.sent: list[Backend] = []

    def open(self, timeout_s: float | None = None, subject: str = "users/u") -> Call:
        token = self.issuers.token("predictor", "default", subject)
        return self.predictions.open(PREDICT, token, timeout_s, "id", "peer")

    def admitted(self) -> Call:
        call = self.open()
        self.predictions.admit(call, SPEC)
        return call


async def test_a_second_model_server_is_asked_when_the_first_has_seen_nothing() -> None:
    way = Way()
    way.predictions.use(table_of([served(ONE, TWO)], 1))
    call = way.admitted()

    async def send(backend: Backend, _: float) -> Outcome:
        way.sent.append(backend)
        if len(way.sent) == 1:
            raise NotSent
        return answer()

    assert (await way.predictions.forward(call, SPEC, send)).code == 0
    assert set(way.sent) == {ONE, TWO}


async def test_two_that_cannot_be_reached_are_enough() -> None:
    way = Way()
    way.predictions.use(table_of([served(ONE, TWO, Backend(3, "unix:/3", 100))], 1))
    call = way.admitted()

    async def send(backend: Backend, _: float) -> Outcome:
        way.sent.append(backend)
        raise NotSent

    with pytest.raises(BackendLost):
        await way.predictions.forward(call, SPEC, send)
    assert len(way.sent) == 2


@pytest.mark.parametrize(("code", "asked"), [(14, 2), (1, 2), (3, 1), (13, 1)])
async def test_one_that_the_table_has_dropped_meanwhile_may_fail(code: int, asked: int) -> None:
    way = Way()
    way.predictions.use(table_of([served(ONE)], 1))
    call = way.admitted()

    async def send(backend: Backend, _: float) -> Outcome:
        way.sent.append(backend)
        if backend == ONE:
            way.predictions.use(table_of([served(TWO)], 2))
            return answer(code)
        return answer()

    outcome = await way.predictions.forward(call, SPEC, send)

    assert way.sent == [ONE, TWO][:asked]
    assert outcome.code == (0 if asked == 2 else code)


async def test_one_that_is_still_served_and_fails_is_believed() -> None:
    way = Way()
    way.predictions.use(table_of([served(ONE, TWO)], 1))
    call = way.admitted()

    async def send(backend: Backend, _: float) -> Outcome:
        way.sent.append(backend)
        return answer(14)

    assert (await way.predictions.forward(call, SPEC, send)).code == 14
    assert len(way.sent) == 1


async def test_the_model_server_gets_less_time_than_the_caller_gave() -> None:
    way = Way(margin_s=0.5)
    way.predictions.use(table_of([served(ONE)], 1))
    given: list[float] = []

    async def send(_: Backend, timeout_s: float) -> Outcome:
        given.append(timeout_s)
        return answer()

    for timeout_s in (2.0, None, 1e6):
        call = way.open(timeout_s)
        way.predictions.admit(call, SPEC)
        await way.predictions.forward(call, SPEC, send)

    assert 1.0 < given[0] <= 1.5
    assert all(59 < left <= 60 for left in given[1:])


def test_a_deadline_within_the_margin_is_over() -> None:
    way = Way(margin_s=0.5)
    with pytest.raises(TooLate):
        way.open(0.4)
    assert way.predictions.in_flight == 0


def test_what_was_taken_is_given_back() -> None:
    way = Way(max_in_flight=1, max_in_flight_each=1, max_buffered_bytes=1024)
    way.predictions.use(table_of([served(ONE)], 1))
    for _ in range(3):
        call = way.admitted()
        way.predictions.hold(call, 1024)
        with pytest.raises(Overloaded, match="predictions are being answered"):
            way.open()
        with pytest.raises(Overloaded, match="memory"):
            way.predictions.hold(call, 1)
        way.predictions.close(call)
    assert way.predictions.in_flight == 0


def test_each_caller_has_a_share_at_each_deployment() -> None:
    way = Way(max_in_flight_each=1)
    other = Route("letters", "projects/default/deployments/letters", (ONE,))
    way.predictions.use(table_of([served(ONE), other], 1))
    way.admitted()

    with pytest.raises(Overloaded, match="of your predictions"):
        way.predictions.admit(way.open(), SPEC)
    way.predictions.admit(way.open(subject="users/v"), SPEC)
    way.predictions.admit(way.open(), ModelSpec("letters"))


@pytest.mark.parametrize("role", ["viewer", "worker", "host", "service"])
def test_roles_that_do_not_predict_are_refused(role: str) -> None:
    way = Way()
    way.predictions.use(table_of([served(ONE)], 1))
    call = way.predictions.open(PREDICT, way.issuers.token(role, "default"), None, "", "")
    with pytest.raises(NotAllowed):
        way.predictions.admit(call, SPEC)


def test_the_role_counts_in_the_project_of_the_deployment() -> None:
    way = Way()
    way.predictions.use(table_of([Route("p.digits", "projects/p/deployments/digits", (ONE,))], 1))
    with pytest.raises(NotAllowed):
        way.predictions.admit(way.open(), ModelSpec("p.digits"))
    token = way.issuers.token("editor", "p")
    way.predictions.admit(way.predictions.open(PREDICT, token, None, "", ""), ModelSpec("p.digits"))


async def test_the_access_log_is_json_whatever_callers_send(tmp_path: Path) -> None:
    log = AccessLog(str(tmp_path / "access.log"))
    hostile = 'a"b\\c\nd\u202e'
    log.write(AccessEvent("Predict", hostile, 3, "OK", 0.00123, hostile, hostile, hostile, 10, 20, hostile))
    log.close()

    (line,) = (tmp_path / "access.log").read_text().splitlines()
    event = json.loads(line)
    assert event["subject"] == event["request_id"] == event["reason"] == hostile
    assert (event["event"], event["logger"], event["version"], event["ms"]) == ("prediction", "access", 3, 1.23)


async def test_a_call_is_logged_and_counted_by_what_became_of_it(tmp_path: Path) -> None:
    way = Way(tmp_path / "access.log")
    way.predictions.use(table_of([served(ONE)], 1))
    way.predictions.close(way.admitted())
    way.predictions.close(way.admitted(), TooLate("too late"))
    with pytest.raises(Unauthenticated):
        way.predictions.open(PREDICT, "", None, "id", "peer")
    way.log.close()

    events = [json.loads(line) for line in (tmp_path / "access.log").read_text().splitlines()]
    assert [(event["code"], event["deployment"]) for event in events] == [
        ("OK", "projects/default/deployments/digits"),
        ("DEADLINE_EXCEEDED", "projects/default/deployments/digits"),
        ("UNAUTHENTICATED", ""),
    ]
    counted = way.registry.get_sample_value(
        "modelyard_predictions_total", {"deployment": "", "method": "Predict", "code": "UNAUTHENTICATED"}
    )
    assert counted == 1


def test_every_method_is_in_the_table_under_its_path() -> None:
    assert all(path == method.path and path.endswith("/" + method.name) for path, method in METHODS.items())
    assert not_offered("/x" * 1000).message.count("/x") < 150


@pytest.mark.parametrize(
    ("verb", "path", "asked"),
    [
        ("POST", "/v1/models/digits:predict", ("Predict", ModelSpec("digits"))),
        ("POST", "/v1/models/p.digits/versions/7:predict", ("Predict", ModelSpec("p.digits", 7))),
        ("POST", "/v1/models/d/labels/stable:predict", ("Predict", ModelSpec("d", None, "stable"))),
        ("GET", "/v1/models/d", ("GetModelStatus", ModelSpec("d"))),
        ("GET", "/v1/models/d/versions/7", ("GetModelStatus", ModelSpec("d", 7))),
        ("GET", "/v1/models/d/metadata", ("GetModelMetadata", ModelSpec("d"))),
        ("GET", "/v1/models/d%2Ex", ("GetModelStatus", ModelSpec("d.x"))),
    ],
)
def test_what_a_rest_path_asks(verb: str, path: str, asked: tuple[str, ModelSpec]) -> None:
    found = parse(verb, path)
    assert (found.method.name, found.spec) == asked


@pytest.mark.parametrize(
    ("verb", "path"),
    [
        ("GET", "/v1/models"),
        ("GET", "/v1/models/"),
        ("GET", "/v1/models/d/versions/x"),
        ("GET", "/v1/models/d/versions/1/labels/l"),
        ("GET", "/v1/models/d:predict"),
        ("DELETE", "/v1/models/d"),
        ("POST", "/v1/models/d:explode"),
    ],
)
def test_a_rest_path_that_means_nothing_is_refused(verb: str, path: str) -> None:
    with pytest.raises(ModelyardError):
        parse(verb, path)
