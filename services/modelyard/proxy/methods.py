"""Which prediction methods there are, and who may call them: one table."""

from dataclasses import dataclass
from enum import Enum, auto

from modelyard.foundation.auth.roles import PREDICTORS, READERS
from modelyard.foundation.errors import ModelyardError
from modelyard.proxy.errors import ConfigIsManaged, UnknownMethod

_LOOKERS = PREDICTORS | READERS


class Shape(Enum):
    """Where a request says which model it means, and how many model servers answer."""

    ONE = auto()
    """`model_spec` is field 1; one model server answers."""
    TASKS = auto()
    """Field 1 are tasks with a `model_spec` each; one model server answers."""
    EACH_VERSION = auto()
    """`model_spec` is field 1; one model server of each version answers, and the answers are merged."""


@dataclass(frozen=True, slots=True)
class Method:
    name: str
    path: str
    shape: Shape
    roles: frozenset[str]
    """Held in the deployment's project."""


_PREDICTION = "/tensorflow.serving.PredictionService/"
_MODEL = "/tensorflow.serving.ModelService/"

PREDICT = Method("Predict", _PREDICTION + "Predict", Shape.ONE, PREDICTORS)
GET_MODEL_METADATA = Method("GetModelMetadata", _PREDICTION + "GetModelMetadata", Shape.ONE, _LOOKERS)
GET_MODEL_STATUS = Method("GetModelStatus", _MODEL + "GetModelStatus", Shape.EACH_VERSION, _LOOKERS)

METHODS = {
    method.path: method
    for method in (
        PREDICT,
        Method("Classify", _PREDICTION + "Classify", Shape.ONE, PREDICTORS),
        Method("Regress", _PREDICTION + "Regress", Shape.ONE, PREDICTORS),
        Method("MultiInference", _PREDICTION + "MultiInference", Shape.TASKS, PREDICTORS),
        GET_MODEL_METADATA,
        GET_MODEL_STATUS,
    )
}

_RELOAD = _MODEL + "HandleReloadConfigRequest"


def not_offered(path: str) -> ModelyardError:
    """Why a method that is not in the table is refused."""
    if path == _RELOAD:
        return ConfigIsManaged(
            "which models are served is decided by deployments, not by the model server's own configuration; "
            "use DeploymentService or `modelyard deploy`"
        )
    return UnknownMethod(f"{path[:200]!a} is not served here; the services and methods are listed by reflection")
