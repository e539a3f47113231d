"""The command line as a process."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest


def test_a_person_sees_a_sentence_and_a_script_a_status(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "modelyard.cli", "datasets", "push", "digits", "gone", "-o", "json"]
    ended = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr == "error: gone does not exist; give the folder that holds the files [PATH_NOT_FOUND]\n"


def test_a_full_disk_behind_stdout_is_a_sentence_too() -> None:
    with Path("/dev/full").open("w") as full:
        command = [sys.executable, "-m", "modelyard.cli", "gallery", "-o", "json"]
        ended = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert ended.returncode == 1
    assert "error: No space left on device\n" in ended.stderr
    assert "Traceback" not in ended.stderr


@pytest.mark.parametrize("encoding", ["latin-1", "ascii:surrogateescape"])
def test_a_locale_that_lacks_characters_shows_others_and_json_keeps_all(encoding: str) -> None:
    def said(encoding: str, *more: str) -> bytes:
        command = [sys.executable, "-m", "modelyard.cli", "gallery", *more]
        environment = os.environ | {"PYTHONIOENCODING": encoding}
        return subprocess.run(command, capture_output=True, check=True, env=environment).stdout

    text, codec = said("utf-8").decode(), encoding.partition(":")[0]
    with pytest.raises(UnicodeEncodeError):
        text.encode(codec)
    assert said(encoding) == text.encode(codec, "replace")
    assert json.loads(said(encoding, "-o", "json")) == json.loads(said("utf-8", "-o", "json"))
