"""Which rules are made for which folders."""

from pathlib import Path

from modelyard.foundation.sandbox import landlock

WRITE_FILE, MAKE_FILE, MAKE_DEVICE, IOCTL = 1 << 1, 1 << 8, 1 << 6 | 1 << 11, 1 << 15


def rules(version: int, readable: list[Path], writable: list[Path], *, network: bool = False) -> dict[str, int]:
    return dict(landlock.ruleset(version, readable, writable, [], network=network)["rules"])


def test_what_is_readable_is_not_writable(tmp_path: Path) -> None:
    (tmp_path / "r").mkdir()
    (tmp_path / "w").mkdir()
    made = rules(7, [tmp_path / "r"], [tmp_path / "w"])
    assert made[str(tmp_path / "r")] & (WRITE_FILE | MAKE_FILE) == 0
    assert made[str(tmp_path / "w")] & (WRITE_FILE | MAKE_FILE) == WRITE_FILE | MAKE_FILE
    assert made[str(tmp_path / "w")] & MAKE_DEVICE == 0


def test_a_folder_above_a_read_only_one_is_writable_beside_it(tmp_path: Path) -> None:
    for name in ("inputs/dataset", "inputs/source", "scratch"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "link").symlink_to("/etc")
    made = rules(7, [tmp_path / "inputs" / "dataset"], [tmp_path])
    writable = {path for path, allowed in made.items() if allowed & WRITE_FILE}
    assert writable == {str(tmp_path / "inputs" / "source"), str(tmp_path / "scratch")}
    assert str(tmp_path / "link") not in made


def test_an_older_kernel_is_asked_for_what_it_knows(tmp_path: Path) -> None:
    first = landlock.ruleset(1, [], [tmp_path], [Path("/dev/null")], network=False)
    assert first["filesystem"] == (1 << 13) - 1
    assert (first["network"], first["scopes"]) == (0, 0)
    assert all(allowed <= first["filesystem"] for _, allowed in first["rules"])
    fourth = landlock.ruleset(4, [], [tmp_path], [], network=False)
    assert (fourth["network"], fourth["scopes"]) == (3, 0)
    later = landlock.ruleset(99, [], [tmp_path], [Path("/dev/null")], network=True)
    assert (later["network"], later["scopes"]) == (0, 3)
    assert dict(later["rules"])["/dev/null"] & IOCTL


def test_what_does_not_exist_gets_no_rule(tmp_path: Path) -> None:
    assert rules(7, [tmp_path / "none"], []) == {}
