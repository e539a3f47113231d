"""What the registries' clients say, and what is made of it, where they are missing or bring nothing."""

import os
import sys
import zipfile
from pathlib import Path

import pytest

from modelyard.sdk.errors import DataLoss, FailedPrecondition, ModelyardError, Unavailable
from modelyard.sdk.gallery.cache import cache_folder
from modelyard.sdk.gallery.digests import sha256
from modelyard.sdk.gallery.packages import Deb, Package, Sdist, Tarball, Translations, Wheel, tarball, wheel
from modelyard.sdk.gallery.packages.client import Ran
from modelyard.sdk.gallery.packages.deb import first_error
from modelyard.sdk.gallery.packages.package import verify
from modelyard.sdk.progress import silent

NONE = "0" * 64
BROKEN = """\
WARNING: Retrying (Retry(total=1, read=None)) after connection broken by 'Slow': /some/
WARNING: Retrying (Retry(total=0, read=None)) after connection broken by 'New('<pip._v.X object at 0x7f>: Refused')'
"""
NOT_FOUND = "ERROR: Could not find a version that satisfies the requirement some==1.0 (from versions: none)\n"
NO_SETUPTOOLS = """\
  error: subprocess-exited-with-error
      ERROR: Could not find a version that satisfies the requirement setuptools>=40.8.0 (from versions: none)
      ERROR: No matching distribution found for setuptools>=40.8.0
note: This error originates from a subprocess, and is likely not a problem with pip.
"""
UNEXPECTED = """\
ERROR: Exception:
Traceback (most recent call last):
  File "/pip/x.py", line 1, in <module>
ValueError: odd
"""
PACKAGES: list[tuple[Package, str, str]] = [
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
        (BROKEN + NOT_FOUND, Unavailable, "downloaded: connection broken by 'New('Refused')'. `pip"),
        ("WARNING: 401 Error, Credentials not correct\n" + NOT_FOUND, Unavailable, ": 401 Error, Credentials not"),
        ("Could not fetch URL https://x: certificate - skipping\n" + NOT_FOUND, Unavailable, ": Could not fetch URL"),
        (
            NOT_FOUND,
            Unavailable,
            "downloaded: the index has no such file, or did not answer. `pip config list`",
        ),
        (UNEXPECTED, Unavailable, "downloaded: ValueError: odd. `pip config list`"),
        (NO_SETUPTOOLS, Unavailable, "the requirement setuptools>=40.8.0 (from versions: none). "),
    ],
)
def test_what_pip_says_becomes_a_sentence(said: str, kind: type[ModelyardError], message: str) -> None:
    error = wheel._failure("some==1.0", said, "its file")
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


def write_program(path: Path, script: str) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Programs here are found first."""
    folder = tmp_path / "programs"
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    return folder


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "package").mkdir()
    return tmp_path / "package"


def test_lists_that_did_not_fit_are_no_other_release_though_apt_calls_that_a_success(
    programs: Path, folder: Path
) -> None:
    write_program(programs / "apt-get", 'echo "W: Failed to fetch x  write (28: No space left on device)"')
    with pytest.raises(OSError, match="No space left on device"):
        PACKAGES[4][0].download(folder, silent)


UNREACHED = "W: Failed to fetch http://deb.example/InRelease  Could not resolve 'deb.example'"


@pytest.mark.parametrize("package", [PACKAGES[3][0], PACKAGES[4][0]], ids=["package", "list"])
def test_an_archive_that_is_not_reached_is_no_other_release(package: Package, programs: Path, folder: Path) -> None:
    update = f"""*update) echo "{UNREACHED}"; echo "W: Some index files failed to download." ;;"""
    write_program(
        programs / "apt-get", f"""case "$*" in {update} *) echo "E: Unable to locate package"; exit 100 ;; esac"""
    )
    with pytest.raises(Unavailable) as away:
        package.download(folder, silent)
    assert ": Failed to fetch http://deb.example/InRelease Could not resolve 'deb.example'. apt" in away.value.message
    assert "Debian 12" not in away.value.message


def test_apt_speaks_english_for_it_is_looked_for_what_it_says(
    programs: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LC_ALL", "de_DE.UTF-8")
    monkeypatch.setenv("LANGUAGE", "de:en")
    script = f"""
    case "$LANGUAGE/$LC_ALL" in
      /C.UTF-8) echo "{UNREACHED.replace("W:", "E:")}" ;;
      *) echo "E: Fehlschlag beim Holen von http://deb.example/InRelease" ;;
    esac
    exit 100"""
    write_program(programs / "apt-get", script)
    with pytest.raises(Unavailable, match="is there a network, or is a proxy to be set"):
        PACKAGES[3][0].download(folder, silent)


@pytest.mark.parametrize("package", [PACKAGES[3][0], PACKAGES[4][0]], ids=["package", "list"])
def test_an_archive_of_another_release_is_told_from_one_that_is_away(
    package: Package, programs: Path, folder: Path
) -> None:
    write_program(programs / "apt-get", """case "$*" in *update) ;; *) echo "E: Not there"; exit 100 ;; esac""")
    with pytest.raises(Unavailable, match="Debian 12"):
        package.download(folder, silent)


def test_an_npm_that_cannot_say_where_an_archive_goes_is_refused_before_any_work(programs: Path) -> None:
    write_program(programs / "npm", "echo 7.5.2")
    with pytest.raises(FailedPrecondition, match=r"npm 7\.18 or a later one, and this machine's is 7\.5\.2") as old:
        PACKAGES[2][0].check()
    assert old.value.reason == "CLIENT_TOO_OLD"
    write_program(programs / "npm", "echo 10.9.2")
    PACKAGES[2][0].check()


def test_npm_runs_where_the_user_is_whose_settings_name_files_from_there(
    programs: Path, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_program(programs / "npm", """while [ "$1" != --pack-destination ]; do shift; done; pwd > "$2/some.tgz" """)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DataLoss):
        PACKAGES[2][0].download(folder, silent)
    assert (folder / "packed" / "some.tgz").read_text() == f"{tmp_path}\n"


def test_a_wheel_folder_is_named_from_where_the_user_is_and_its_wheels_may_be_for_another_python(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "wheels" / "some-1.0-py3-none-any.whl"
    file.parent.mkdir()
    with zipfile.ZipFile(file, "w") as archive:
        info = "some-1.0.dist-info"
        archive.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\nName: some\nVersion: 1.0\nRequires-Python: <3\n")
        archive.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr(f"{info}/RECORD", "")
    (tmp_path / "pip.py").write_text("raise SystemExit(1)")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", "wheels")
    assert Wheel("some", "1.0", (sha256(file),), 100).download(folder, silent).name == file.name


def test_a_source_package_needs_setuptools_beside_it_where_there_is_no_network(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))
    with pytest.raises(Unavailable, match="put its file, and a wheel of setuptools beside it, into a folder and set"):
        PACKAGES[1][0].download(folder, silent)


def test_the_cache_is_named_from_where_the_user_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", "mine")
    assert cache_folder() == tmp_path / "mine" / "modelyard" / "gallery"


def test_another_file_under_the_same_name_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"other")
    with pytest.raises(DataLoss, match=r"some==1\.0 from your registry is another file") as changed:
        verify(tmp_path / "file", NONE, "some==1.0")
    assert changed.value.reason == "PACKAGE_CHANGED"
