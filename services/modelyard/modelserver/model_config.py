"""Which models to serve: from the flags, from a configuration file, or from a reload request."""

from pathlib import Path
from typing import Any

from google.protobuf import text_format
from tensorflow_serving.config import model_server_config_pb2

from modelyard.api.serving.v1 import batching_pb2
from modelyard.modelserver.batching import Limits
from modelyard.modelserver.errors import ModelConfigRefused, UsageError
from modelyard.modelserver.flags import Options
from modelyard.modelserver.versions import All, Latest, ModelTarget, Policy, Specific


def configuration(options: Options) -> tuple[list[ModelTarget], Limits | None]:
    """What to serve, and how to batch (None: not at all). Raises UsageError."""
    limits = batching_limits(options.batching_parameters_file) if options.enable_batching else None
    return targets_from(options), limits


def targets_from(options: Options) -> list[ModelTarget]:
    """Raises UsageError."""
    if options.model_config_file:
        return read(Path(options.model_config_file))
    return [ModelTarget(options.model_name, options.model_base_path)]


def read(path: Path) -> list[ModelTarget]:
    """Raises UsageError."""
    try:
        text = path.read_text()
        return targets_of(text_format.Parse(text, model_server_config_pb2.ModelServerConfig()))
    except OSError as error:
        raise UsageError(f"--model_config_file {path}: {error.strerror}") from None
    except (text_format.ParseError, UnicodeDecodeError) as error:
        raise UsageError(f"--model_config_file {path} is not a ModelServerConfig in text form: {error}") from None
    except ModelConfigRefused as error:
        raise UsageError(f"--model_config_file {path}: {error.message}") from None


def targets_of(config: Any) -> list[ModelTarget]:
    """From a tensorflow.serving.ModelServerConfig. Raises ModelConfigRefused."""
    if config.WhichOneof("config") == "custom_model_config":
        raise ModelConfigRefused("custom_model_config is not supported; give a model_config_list")
    targets = [_target(model) for model in config.model_config_list.config]
    names = [target.name for target in targets]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ModelConfigRefused(f"the model name {twice[0]} is configured twice; names are unique")
    return targets


def _target(model: Any) -> ModelTarget:
    if not model.name or not model.base_path:
        raise ModelConfigRefused("every model needs a name and a base_path")
    if model.model_platform not in ("", "tensorflow"):
        raise ModelConfigRefused(
            f"model {model.name}: platform {model.model_platform!r} is not served, 'tensorflow' is"
        )
    if not Path(model.base_path).is_absolute():
        raise ModelConfigRefused(f"model {model.name}: base_path {model.base_path} has to be an absolute path")
    return ModelTarget(model.name, model.base_path, _policy(model), dict(model.version_labels))


def _policy(model: Any) -> Policy:
    policy = model.model_version_policy
    match policy.WhichOneof("policy_choice"):
        case "all":
            return All()
        case "specific":
            if not policy.specific.versions:
                raise ModelConfigRefused(f"model {model.name}: the specific policy names no version")
            return Specific(tuple(policy.specific.versions))
        case _:
            return Latest(policy.latest.num_versions or 1)


def batching_limits(path: str) -> Limits:
    """From a `--batching_parameters_file`, "" for the defaults. Raises UsageError."""
    if not path:
        return Limits()
    flag = f"--batching_parameters_file {path}"
    try:
        parameters = text_format.Parse(Path(path).read_text(), batching_pb2.BatchingParameters())
    except OSError as error:
        raise UsageError(f"{flag}: {error.strerror}") from None
    except (text_format.ParseError, UnicodeDecodeError) as error:
        raise UsageError(f"{flag} is not a BatchingParameters in text form: {error}") from None
    given = Limits()
    rows = parameters.max_batch_size.value if parameters.HasField("max_batch_size") else given.max_batch_rows
    batches = (
        parameters.max_enqueued_batches.value
        if parameters.HasField("max_enqueued_batches")
        else given.max_enqueued_batches
    )
    sizes = tuple(parameters.allowed_batch_sizes)
    if rows < 1 or batches < 1 or parameters.batch_timeout_micros.value < 0:
        raise UsageError(f"{flag}: max_batch_size and max_enqueued_batches start at 1, batch_timeout_micros at 0")
    if sizes and (list(sizes) != sorted(set(sizes)) or sizes[0] < 1 or sizes[-1] != rows):
        raise UsageError(f"{flag}: allowed_batch_sizes has to ascend and end with max_batch_size ({rows})")
    if parameters.pad_variable_length_inputs.value:
        raise UsageError(f"{flag}: pad_variable_length_inputs is not supported")
    timeout_s = parameters.batch_timeout_micros.value / 1e6 if parameters.HasField("batch_timeout_micros") else None
    return Limits(rows, timeout_s, batches, sizes)
