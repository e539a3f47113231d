"""What scripts are told of versions that they pull, point to and delete."""

import json
from pathlib import Path

from tests.integration.cli.conftest import There, typed


def files_of(folder: str) -> list[str]:
    return [path.name for path in Path(folder).iterdir()]


async def test_scripts_are_told_what_was_pulled_pointed_to_and_deleted(there: There) -> None:
    done = await typed("datasets", "pull", "digits", "here", "-o", "json")
    assert json.loads(done.stdout) == {"name": "digits", "folder": "here"}
    assert files_of("here") == ["modelyard.dataset.json"]
    done = await typed("datasets", "alias", "digits", "good", "1", "-o", "json")
    assert json.loads(done.stdout) == {"name": "digits", "alias": "good", "version": 1}
    shown = json.loads((await typed("datasets", "show", "digits@good", "-o", "json")).stdout)
    assert shown["version"]["name"].endswith("/datasets/digits/versions/1")
    done = await typed("datasets", "delete", "digits", "-o", "json")
    assert json.loads(done.stdout) == {"name": "digits"}
    assert json.loads((await typed("datasets", "list", "-o", "json")).stdout) == []


async def test_people_see_no_word_where_all_went_well(there: There) -> None:
    assert (await typed("datasets", "alias", "digits", "good", "1")).output == ""
    assert (await typed("datasets", "delete", "digits")).output == ""
