"""Loads and runs a job's code by its path: a shipped template and a user's package go down the same way."""

import ast
import importlib.util
import runpy
import sys
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType


class EntryMissing(Exception):
    """The entry that the job names is not in its code."""


def run(folder: Path, entry: str, packages: Sequence[Path] = ()) -> None:
    """Run `module:function`, or the script `module`, and raise what it raises; its folder, and behind it the `packages`
    that it requires, come first where Python looks for modules. It sees no command line but its own name."""
    name, _, function = entry.partition(":")
    path = folder / f"{name}.py"
    if not path.is_file():
        raise EntryMissing(f"{entry!r} names {path.name}, which is not in the code; there is {_modules(folder)}")
    sys.path[:0] = [str(folder), *map(str, packages)]
    # What this process was told is nothing for a script with argparse.
    sys.argv[:] = [str(path)]
    if not function:
        runpy.run_path(str(path), run_name="__main__")
        return
    module = _load(path, name)
    if not callable(getattr(module, function, None)):
        raise EntryMissing(f"{path.name} has no function {function!r}")
    getattr(module, function)()


def leaves_main(path: Path) -> bool:
    """Whether a script has a function `main` that could be its entry and that nothing in it mentions."""
    tree = ast.parse(path.read_bytes())
    mains = [node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == "main"]
    mentioned = any(isinstance(node, ast.Name) and node.id == "main" for node in ast.walk(tree))
    return bool(mains) and not mentioned and len(mains[-1].args.args) == len(mains[-1].args.defaults)


def _load(path: Path, name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise EntryMissing(f"{path.name} is not a Python module")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


def _modules(folder: Path) -> str:
    return ", ".join(sorted(path.name for path in folder.glob("*.py"))) or "no Python file"
