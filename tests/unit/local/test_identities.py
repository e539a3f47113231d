import stat
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from modelyard.foundation.auth.keys import load_key
from modelyard.foundation.auth.tokens import Signer, Verifier
from modelyard.local.folder import DataFolder, replace_file
from modelyard.local.identities import MACHINE_TTL_S, ensure_identities


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[DataFolder]:
    folder = DataFolder(tmp_path / "data")
    with folder.claimed():
        ensure_identities(folder)
        yield folder


def contents(folder: DataFolder) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in (folder.token, *folder.part("keys").iterdir())}


def test_keys_and_the_administrators_token_stay_what_they_were(folder: DataFolder) -> None:
    before = contents(folder)
    ensure_identities(folder)
    after = contents(folder)
    assert before.keys() == after.keys()
    for name in ("token", "catalog.key", "scheduler.key", "trust.json"):
        assert before[name] == after[name]


def test_a_token_that_was_deleted_is_made_again(folder: DataFolder) -> None:
    folder.token.unlink()
    ensure_identities(folder)
    assert folder.token.exists()


def test_secrets_are_for_their_owner_only(folder: DataFolder) -> None:
    for path in (folder.token, *folder.part("keys").iterdir()):
        if path.name != "trust.json":
            assert stat.S_IMODE(path.stat().st_mode) == 0o600, path


@pytest.mark.parametrize(
    ("name", "subject", "role"),
    [
        ("scheduler", "services/scheduler", "service"),
        ("inference", "services/inference", "service"),
        ("proxy", "services/proxy", "service"),
        ("worker", "workers/local", "worker"),
        ("host", "hosts/local", "host"),
    ],
)
def test_every_machine_has_a_token_of_its_own(folder: DataFolder, name: str, subject: str, role: str) -> None:
    verifier = Verifier(folder.part("keys") / "trust.json")
    identity = verifier.verify((folder.part("keys") / f"{name}.token").read_text().strip())
    assert (identity.subject, dict(identity.projects)) == (subject, {"*": role})


def test_the_administrator_is_one_in_every_project(folder: DataFolder) -> None:
    identity = Verifier(folder.part("keys") / "trust.json").verify(folder.token.read_text().strip())
    assert (identity.subject, dict(identity.projects)) == ("users/admin", {"*": "admin"})


def test_the_administrators_token_is_renewed_before_it_ends(folder: DataFolder) -> None:
    signer = Signer("catalog", load_key(folder.part("keys") / "catalog.key"))
    replace_file(folder.token, signer.sign("users/admin", {"*": "admin"}, MACHINE_TTL_S - 60).token)
    ensure_identities(folder)
    identity = Verifier(folder.part("keys") / "trust.json").verify(folder.token.read_text().strip())
    assert identity.subject == "users/admin"
    assert identity.expire_time > datetime.now(UTC) + timedelta(days=300)
