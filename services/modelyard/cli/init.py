"""`modelyard init`"""

import shutil
from pathlib import Path
from typing import Annotated

import typer

from modelyard.cli.globals import settings
from modelyard.cli.output import console, print_json
from modelyard.sdk.errors import InvalidArgument
from modelyard.sdk.names import id_for

SKELETON = Path(__file__).parent / "skeleton"


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(init)


def init(
    context: typer.Context,
    folder: Annotated[Path, typer.Argument(help="A new folder, or an empty one.")],
) -> None:
    """Write a package of training code to start from."""
    package = id_for(folder.resolve().name)
    files = write_skeleton(folder)
    if settings(context).json:
        print_json({"folder": str(folder), "package": package, "files": files})
        return
    shown = folder if folder.is_absolute() else f"./{folder}"
    lines = [
        f"{shown} has {', '.join(files)}; change train.py, then",
        f"  modelyard train {shown} --dataset NAME --set epochs=1 --local    here, in your own terminal",
        f"  modelyard train {shown} --dataset NAME --watch                   as a job",
    ]
    for line in lines:
        console().print(line)


def write_skeleton(folder: Path) -> list[str]:
    """Copy it; answers the files' names. Raises InvalidArgument for a folder that holds something."""
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise InvalidArgument(f"{folder} exists and is not an empty folder; name another", reason="FOLDER_NOT_EMPTY")
    try:
        shutil.copytree(SKELETON, folder, ignore=shutil.ignore_patterns("__pycache__"), dirs_exist_ok=True)
    except OSError as error:
        raise InvalidArgument(f"{folder} can't be written: {error.strerror}", reason="FOLDER_UNUSABLE") from error
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())
