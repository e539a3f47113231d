"""A job's log begins with what its code says, and an error inside of TensorFlow shows the code that made it."""

from pathlib import Path

import pytest

from modelyard.job.messages import Failed
from modelyard.job.trial import Trial, try_package
from tests.integration.job.child import Child

pytestmark = pytest.mark.timeout(300)

TRAIN = """
import os
import keras
import tensorflow as tf
from modelyard.job import context
import reader

print("trained by hand", flush=True)
os.write(2, b"W0000 00:00:1.5 1 real.cc:1] a warning of a library\\n")
spec = tf.TensorSpec((), tf.float32)
rows = tf.data.Dataset.from_generator(reader.rows, output_signature=(spec, spec)).batch(2)
model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
model.compile("sgd", "mse")
model.fit(rows)
"""
READER = """
def rows():
    import elsewhere
    yield 1.0, 1.0
"""
SAYS = "there is no module 'elsewhere': add `elsewhere` to requirements.txt in the package's folder, or the file"
FRAMES = '  File "reader.py", line 3, in rows\n    import elsewhere\n'


@pytest.fixture
def package(tmp_path: Path) -> Path:
    folder = tmp_path / "code"
    folder.mkdir()
    (folder / "train.py").write_text(TRAIN)
    (folder / "reader.py").write_text(READER)
    return folder


def check(log: str) -> None:
    assert log.startswith(("trained by hand\n", "W0000 00:00:1.5 1 real.cc:1] a warning")), log[:2000]
    assert "a warning of a library" in log
    assert FRAMES in log
    assert 'File "train.py", line 14, in <module>' in log
    for noise in ("stack traces", "script_ops", "PyFunc", "absl", "oneDNN"):
        assert noise not in log


def test_of_a_job(tmp_path: Path, package: Path) -> None:
    with Child(tmp_path, imported=False, code=str(package), entry="train", dataset="") as child:
        _, heard = child.finish()
    check((tmp_path / "log").read_text())
    failed = heard[-1]
    assert isinstance(failed, Failed)
    assert failed.message.startswith(SAYS)
    assert failed.message.endswith("(reader.py, line 3)")
    assert failed.traceback.endswith(f"{FRAMES}ModuleNotFoundError: No module named 'elsewhere'\n")


def test_of_a_package_in_ones_own_terminal(tmp_path: Path, package: Path) -> None:
    tried: Trial = try_package(package, tmp_path / "out")
    assert tried.status == 1
    check(tried.printed)
    assert f"[modelyard] USER_CODE: {SAYS}" in tried.printed
