"""Settings of a process: flags over environment over a TOML file over defaults.

    class CatalogSettings(ProcessSettings):
        sql: SqlSettings

    settings = CatalogSettings.load("catalog")     # --config file.toml --sql.url … MODELYARD_CATALOG__SQL__URL=…

A key that no setting has is an error. `--check-config` prints the result without secrets and ends with 0; settings
that are not right end the process with 2 and a sentence.
"""

import json
import os
import sys
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, NoReturn, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, SecretStr, ValidationError, model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from modelyard.foundation.addresses import is_local, parse_listen

BAD_CONFIG = 2
"""Exit status of a process whose settings are not right."""

__all__ = [
    "ChannelSettings",
    "IdentitySettings",
    "ListenSettings",
    "LogSettings",
    "MetricsSettings",
    "ProcessSettings",
    "SecretStr",
    "Section",
    "SqlSettings",
    "stop",
]


class Section(BaseModel):
    """A block of settings."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True, validate_default=True)


def _path(value: object) -> object:
    return Path(value).expanduser() if isinstance(value, str) else value


FilePath = Annotated[Path, BeforeValidator(_path)]


class ListenSettings(Section):
    """Where a process takes calls."""

    listen: str
    """"unix:/path" or "host:port"; port 0 is any free one."""
    tls_cert_file: FilePath | None = None
    """Certificate chain, PEM."""
    tls_key_file: FilePath | None = None
    tls_client_ca_file: FilePath | None = None
    """Given, only clients with a certificate from this authority may connect."""

    @model_validator(mode="after")
    def _safe(self) -> Self:
        parse_listen(self.listen)
        if (self.tls_cert_file is None) != (self.tls_key_file is None):
            raise ValueError("tls_cert_file and tls_key_file go together; give both or none")
        if self.tls_client_ca_file is not None and self.tls_cert_file is None:
            raise ValueError("tls_client_ca_file needs tls_cert_file and tls_key_file")
        if self.tls_cert_file is None and not is_local(self.listen):
            raise ValueError(
                f"{self.listen} can be reached from other machines and there is no TLS; "
                "give tls_cert_file and tls_key_file, or listen on 127.0.0.1 or on a unix socket"
            )
        return self


class ChannelSettings(Section):
    """Where another service is, and how to reach it."""

    target: str
    """"unix:/path", "host:port" or "dns:///host:port"."""
    tls: bool = False
    tls_ca_file: FilePath | None = None
    """Authority that signed the server's certificate; without it the system's list is used."""
    tls_cert_file: FilePath | None = None
    """This client's certificate, where the server asks for one."""
    tls_key_file: FilePath | None = None
    tls_server_name: str | None = None
    """Name in the server's certificate when it is not the one in `target`."""

    @model_validator(mode="after")
    def _safe(self) -> Self:
        if not self.tls and not is_local(self.target):
            raise ValueError(
                f"{self.target} is on another machine and tls is off; set tls = true (tokens go over this connection)"
            )
        return self


class IdentitySettings(Section):
    """Whom this process believes, and what it shows others."""

    trust_file: FilePath
    """The trust list: issuer, public keys, roles it may give."""
    token_file: FilePath | None = None
    """The token this process sends with its own calls."""


class SqlSettings(Section):
    url: SecretStr
    """"sqlite:///path/to/file.sqlite" or "postgresql+psycopg://user:password@host/database"."""
    pool_size: int = Field(default=4, ge=1, le=64)
    """Connections, and threads that use them."""
    busy_timeout_s: float = Field(default=10.0, gt=0)


class LogSettings(Section):
    level: Literal["debug", "info", "warning", "error"] = "info"
    format: Literal["json", "text"] = "json"


class MetricsSettings(Section):
    listen: str = ""
    """Where Prometheus may read, "unix:/path" or a loopback "host:port"; "" is nowhere."""

    @model_validator(mode="after")
    def _safe(self) -> Self:
        if self.listen and not is_local(self.listen):
            raise ValueError(f"metrics are served without TLS, so on loopback or a unix socket only; got {self.listen}")
        return self


class ProcessSettings(BaseSettings):
    """What every process has. Read once, in `__main__`, and passed down."""

    model_config = SettingsConfigDict(
        extra="forbid",
        frozen=True,
        use_attribute_docstrings=True,
        validate_default=True,
        nested_model_default_partial_update=True,
    )

    log: LogSettings = LogSettings()
    metrics: MetricsSettings = MetricsSettings()
    grace_s: float = Field(default=10.0, ge=0)
    """How long calls in flight may take to end when the process is told to stop."""

    @classmethod
    def load(cls, process: str, argv: Sequence[str] | None = None, environ: Mapping[str, str] | None = None) -> Self:
        """The settings of `process`; ends the process when they are not right or were only to be checked."""
        arguments = list(sys.argv[1:] if argv is None else argv)
        if "-h" in arguments or "--help" in arguments:
            print(cls.usage(process))
            raise SystemExit(0)
        check = "--check-config" in arguments
        try:
            values = cls.gather(
                process, [a for a in arguments if a != "--check-config"], os.environ if environ is None else environ
            )
            settings = cls.model_validate(values)
        except ValidationError as error:
            stop(f"modelyard {process}: " + "; ".join(_sentences(error)))
        except ValueError as error:
            stop(f"modelyard {process}: {error}")
        if check:
            print(settings.redacted())
            raise SystemExit(0)
        return settings

    @classmethod
    def gather(cls, process: str, arguments: Sequence[str], environ: Mapping[str, str]) -> dict[str, Any]:
        """The values of the three sources, merged key by key; not validated yet."""
        config, flags = _read_flags(arguments)
        prefix = f"MODELYARD_{process.upper().replace('-', '_')}__"
        config = config or environ.get(prefix + "CONFIG", "")
        values: dict[str, Any] = _read_toml(Path(config)) if config else {}
        for key, value in sorted(environ.items()):
            if key.startswith(prefix) and key != prefix + "CONFIG":
                _put(values, key.removeprefix(prefix).lower().split("__"), _scalar(value), key)
        for key, value in flags:
            _put(values, key.replace("-", "_").split("."), _scalar(value), f"--{key}")
        return values

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Only what `load` gathered: nothing is read behind its back."""
        return (init_settings,)

    @classmethod
    def usage(cls, process: str) -> str:
        lines = [f"usage: python -m modelyard.{process} [--config FILE.toml] [--check-config] [--SETTING VALUE …]", ""]
        lines += [f"  --{path}  {text}" for path, text in _described(cls, "")]
        return "\n".join(lines)

    def redacted(self) -> str:
        """As JSON, secrets as `**********`."""
        return json.dumps(self.model_dump(mode="json"), indent=2)


def stop(sentence: str) -> NoReturn:
    """Ends the process because its settings are not right."""
    print(sentence, file=sys.stderr)
    raise SystemExit(BAD_CONFIG)


def _read_flags(arguments: Sequence[str]) -> tuple[str, list[tuple[str, str]]]:
    """`--config` and the other flags, each `--key value` or `--key=value`."""
    config, flags = "", []
    rest = list(arguments)
    while rest:
        argument = rest.pop(0)
        if not argument.startswith("--") or len(argument) == 2:
            raise ValueError(f"unexpected argument {argument!r}; flags look like --setting value (see --help)")
        key, equals, value = argument[2:].partition("=")
        if not equals:
            if not rest:
                raise ValueError(f"--{key} needs a value")
            value = rest.pop(0)
        if key == "config":
            config = value
        else:
            flags.append((key, value))
    return config, flags


def _read_toml(path: Path) -> dict[str, Any]:
    try:
        with path.open("rb") as file:
            return tomllib.load(file)
    except OSError as error:
        raise ValueError(f"the settings file {path} cannot be read: {error.strerror}") from None
    except tomllib.TOMLDecodeError as error:
        raise ValueError(f"the settings file {path} is not TOML: {error}") from None


def _put(values: dict[str, Any], path: list[str], value: object, source: str) -> None:
    for segment in path[:-1]:
        values = values.setdefault(segment, {})
        if not isinstance(values, dict):
            raise ValueError(f"{source}: {segment} is a single value, not a block")
    values[path[-1]] = value


def _scalar(text: str) -> object:
    """Lists and tables are written as JSON; everything else stays text, which the model converts."""
    if text[:1] in ("[", "{"):
        try:
            return json.loads(text)
        except ValueError:
            return text
    return text


def _sentences(error: ValidationError) -> list[str]:
    sentences = []
    for problem in error.errors(include_url=False, include_input=False):
        path = ".".join(str(part) for part in problem["loc"])
        if problem["type"] == "extra_forbidden":
            sentences.append(f"there is no setting {path}")
        elif problem["type"] == "missing":
            sentences.append(f"the setting {path} is missing")
        else:
            message = problem["msg"].removeprefix("Value error, ")
            sentences.append(f"{path}: {message}" if path else message)
    return sentences


def _described(model: type[BaseModel], prefix: str) -> list[tuple[str, str]]:
    rows: list[tuple[str, str]] = []
    for name, info in model.model_fields.items():
        nested = info.annotation
        if isinstance(nested, type) and issubclass(nested, BaseModel):
            rows += _described(nested, f"{prefix}{name}.")
        else:
            default = "required" if info.is_required() else f"default {info.default!r}"
            rows.append((prefix + name, f"{info.description or ''} ({default})".strip()))
    return rows
