"""What the registries' clients say, and what is made of it, where they are missing or bring nothing."""

import os
import sys
from pathlib import Path

import pytest

from modelyard.sdk.errors import DataLoss, FailedPrecondition, ModelyardError, Unavailable
from modelyard.sdk.gallery.packages import Deb, Package, Sdist, Tarball, Translations, Wheel, tarball, wheel
from modelyard.sdk.gallery.packages.client import Ran, run
from modelyard.sdk.gallery.packages.deb import first_error
from modelyard.sdk.gallery.packages.package import verify
from modelyard.sdk.progress import silent

NONE = "0" * 64
PACKAGES = [
    (Wheel("some", "1.0", (NONE,), 100), "pip", "some==1.0"),
    (Sdist("some", "1.0", NONE, 100), "pip", "some==1.0"),
    (Tarball("@one/some", "1.0", NONE, 100), "npm", "@one/some@1.0"),
    (Deb("some", "1.0-1", NONE, 100), "apt", "some=1.0-1"),
    (Translations(("en", "it"), 100), "apt", "Translation-en, Translation-it of bookworm"),
]


@pytest.mark.parametrize(("package", "client", "requirement"), PACKAGES, ids=lambda each: type(each).__name__)
def test_a_package_whose_client_is_missing_says_how_to_get_it(
    package: Package, client: str, requirement: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert (package.client, package.requirement) == (client, requirement)
    package.check()
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setitem(sys.modules, "pip", None)
    with pytest.raises(FailedPrecondition, match=f"^{requirement} is downloaded by .*lacks") as missing:
        package.check()
    assert (missing.value.reason, missing.value.facts) == ("CLIENT_MISSING", {"client": client})


@pytest.mark.parametrize(
    ("said", "kind", "message"),
    [
        ("x\nERROR: THESE PACKAGES DO NOT MATCH THE HASHES from the file\n  Got 12", DataLoss, "is another file than"),
        ("WARNING: slow\nERROR: No matching distribution found for x\n", Unavailable, "No matching distribution found"),
        ("", Unavailable, "can't be downloaded: it said nothing"),
    ],
)
def test_what_pip_says_becomes_a_sentence(said: str, kind: type[ModelyardError], message: str) -> None:
    error = wheel._failure("some==1.0", said)
    assert type(error) is kind
    assert message in error.message


def test_what_npm_says_becomes_a_sentence() -> None:
    said = "npm error code E404\nnpm error 404 Not Found - GET https://registry/some - Not found\n"
    message = tarball._failure("some@1.0", said).message
    assert message.startswith("some@1.0 can't be downloaded: 404 Not Found - GET https://registry/some - Not found. ")
    assert "npm config get registry" in message


def test_what_apt_says_becomes_a_sentence() -> None:
    assert first_error(Ran(False, "Reading…\nE: Unable to locate package some.\nE: more\n")) == (
        "Unable to locate package some"
    )
    assert first_error(Ran(False, "")) == "it said nothing"


def test_another_file_under_the_same_name_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"other")
    with pytest.raises(DataLoss, match=r"some==1\.0 from your registry is another file") as changed:
        verify(tmp_path / "file", NONE, "some==1.0")
    assert changed.value.reason == "PACKAGE_CHANGED"


def test_how_far_a_client_is_shows_in_the_file_that_grows(tmp_path: Path) -> None:
    said: list[tuple[str, int, int]] = []
    writes = "dd if=/dev/zero of=part bs=1000 count=1 status=none; read line < more; echo done"
    fifo = tmp_path / "more"
    os.mkfifo(fifo)

    def progress(stage: str, done: int, total: int) -> None:
        said.append((stage, done, total))
        if done == 1000:
            fifo.write_text("go on\n")

    ran = run(["sh", "-c", writes], tmp_path, 2000, progress)
    assert ran == Ran(True, "done\n")
    assert list(dict.fromkeys(done for _, done, _ in said)) == [0, 1000, 2000]


def test_a_client_ends_with_what_asked_for_it(tmp_path: Path) -> None:
    started = tmp_path / "pid"

    def interrupted_once_it_runs(stage: str, done: int, total: int) -> None:
        if started.exists():
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(["sh", "-c", "echo $$ > new; mv new pid; exec sleep 60"], tmp_path, 1, interrupted_once_it_runs)
    assert not Path("/proc", started.read_text().strip()).exists()


def test_a_client_that_fails_is_told_by_its_output(tmp_path: Path) -> None:
    assert run(["sh", "-c", "echo bad >&2; exit 3"], tmp_path, 1, silent) == Ran(False, "bad\n")
