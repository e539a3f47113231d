"""The access log where a line cannot be written."""

import errno
import json
import logging
import os
from pathlib import Path

import pytest

from modelyard.proxy.access_log import AccessEvent, AccessLog


def event(number: int) -> AccessEvent:
    return AccessEvent("Predict", "digits", number, "OK", 0.001, "users/u", "id", "peer", 10, 20, "")


async def test_lines_for_which_there_is_no_room_fail_nothing_and_are_told_of_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    log = AccessLog("/dev/full")
    for number in range(1000):
        log.write(event(number))
    log.flush()
    log.write(event(1000))
    log.close()
    (said,) = caplog.records
    assert (said.levelno, said.__dict__["error"]) == (logging.ERROR, "No space left on device")


async def test_a_line_that_was_begun_is_finished_once_there_is_room_and_the_lost_ones_are_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    room, write = 300, os.write

    def into_the_room(descriptor: int, data: bytes) -> int:
        nonlocal room
        if not room:
            raise OSError(errno.ENOSPC, "No space left on device")
        written = write(descriptor, data[:room])
        room -= written
        return written

    monkeypatch.setattr(os, "write", into_the_room)
    log = AccessLog(str(tmp_path / "access.log"))
    for some, room_then in ((range(4), 300), (range(4, 6), 0), (range(6, 8), 10_000)):
        room = room_then
        for number in some:
            log.write(event(number))
        log.flush()
    log.close()
    lines = (tmp_path / "access.log").read_text().splitlines()
    assert [json.loads(line)["version"] for line in lines] == [0, 1, 6, 7]
    assert [(said.levelno, said.__dict__.get("lost")) for said in caplog.records] == [
        (logging.ERROR, None),
        (logging.WARNING, 4),
    ]
