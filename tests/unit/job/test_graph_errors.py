"""Python that failed inside of TensorFlow is shown as if it had failed outside."""

from pathlib import Path

import pytest

from modelyard.job.frames import of_code
from modelyard.job.graph_errors import inside

TOLD = """Graph execution error:

Detected at node PyFunc defined at (most recent call last):
<stack traces unavailable>
ModuleNotFoundError: No module named 'elsewhere'
Traceback (most recent call last):

  File "/site-packages/tensorflow/python/ops/script_ops.py", line 269, in __call__
    ret = func(*args)
          ^^^^^^^^^^^

  File "/site-packages/tensorflow/python/data/ops/from_generator_op.py", line 198, in generator_py_func
    values = next(generator_state.get_iterator(iterator_id))
             ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^

  File "FOLDER/reader.py", line 2, in rows
    import elsewhere

ModuleNotFoundError: No module named 'elsewhere'


\t [[{{node PyFunc}}]]
\t [[IteratorGetNext]] [Op:__inference_multi_step_on_iterator_224]"""
"""As TensorFlow 2.21 says it of a generator that can't import."""


class UnknownError(Exception):
    pass


UnknownError.__module__ = "tensorflow.python.framework.errors_impl"


def raised(folder: Path, text: str) -> Exception:
    """An error of this text, raised below a line of the folder's train.py."""
    script = folder / "train.py"
    script.write_text("def fit(error):\n    raise error\n")
    scope: dict[str, object] = {}
    exec(compile(script.read_text(), str(script), "exec"), scope)
    with pytest.raises(UnknownError) as caught:
        scope["fit"](UnknownError(text))  # type: ignore[operator]
    return caught.value


def test_its_own_frames_are_shown_and_of_the_graph_nothing(tmp_path: Path) -> None:
    text = of_code(raised(tmp_path, TOLD.replace("FOLDER", str(tmp_path))), tmp_path)
    assert text.endswith(
        "errors_impl.UnknownError: ModuleNotFoundError: No module named 'elsewhere'\n"
        '  File "reader.py", line 2, in rows\n    import elsewhere\n'
    )
    assert 'File "train.py", line 2, in fit' in text
    for noise in ("stack traces", "PyFunc", "script_ops", "Graph execution"):
        assert noise not in text


def test_the_exception_is_known_again(tmp_path: Path) -> None:
    found = inside(raised(tmp_path, TOLD))
    assert found is not None
    assert found.words == "ModuleNotFoundError: No module named 'elsewhere'"
    error = found.error()
    assert isinstance(error, ModuleNotFoundError)
    assert error.name == "elsewhere"


def test_an_operation_s_own_error_keeps_its_words_without_a_place_that_nobody_knows(tmp_path: Path) -> None:
    told = (
        "Graph execution error:\n\nDetected at node Reshape defined at (most recent call last):\n"
        "<stack traces unavailable>\nOnly one input size may be -1, not both 0 and 1\n\t [[{{node Reshape}}]]"
    )
    error = raised(tmp_path, told)
    assert inside(error) is None
    text = of_code(error, tmp_path)
    assert "Only one input size may be -1, not both 0 and 1" in text
    assert "stack traces" not in text


def test_an_exception_of_python_s_is_left_as_it_is() -> None:
    assert inside(ValueError(TOLD)) is None
