"""A job's parameters as its code reads them."""

from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from types import MappingProxyType
from typing import Any


class Parameters(Mapping[str, Any]):
    """Complete with their defaults: `params.epochs`, `params["epochs"]` or `params.get("epochs", 10)`."""

    def __init__(self, values: Mapping[str, Any]) -> None:
        self._values = MappingProxyType(dict(values))

    def __getitem__(self, name: str) -> Any:
        if name not in self._values:
            raise KeyError(self._missing(name))
        return self._values[name]

    def __getattr__(self, name: str) -> Any:
        values = self.__dict__.get("_values", {})
        if name.startswith("__") or name not in values:
            raise AttributeError(self._missing(name))
        return values[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __repr__(self) -> str:
        return f"Parameters({', '.join(f'{name}={value!r}' for name, value in self._values.items())})"

    def get(self, name: str, default: Any = None) -> Any:
        """The parameter, or `default` where the job was started without it."""
        return self._values.get(name, default)

    def _missing(self, name: str) -> str:
        near = get_close_matches(name, self._values, 1)
        hint = f"did you mean {near[0]!r}?" if near else f"start it with `--set {name}=…`"
        return f"this job has no parameter {name!r}; {hint}"


def untyped(values: Mapping[str, Any]) -> dict[str, Any]:
    """Values of code without a template.toml, which says no types: text that is a number becomes one, and whole
    numbers, which JSON and protobuf make floats of, are whole again."""
    return {name: _read(value) for name, value in values.items()}


def _read(value: Any) -> Any:
    if isinstance(value, float) and value.is_integer() and abs(value) < 1 << 53:
        return int(value)
    if not isinstance(value, str):
        return value
    if value.lower() in ("true", "false"):
        return value.lower() == "true"
    for kind in (int, float):
        try:
            return kind(value)
        except ValueError:
            continue
    return value
