"""Files that commands write: whether they can be, said before anything is waited for."""

from pathlib import Path

from modelyard.sdk.errors import InvalidArgument


def is_folder(place: Path) -> bool:
    """Whether several files are meant to be written into it: a name without an ending is one."""
    return place.suffix == "" or place.is_dir()


def check_place(file: Path, option: str) -> None:
    """Raises InvalidArgument where no file of this name can be."""
    if not file.absolute().parent.is_dir():
        raise InvalidArgument(f"{file.parent} is not a folder; {option} names a new file", reason="NOT_A_FOLDER")
    if file.is_dir():
        raise InvalidArgument(f"{file} is a folder; {option} names a new file", reason="FILE_UNWRITABLE")


def save(file: Path, content: bytes) -> None:
    """Write it; what was in it is replaced. Raises InvalidArgument."""
    try:
        file.write_bytes(content)
    except OSError as error:
        raise InvalidArgument(f"{file} can't be written: {error.strerror}", reason="FILE_UNWRITABLE") from error
