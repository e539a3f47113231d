"""Removes a folder that hostile code has filled: folders in folders without end, folders that are closed."""

import contextlib
import logging
import os
import stat
from pathlib import Path

log = logging.getLogger(__name__)

_ROUNDS = 3
"""What could not be removed is tried again this often: a folder may hold what came up from below it."""


def remove_tree(folder: Path) -> None:
    """Whatever stays is logged. Nobody else may write there any more.

    Folders are moved up to the top before they are emptied: neither this code's stack nor a path gets longer with
    their depth.
    """
    try:
        failed = _empty(folder)
        if not failed:
            folder.rmdir()
    except FileNotFoundError:
        return
    except NotADirectoryError:
        folder.unlink()
        return
    except OSError as error:
        failed = {folder.name: str(error)}
    if failed:
        log.warning("files of a work folder can't be removed", extra={"path": str(folder), "error": failed})


def _empty(folder: Path) -> dict[str, str]:
    """What could not be removed, and why."""
    failed: dict[str, str] = {}
    top = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        os.fchmod(top, 0o700)
        number = 0
        for _ in range(_ROUNDS):
            failed.clear()
            while names := [name for name in _names(top) if name not in failed]:
                for name in names:
                    try:
                        number = _remove(top, name, number)
                    except OSError as error:
                        failed[name] = error.strerror or str(error)
            if not failed:
                break
    finally:
        os.close(top)
    return failed


def _remove(top: int, name: str, number: int) -> int:
    """One entry of `top`; what is in it goes to `top` under new numbers, from `number` on."""
    if not stat.S_ISDIR(os.stat(name, dir_fd=top, follow_symlinks=False).st_mode):
        os.unlink(name, dir_fd=top)
        return number
    os.chmod(name, 0o700, dir_fd=top)
    inner = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=top)
    try:
        for child in _names(inner):
            if stat.S_ISDIR(os.stat(child, dir_fd=inner, follow_symlinks=False).st_mode):
                os.chmod(child, 0o700, dir_fd=inner)
                number += 1
                while _exists(top, f".{number}"):
                    number += 1
                os.rename(child, f".{number}", src_dir_fd=inner, dst_dir_fd=top)
            else:
                os.unlink(child, dir_fd=inner)
    finally:
        os.close(inner)
    os.rmdir(name, dir_fd=top)
    return number


def _names(folder: int) -> list[str]:
    with os.scandir(folder) as entries:
        return [entry.name for entry in entries]


def _exists(top: int, name: str) -> bool:
    with contextlib.suppress(FileNotFoundError):
        os.stat(name, dir_fd=top, follow_symlinks=False)
        return True
    return False
