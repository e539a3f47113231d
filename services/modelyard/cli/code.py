"""Code of one's own on this disk: what of it is pushed, and where it begins."""

import ast
import os
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from modelyard.sdk.code import code_sources
from modelyard.sdk.errors import InvalidArgument
from modelyard.sdk.folder import Source, Sources
from modelyard.sdk.names import id_for

TEMPLATE = "template.toml"


@dataclass(frozen=True, slots=True)
class Code:
    """A folder or one file, as it would be pushed."""

    path: Path
    sources: Sources
    skipped: tuple[str, ...]
    """What stays here: caches, virtual environments, names with a dot in front."""
    entry: str
    """Where it begins: `train:main`, or `train` for a script."""

    @property
    def template(self) -> str:
        """The text of its template.toml; "" where there is none."""
        return _text(self.sources[TEMPLATE]) if TEMPLATE in self.sources else ""

    @property
    def package(self) -> str:
        """The name that its package has unless another is said."""
        return id_for(self.path.resolve().name)


def is_path(target: str) -> bool:
    """Whether what somebody typed means code on this disk: it has a slash, or ends in `.py`, or is `.`."""
    return os.sep in target or target.endswith(".py") or target in (".", "..")


def read_code(path: Path, entry: str = "") -> Code:
    """A folder or a `.py` file, with where it begins: `entry`, else what its template.toml says, else its only module.

    Raises InvalidArgument with what is there instead.
    """
    if not path.exists():
        raise InvalidArgument(f"{path} does not exist; give a folder or a .py file", reason="CODE_NOT_FOUND")
    sources, skipped = code_sources(path)
    modules = sorted(name.removesuffix(".py") for name in sources if name.endswith(".py") and "/" not in name)
    if not modules:
        raise InvalidArgument(
            f"{path} has no .py file at its top, so there is nothing to run; `modelyard init FOLDER` makes a package",
            reason="NO_CODE",
        )
    chosen = entry or _entry_of_template(sources) or _only(modules, path)
    _check_entry(chosen, modules, sources, path)
    return Code(path, sources, skipped, chosen)


def _entry_of_template(sources: Sources) -> str:
    """What template.toml says; whatever else is wrong with it is the server's to say."""
    if TEMPLATE not in sources:
        return ""
    try:
        fields: dict[str, Any] = tomllib.loads(_text(sources[TEMPLATE]))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InvalidArgument(f"{TEMPLATE} is not TOML: {error}", reason="TEMPLATE_INVALID") from error
    entry = fields.get("entry", "")
    return entry if isinstance(entry, str) else ""


def _text(source: Source) -> str:
    return source.read(0, source.size).decode()


def _only(modules: Sequence[str], path: Path) -> str:
    if len(modules) == 1:
        return modules[0]
    raise InvalidArgument(
        f"{path} has the modules {', '.join(modules)}; say which one begins: --entry {modules[0]}:main, "
        f"--entry {modules[0]} for a script, or `entry` in {TEMPLATE}",
        reason="ENTRY_NEEDED",
    )


def _check_entry(entry: str, modules: Sequence[str], sources: Sources, path: Path) -> None:
    module, _, function = entry.partition(":")
    if module not in modules:
        hint = _hint(module, modules)
        raise InvalidArgument(f"entry {entry!r}: {path} has no {module}.py; {hint}", reason="ENTRY_NOT_FOUND")
    if not function:
        return
    source = sources[f"{module}.py"]
    try:
        names = _top_level(ast.parse(source.read(0, source.size)))
    except (SyntaxError, ValueError):
        return  # the job says where, with the Python that it runs on
    if names is not None and function not in names:
        raise InvalidArgument(
            f"entry {entry!r}: {module}.py has no function {function!r}; {_hint(function, sorted(names))}",
            reason="ENTRY_NOT_FOUND",
        )


def _top_level(tree: ast.Module) -> set[str] | None:
    """What a module may name; None where only running it tells."""
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            names.add(node.name)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            names.add(node.id)
        elif isinstance(node, ast.ImportFrom | ast.Import):
            if any(alias.name == "*" for alias in node.names):
                return None
            names |= {alias.asname or alias.name for alias in node.names}
    return names


def _hint(wanted: str, there: Sequence[str]) -> str:
    near = get_close_matches(wanted, there, 1)
    if near:
        return f"did you mean {near[0]!r}?"
    return f"there is {', '.join(there[:20])}" if there else "there is none"
