"""Every command line of the README does what it says, in the README's order, on one installation."""

import ast
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from modelyard.sdk import gallery
from tests.support.ports import free_port
from tests.support.sounds import wav
from tests.support.stack import Stack, held_out, plain_environment, write_digits

pytestmark = pytest.mark.timeout(900)

README = Path(__file__).parents[2] / "README.md"
EXAMPLES = README.parent / "deploy" / "examples"
FOUNDING_SCRIPT = EXAMPLES / "founding_script.py"
FOR_A_JOB = "from modelyard.job import context"
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LONG_BLOCK = re.compile(r"^```sh long\n(.*?)^```$", re.MULTILINE | re.DOTALL)
"""Minutes of work on big sets: `make soak`."""
ADDRESS = "127.0.0.1:8470"
ON_A_GALLERY_SET = re.compile(rf"modelyard train \S+ --dataset (?:{'|'.join(gallery.SETS)}) --watch")
"""They train for as long as the figures of the README take; one epoch shows that the line works."""
BY_THE_CI_SCRIPT = {"$ make demo", "$ make test"}
"""What `.ci/run` runs itself."""


def blocks() -> Iterator[tuple[str, str]]:
    """Language and text of each fenced block."""
    yield from BLOCK.findall(README.read_text())


@pytest.fixture
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The reader's folder: `digits/`, `seven.png`, `scene.png`, tables and sounds, and `modelyard` on PATH."""
    home = tmp_path_factory.mktemp("readme")
    write_tables(home)
    write_sounds(home / "birds")
    write_digits(home / "digits", 600)
    shutil.copytree(EXAMPLES, home / "deploy" / "examples")
    images, labels = held_out(100)
    seven = Image.fromarray(images[labels.index(7), :, :, 0])
    seven.save(home / "seven.png")
    scene = Image.new("RGB", (96, 96), "darkgreen")
    scene.paste(seven, (30, 40))
    scene.save(home / "scene.png")
    yield home
    Stack(home, 0).run("down", status=None)


def write_tables(home: Path) -> None:
    people = [f"{20 + at % 50},{('clerk', 'boss')[at % 2]},{('<=50K', '>50K')[at % 3 == 0]}" for at in range(300)]
    (home / "adult.csv").write_text("\n".join(["age,job,salary", *people]))
    prices = [f"{at % 20},{at % 7},{at % 7 * 1.5 + at % 20}" for at in range(300)]
    (home / "prices.csv").write_text("\n".join(["shop_id,size,price", *prices]))


def write_sounds(folder: Path) -> None:
    for at in range(40):
        path = folder / ("owl", "wren")[at % 2] / f"{at}.wav"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(wav(seed=at))


@pytest.mark.parametrize("whole", [False, pytest.param(True, marks=pytest.mark.soak)])
def test_every_command_line_of_the_readme_runs(home: Path, whole: bool) -> None:
    if shutil.which("grpcurl", path=_path()) is None:
        pytest.skip("grpcurl is not installed (go install github.com/fullstorydev/grpcurl/cmd/grpcurl@latest)")
    port = free_port()
    left_running = []
    try:
        for language, text in blocks():
            if language == "console":
                assert set(text.splitlines()) <= BY_THE_CI_SCRIPT
            elif language == "python" and FOR_A_JOB in text:
                # The same code; the formatter of Markdown has its own quotes.
                assert ast.unparse(ast.parse(text)) == ast.unparse(ast.parse(FOUNDING_SCRIPT.read_text()))
            elif language == "python":
                _run([sys.executable, "-c", _at(port, text)], home)
            elif language == "sh":
                for line in _lines(text if whole else _quick(text)):
                    if line.endswith("&"):
                        left_running.append(_start(_at(port, line.removesuffix("&")), home))
                    else:
                        _run(["bash", "-euo", "pipefail", "-c", _at(port, line)], home)
            else:
                assert language == "text", f"a block of {language!r} is run by nobody"
    finally:
        for process in left_running:
            process.terminate()
            process.wait(60)
    for path in (
        "birds.html",
        "adult.json",
        "digits-answers/modelyard.dataset.json",
        "saved_model/saved_model.pb",
        "founding-code/founding_script.py",
        "founding-outputs/run",
        "report.html",
    ):
        assert (home / path).exists(), path
    assert not (home / ".modelyard" / "up.json").exists()


@pytest.mark.soak
@pytest.mark.timeout(3600)
def test_every_long_command_line_of_the_readme_runs(home: Path) -> None:
    _run(["modelyard", "up", "--detach", "--port", str(free_port())], home)
    texts = LONG_BLOCK.findall(README.read_text())
    assert texts
    for line in [line for text in texts for line in _lines(text)]:
        _run(["bash", "-euo", "pipefail", "-c", line], home)


def _lines(text: str) -> list[str]:
    return [line for line in text.splitlines() if line.strip()]


def _quick(text: str) -> str:
    return ON_A_GALLERY_SET.sub(lambda found: f"{found[0]} --set epochs=1", text)


def _at(port: int, text: str) -> str:
    """The same line for an installation on a free port."""
    text = text.replace(ADDRESS, f"127.0.0.1:{port}")
    return text.replace("modelyard up --detach", f"modelyard up --detach --port {port}")


def _path() -> str:
    """PATH with this environment's programs and Go's, and without MinIO: the README starts on the embedded store."""
    return f"{Path(sys.executable).parent}:/usr/local/bin:/usr/bin:/bin:{_grpcurl_folder()}"


def _grpcurl_folder() -> str:
    """A folder that holds grpcurl and not MinIO beside it."""
    program = shutil.which("grpcurl") or shutil.which("grpcurl", path=str(Path.home() / "go" / "bin"))
    if program is None:
        return ""
    folder = Path(__file__).parent / "__pycache__" / "bin"
    folder.mkdir(parents=True, exist_ok=True)
    link = folder / "grpcurl"
    link.unlink(missing_ok=True)
    link.symlink_to(program)
    return str(folder)


def _run(command: list[str], home: Path) -> None:
    environment = plain_environment() | {"PATH": _path()}
    done = subprocess.run(command, cwd=home, env=environment, capture_output=True, text=True, timeout=900, check=False)
    assert done.returncode == 0, f"{command[-1]}\nended with {done.returncode}\n{done.stdout}\n{done.stderr}"


def _start(line: str, home: Path) -> "subprocess.Popen[str]":
    environment = plain_environment() | {"PATH": _path()}
    with (home / "background.log").open("a") as log:
        return subprocess.Popen(
            ["bash", "-c", f"exec {line}"], cwd=home, env=environment, stdout=log, stderr=log, text=True
        )
