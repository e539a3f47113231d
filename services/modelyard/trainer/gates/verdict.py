"""What the gates find."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from modelyard.trainer.domain import AttemptFailed, FailureClass


@dataclass(frozen=True, slots=True)
class GateResult:
    """One check and what was seen."""

    kind: str
    passed: bool
    detail: str


@dataclass(frozen=True, slots=True)
class TensorSpec:
    """A tensor that a signature takes or answers."""

    name: str
    dtype: str
    """TensorFlow's name in lower case: `uint8`, `string`; "" for one that no request can carry."""
    shape: tuple[int, ...]
    """-1 where any size will do; empty if the rank is unknown."""
    unknown_rank: bool = False
    what: str = ""
    """What it is, also where `dtype` does not say it: `RaggedTensor`, `qint8`."""

    @property
    def rows(self) -> bool:
        """Whether its first dimension is free."""
        return self.shape[:1] == (-1,)

    @property
    def single(self) -> bool:
        """Whether it is one value, that holds for all rows of a request."""
        return not self.shape and not self.unknown_rank


@dataclass(frozen=True, slots=True)
class Signature:
    """A way to ask a model."""

    name: str
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]

    @property
    def problem(self) -> str:
        """Why no request can use it; "" if one can."""
        for side, carrier, specs in (("input", "request", self.inputs), ("output", "answer", self.outputs)):
            for spec in specs:
                if not spec.dtype:
                    return f"its {side} {spec.name!r} is of type {spec.what or 'unknown'}, which no {carrier} can carry"
        return "" if self.outputs else "it answers nothing"

    @property
    def input_types(self) -> dict[str, str]:
        """By name."""
        return {spec.name: spec.dtype for spec in self.inputs}

    @property
    def output_types(self) -> dict[str, str]:
        """By name."""
        return {spec.name: spec.dtype for spec in self.outputs}

    @property
    def takes_rows(self) -> bool:
        """Whether several examples can be put into one request."""
        rows = [spec for spec in self.inputs if not spec.single]
        return bool(rows) and all(spec.rows for spec in (*rows, *self.outputs))

    @property
    def joins_requests(self) -> bool:
        """Whether the rows of several requests can: one value for all rows may differ from request to request."""
        return self.takes_rows and not any(spec.single for spec in self.inputs)


@dataclass(frozen=True, slots=True)
class Meaning:
    """What an input stands for, as whoever made the model says."""

    kind: str
    sample_rate: int = 0
    seconds: float = 0.0
    categories: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Described:
    """What clients need to know to make inputs of files and rows, and to name what is answered."""

    task: str = ""
    classes: tuple[str, ...] = ()
    inputs: Mapping[str, Meaning] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Checked:
    """A model that may become a version."""

    gates: tuple[GateResult, ...]
    row_wise: bool
    """Its answers do not depend on what else is in a batch."""
    signatures: tuple[Signature, ...] = ()
    resident_bytes: int = 0
    """What a model server needs with it, beyond what one without a model needs."""
    latency_s: float = 0.0
    """The median time of a request of one example, model server alone; 0 if no signature takes single examples."""
    described: Described = Described()


class GateFailed(AttemptFailed):
    """The model is at fault. `gates` are the results so far, the failed one last."""

    def __init__(self, gates: tuple[GateResult, ...], detail: str = "") -> None:
        failed = gates[-1]
        super().__init__(
            FailureClass.EXPORT_INVALID, f"the model did not pass the gate {failed.kind!r}: {failed.detail}", detail
        )
        self.gates = gates


class Gates:
    """The results so far."""

    def __init__(self, told: Callable[[GateResult], None] | None = None) -> None:
        """`told` hears of each as it comes."""
        self._told = told
        self.results: list[GateResult] = []

    def passed(self, kind: str, detail: str, *, passed: bool = True) -> None:
        """Note one that does not stop the model, even if it was not passed."""
        result = GateResult(kind, passed, detail)
        self.results.append(result)
        if self._told is not None:
            self._told(result)

    def failed(self, kind: str, problem: str, said: str = "") -> GateFailed:
        """To be raised; `said` is what the log has to say about it."""
        self.passed(kind, problem, passed=False)
        return GateFailed(tuple(self.results), said)
