"""One sentence for what went wrong in somebody's code, and what to try.

Rules go by the exception's type and by facts, not by a resemblance of texts; what no rule knows keeps its own words.
"""

import errno
import re
import socket
import urllib.error
from collections.abc import Iterator
from pathlib import Path

import tensorflow as tf

from modelyard.job.graph_errors import inside

_ANSI = re.compile(r"\x1b\[[0-9;]*m")
_NODE = re.compile(r"\{\{(?:function_)?node [^}]*\}\}\s*")
_NETWORK = {errno.ENETUNREACH, errno.EHOSTUNREACH, errno.ECONNREFUSED, errno.ENETDOWN, errno.EAFNOSUPPORT}
_DISTRIBUTIONS = {
    "PIL": "pillow",
    "cv2": "opencv-python-headless",
    "skimage": "scikit-image",
    "sklearn": "scikit-learn",
    "yaml": "pyyaml",
}


def chain(error: BaseException) -> Iterator[BaseException]:
    """The exception and what led to it, newest first."""
    seen: set[int] = set()
    cause: BaseException | None = error
    while cause is not None and id(cause) not in seen:
        seen.add(id(cause))
        yield cause
        cause = cause.__cause__ or (None if cause.__suppress_context__ else cause.__context__)


def explain(error: BaseException, code: Path) -> str | None:
    """A sentence for a common mistake; None where the exception's own words are the best there are."""
    for cause in chain(error):
        match cause:
            case ModuleNotFoundError():
                return _missing_module(cause, code)
            case tf.errors.OpError() if (found := inside(cause)) is not None:
                own = found.error()
                return found.words if own is None else explain(own, code)
            case SyntaxError():
                file = Path(cause.filename or "").name
                return f"{file}, line {cause.lineno}, is not Python: {cause.msg}: {(cause.text or '').strip()}"
            case socket.gaierror() | urllib.error.URLError():
                return _NO_NETWORK
            case OSError() if cause.errno in _NETWORK:
                return _NO_NETWORK
            case FileNotFoundError() if cause.filename is not None:
                return (
                    f"there is no file {str(cause.filename)!r}: a job sees its own code and its dataset only; a file "
                    "of the package is Path(__file__).parent / …, and data comes from context.dataset or context.arrays"
                )
            case OSError() if cause.errno in (errno.EROFS, errno.EACCES, errno.EPERM) and cause.filename is not None:
                return (
                    f"{str(cause.filename)!r} may not be written or opened: a job writes to "
                    'context.output("run"), which is kept with it, and to its temporary folder'
                )
    return None


_NO_NETWORK = (
    "the code tried to reach the network, and a job has none: bring the data in with `modelyard datasets push` and "
    "read it with context.arrays or context.dataset; weights and other files go into the package's folder"
)


def _missing_module(error: ModuleNotFoundError, code: Path) -> str:
    name = (error.name or "").partition(".")[0]
    if (code / name).is_dir() or (code / f"{name}.py").is_file():
        return f"module {error.name!r} is not in the package's folder {name!r}: {error}"
    package = _DISTRIBUTIONS.get(name, name)
    return (
        f"there is no module {name!r}: add `{package}` to requirements.txt in the package's folder, or the file "
        f"{name}.py if it is the code's own"
    )


def words(error: BaseException) -> str:
    """The exception's own text without colours, graph nodes and the frames of libraries."""
    text = _NODE.sub("", _ANSI.sub("", str(error))).strip()
    if isinstance(error, tf.errors.OpError):
        return _of_operation(text)
    head, _, rest = text.partition("\n\n")
    if head.startswith("Exception encountered when calling") and rest:
        return rest.partition("\n\n")[0].strip()
    return re.sub(r"\s*\n\s*", " ", text) or type(error).__name__


def _of_operation(text: str) -> str:
    """TensorFlow prints where in the graph it was, and what happened after that."""
    lines = [line.strip() for line in text.splitlines()]
    said = [
        line
        for line in lines
        if line and not line.startswith(("File ", "Detected at node", "Graph execution error", "[[", "Stack trace"))
    ]
    return (said[-1] if "Graph execution error" in text else " ".join(said[:2])) if said else "TensorFlow says nothing"
