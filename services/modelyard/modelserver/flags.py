"""The command line of `tensorflow_model_server`, as far as it makes sense here: `--flag=value` and `--flag value`."""

import difflib
from collections.abc import Sequence
from dataclasses import dataclass, fields

from modelyard.modelserver.errors import UsageError


@dataclass(frozen=True, slots=True)
class Options:
    port: int = 8500
    """gRPC on 127.0.0.1; 0 listens on no TCP port."""
    grpc_socket_path: str = ""
    """gRPC on a unix socket (mode 0600) as well."""
    rest_api_port: int = 0
    """REST on 127.0.0.1; 0 is off."""
    rest_api_socket_path: str = ""
    """REST on a unix socket (mode 0600). Not in tensorflow_model_server."""
    rest_api_timeout_in_ms: int = 30_000
    model_name: str = "default"
    model_base_path: str = ""
    """The folder that holds the version folders `1`, `2`, …"""
    model_config_file: str = ""
    """Text form of tensorflow.serving.ModelServerConfig; instead of model_name and model_base_path."""
    model_config_file_poll_wait_seconds: int = 0
    enable_batching: bool = False
    """Only for models whose rows do not depend on each other: a row's answer must not change with its company."""
    batching_parameters_file: str = ""
    """Text form of modelyard.api.serving.v1.BatchingParameters."""
    file_system_poll_wait_seconds: int = 1
    """How often new versions are looked for; 0: once, at the start."""
    max_num_load_retries: int = 5
    load_retry_interval_micros: int = 60_000_000
    enable_model_warmup: bool = True
    saved_model_tags: str = "serve"
    allow_version_labels_for_unavailable_models: bool = False
    tensorflow_session_parallelism: int = 0
    """Without batching: calls in TensorFlow at the same time; 0: as many as there are cores."""
    tensorflow_intra_op_parallelism: int = 0
    tensorflow_inter_op_parallelism: int = 0
    per_process_gpu_memory_fraction: float = 0.0
    front: str = "auto"
    """`pyvoy` (inside Envoy), `aio` (grpc.aio), or `auto`: pyvoy where it can run. Not in tensorflow_model_server."""
    drain_seconds: int = 30
    """Longest wait for the calls in flight after SIGTERM. Not in tensorflow_model_server."""


FRONTS = ("auto", "pyvoy", "aio")
WITHOUT_EFFECT = frozenset(
    {
        "flush_filesystem_caches",
        "grpc_max_threads",
        "num_load_threads",
        "num_unload_threads",
        "remove_unused_fields_from_bundle_metagraph",
        "rest_api_num_threads",
    }
)
"""Flags of tensorflow_model_server that only tune what this server does not have; accepted, so that scripts work."""

_TYPES: dict[str, type] = {field.name: type(field.default) for field in fields(Options)}


@dataclass(frozen=True, slots=True)
class CommandLine:
    options: Options
    ignored: tuple[str, ...]
    """Flags given that have no effect here."""


def parse(arguments: Sequence[str]) -> CommandLine:
    """Raises UsageError naming the flag at fault."""
    given: dict[str, str | int | float | bool] = {}
    ignored: list[str] = []
    rest = list(arguments)
    while rest:
        word = rest.pop(0)
        if not word.startswith("--") or word == "--":
            raise UsageError(f"unexpected argument {word!r}; flags are written --name=value")
        name, equals, text = word[2:].partition("=")
        name = name.replace("-", "_")
        if name in WITHOUT_EFFECT:
            ignored.append(name)
            if not equals and rest and not rest[0].startswith("--"):
                rest.pop(0)
            continue
        if name not in _TYPES:
            raise UsageError(_unknown(name))
        if not equals:
            text = _next_value(name, rest)
        given[name] = _value(name, text)
    return CommandLine(_checked(Options(**given)), tuple(ignored))  # type: ignore[arg-type]


def _unknown(name: str) -> str:
    near = difflib.get_close_matches(name, _TYPES, n=1)
    hint = f"; did you mean --{near[0]}?" if near else "; --help lists the flags"
    return f"unknown flag --{name}{hint}"


def _next_value(name: str, rest: list[str]) -> str:
    if _TYPES[name] is bool:
        return rest.pop(0) if rest and rest[0].lower() in ("true", "false") else "true"
    if not rest or rest[0].startswith("--"):
        raise UsageError(f"--{name} needs a value: --{name}=…")
    return rest.pop(0)


def _value(name: str, text: str) -> str | int | float | bool:
    kind = _TYPES[name]
    if kind is bool:
        if text.lower() not in ("true", "false", "1", "0"):
            raise UsageError(f"--{name} takes true or false, not {text!r}")
        return text.lower() in ("true", "1")
    if kind is str:
        return text
    try:
        return kind(text)
    except ValueError:
        raise UsageError(f"--{name} takes a number, not {text!r}") from None


def _checked(options: Options) -> Options:
    for name in ("port", "rest_api_port"):
        if not 0 <= getattr(options, name) <= 65_535:
            raise UsageError(f"--{name} takes 0 to 65535, not {getattr(options, name)}")
    for name in ("max_num_load_retries", "load_retry_interval_micros", "drain_seconds", "rest_api_timeout_in_ms"):
        if getattr(options, name) < 0:
            raise UsageError(f"--{name} cannot be negative")
    if options.front not in FRONTS:
        raise UsageError(f"--front takes {', '.join(FRONTS)}, not {options.front!r}")
    if not options.port and not options.grpc_socket_path:
        raise UsageError("nowhere to listen: give --port or --grpc_socket_path")
    for name in ("grpc_socket_path", "rest_api_socket_path"):
        # sun_path holds 108 bytes with its terminating zero.
        if len(getattr(options, name).encode()) > 107:
            raise UsageError(f"--{name} is longer than a socket's name can be (107 bytes): {getattr(options, name)}")
    if bool(options.model_base_path) == bool(options.model_config_file):
        raise UsageError("give either --model_base_path (one model) or --model_config_file (several)")
    if options.batching_parameters_file and not options.enable_batching:
        raise UsageError("--batching_parameters_file needs --enable_batching")
    return options


def usage() -> str:
    lines = ["usage: python -m modelyard.modelserver --flag=value …", ""]
    lines += [f"  --{field.name}={field.default!r}" for field in fields(Options)]
    ignored = " ".join(f"--{name}" for name in sorted(WITHOUT_EFFECT))
    return "\n".join([*lines, "", f"accepted without effect: {ignored}"])
