"""T-SBX-04: the catalog and the proxy, which hold the keys, never look into what people send: that is for sandboxes.

Both run as they do for everybody, with an audit hook of Python's that notes what they import, unpickle, load and open.
"""

import json
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from modelyard.local.folder import DataFolder
from modelyard.sdk import Client
from tests.fault.conftest import EMBEDDED
from tests.fault.sandbox.audited_up import write_hook
from tests.support.ports import free_port
from tests.support.saved_model import saved_model
from tests.support.stack import START_TIMEOUT_S, Stack, plain_environment, until, write_digits

pytestmark = pytest.mark.timeout(300)

REPOSITORY = Path(__file__).parents[3]
DECODERS = {"tensorflow", "keras", "h5py", "PIL", "soundfile", "av", "pyarrow", "pandas", "cv2"}
"""Whatever reads models, pictures, sounds or tables."""
CONTENTS = {".png", ".jpg", ".pb", ".npy", ".npz", ".keras", ".h5"}

Event = tuple[int, str, str]


@pytest.fixture(scope="module")
def hook(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("audit") / "hook"


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory, hook: Path) -> Iterator[Stack]:
    stack = Stack(tmp_path_factory.mktemp("audited"), free_port())
    write_hook(hook)
    command = [sys.executable, "-m", "tests.fault.sandbox.audited_up", str(hook)]
    command += ["up", "--dir", str(stack.folder), "--port", str(stack.port)]
    with (stack.home / "up.txt").open("w") as said:
        up = subprocess.Popen(
            command, cwd=REPOSITORY, env=plain_environment() | EMBEDDED, stdout=said, stderr=subprocess.STDOUT
        )
    try:
        until(lambda: DataFolder(stack.folder).read_up() or up.poll() is not None, START_TIMEOUT_S)
        assert up.poll() is None, (stack.home / "up.txt").read_text()
        yield stack
    finally:
        up.terminate()
        up.wait(120)


def events(hook: Path) -> list[Event]:
    lines = (hook / "log").read_text().splitlines()
    return [(int(process), event, what) for process, event, what in (line.split("\t", 2) for line in lines)]


def test_the_hook_notices_what_is_decoded(tmp_path: Path) -> None:
    log = write_hook(tmp_path / "hook")
    code = (
        "import pickle, ctypes, PIL.Image; ctypes.CDLL(None); open('picture.png', 'w');"
        "pickle.loads(pickle.dumps(PIL.Image.open))"
    )
    subprocess.run(
        [sys.executable, "-c", code], env={"PYTHONPATH": str(log.parent)}, cwd=tmp_path, check=True, timeout=60
    )
    seen = {(event, what) for _, event, what in events(log.parent)}
    assert {("import", "PIL.Image"), ("open", "picture.png"), ("pickle.find_class", "PIL.Image.open")} <= seen


def test_models_and_datasets_go_through_them_unopened(stack: Stack, hook: Path) -> None:
    write_digits(stack.home / "digits", 30)
    model = stack.home / "model"
    saved_model(model)
    stack.run("datasets", "push", "digits", "digits")
    job = stack.json("models", "push", "small", "model")
    stack.json("deploy", "small", "--model", job["model_version"])
    with Client(stack.address, token=stack.token) as client:
        client.deployments.predict("small", {"image": np.ones((1, 4, 4, 1), np.uint8)})
    ask_by_rest(stack)
    stack.run("models", "pull", "small", "pulled")
    seen = events(hook)
    watched = {
        process for process, event, what in seen if what in ("modelyard.proxy.embedded", "modelyard.proxy.beside")
    }
    assert {*stack.pids("modelyard.catalog"), *stack.pids("modelyard.proxy"), *watched} <= {each for each, *_ in seen}
    assert watched, "the prediction path, inside Envoy or beside it"
    assert DECODERS & {what.partition(".")[0] for _, event, what in seen if event == "import"} == set()
    assert [what for _, event, what in seen if event == "pickle.find_class"] == []
    assert [what for _, event, what in seen if event == "ctypes.dlopen" and "tensorflow" in what] == []
    opened = {Path(what) for _, event, what in seen if event == "open"}
    own = [stack.folder / name for name in ("config", "db", "keys", "logs", "run")]
    assert [
        path
        for path in opened
        if path.is_relative_to(stack.home) and not any(path.is_relative_to(folder) for folder in own)
    ] == []
    assert [path for path in opened if path.suffix in CONTENTS] == []


def ask_by_rest(stack: Stack) -> None:
    request = urllib.request.Request(
        f"http://{stack.address}/v1/models/small:predict",
        data=json.dumps({"instances": [[[[1]] * 4] * 4]}).encode(),
        headers={"authorization": f"Bearer {stack.token}"},
    )
    with urllib.request.urlopen(request, timeout=30) as response:
        assert len(json.loads(response.read())["predictions"]) == 1
