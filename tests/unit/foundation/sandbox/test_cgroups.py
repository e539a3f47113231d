"""Where control groups may be made, on machines of every kind: their files are written here by hand."""

from pathlib import Path

import pytest

from modelyard.foundation.sandbox import cgroups


class Machine:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._mounts: list[str] = []
        self._own: list[str] = []

    def v2(self, path: str, root: str = "/", controllers: str = "cpu memory pids", on: str = "") -> Path:
        point = self.folder / "unified"
        self._mounts.append(f"30 1 0:26 {root} {point} rw shared:4 - cgroup2 cgroup2 rw")
        self._own.append(f"0::{path}")
        own = point / path.removeprefix(root).lstrip("/")
        own.mkdir(parents=True)
        for each in (own, *own.relative_to(point).parents):
            place = point / each
            (place / "cgroup.procs").write_text("")
        (own / "cgroup.controllers").write_text(controllers + "\n")
        (own / "cgroup.subtree_control").write_text(on + "\n")
        return own

    def v1(self, controllers: str, path: str) -> Path:
        point = self.folder / controllers
        self._mounts.append(f"31 1 0:27 / {point} rw shared:5 - cgroup cgroup rw,{controllers}")
        self._own.append(f"4:{controllers}:{path}")
        own = point / path.lstrip("/")
        own.mkdir(parents=True, exist_ok=True)
        return own

    def find(self, *, prepare: bool = True) -> cgroups.Place | None:
        (self.folder / "mounts").write_text("".join(f"{line}\n" for line in self._mounts))
        (self.folder / "own").write_text("".join(f"{line}\n" for line in self._own))
        return cgroups.find(self.folder / "mounts", self.folder / "own", prepare=prepare)


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def test_a_subtree_that_has_both_controllers_is_used(machine: Machine) -> None:
    own = machine.v2("/system.slice/worker.service", on="cpu memory pids")
    assert machine.find() == cgroups.Place(2, own, own, own)


def test_controllers_are_switched_on_where_nothing_runs(machine: Machine) -> None:
    own = machine.v2("/delegated", controllers="memory pids")
    assert machine.find(prepare=False) == cgroups.Place(2, own, own)
    assert (own / "cgroup.subtree_control").read_text() == "\n"
    assert machine.find() == cgroups.Place(2, own, own)
    assert (own / "cgroup.subtree_control").read_text() == "+memory +pids"


def test_the_cpu_is_shared_out_where_that_can_be_switched_on(machine: Machine) -> None:
    own = machine.v2("/delegated", on="memory pids")
    assert machine.find(prepare=False) == cgroups.Place(2, own, own, own)
    assert (own / "cgroup.subtree_control").read_text() == "memory pids\n"
    assert machine.find() == cgroups.Place(2, own, own, own)
    assert (own / "cgroup.subtree_control").read_text() == "+cpu"


def test_processes_of_another_s_group_stay_where_they_are(machine: Machine) -> None:
    own = machine.v2("/user.slice/session.scope")
    (own / "cgroup.type").write_text("domain\n")
    (own / "cgroup.procs").write_text("1\n2\n")
    assert machine.find() is None
    assert not (own / "modelyard").exists()


def test_one_that_moved_its_processes_down_finds_its_place_again(machine: Machine) -> None:
    own = machine.v2("/delegated/modelyard")
    above = own.parent
    (above / "cgroup.controllers").write_text("memory pids\n")
    (above / "cgroup.subtree_control").write_text("memory pids\n")
    assert machine.find() == cgroups.Place(2, above, above)


def test_version_1_is_used_where_version_2_has_no_controllers(machine: Machine) -> None:
    machine.v2("/", controllers="")
    memory, pids = machine.v1("memory", "/api/one"), machine.v1("pids", "/")
    assert machine.find() == cgroups.Place(1, memory, pids)
    cpu = machine.v1("cpu,cpuacct", "/")
    assert machine.find() == cgroups.Place(1, memory, pids, cpu)


def test_without_one_of_the_controllers_there_is_none(machine: Machine) -> None:
    machine.v1("memory", "/api")
    assert machine.find() is None


def test_a_container_sees_its_own_group_as_the_top(machine: Machine) -> None:
    own = machine.v2("/docker/abc", root="/docker/abc", controllers="memory pids", on="memory pids")
    assert machine.find() == cgroups.Place(2, own, own)


def test_a_group_of_version_2_has_its_limits_and_counts(tmp_path: Path) -> None:
    place = cgroups.Place(2, tmp_path, tmp_path)
    group = cgroups.Group(place, memory_bytes=1000, pids=7)
    (folder,) = group.folders
    assert (folder / "memory.max").read_text() == "1000"
    assert (folder / "pids.max").read_text() == "7"
    (folder / "memory.events").write_text("low 0\nhigh 0\nmax 3\noom 1\noom_kill 2\n")
    (folder / "pids.events").write_text("max 5\n")
    assert (group.oom_kills, group.refused_processes) == (2, 5)
    assert group.doors == [folder / "cgroup.procs"]


def test_a_group_of_version_1_is_in_each_of_its_controllers(tmp_path: Path) -> None:
    places = [tmp_path / name for name in ("memory", "pids", "cpu")]
    for place in places:
        place.mkdir()
    memory, pids, cpu = places
    group = cgroups.Group(cgroups.Place(1, memory, pids, cpu), memory_bytes=0, pids=0)
    assert [door.parent.parent for door in group.doors] == places
    assert group.remove()
    assert [*memory.iterdir(), *pids.iterdir(), *cpu.iterdir()] == []
