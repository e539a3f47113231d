"""A job gets the nodes of its own GPUs and of no others."""

from pathlib import Path

import pytest

from modelyard.trainer.domain import Device, Found
from modelyard.trainer.gpus import Gpu, gpus, nodes
from modelyard.trainer.launcher import visible_gpus

INFORMATION = "Model: \t\t NVIDIA H100 80GB HBM3\nIRQ:   \t\t 1\nGPU UUID: \t GPU-{0}\nDevice Minor: \t {1}\n"


@pytest.fixture
def driver(tmp_path: Path) -> Path:
    for place, uuid, minor in (("0000:1b:00.0", "first", 3), ("0000:43:00.0", "second", 0)):
        (tmp_path / "gpus" / place).mkdir(parents=True)
        (tmp_path / "gpus" / place / "information").write_text(INFORMATION.format(uuid, minor))
    return tmp_path / "gpus"


@pytest.fixture
def dev(tmp_path: Path) -> Path:
    (tmp_path / "dev").mkdir()
    for name in ("nvidia0", "nvidia3", "nvidiactl", "nvidia-uvm", "null"):
        (tmp_path / "dev" / name).touch()
    return tmp_path / "dev"


def test_the_driver_describes_its_gpus_in_the_order_of_the_bus(driver: Path, tmp_path: Path) -> None:
    assert gpus(driver) == [
        Gpu(0, "NVIDIA H100 80GB HBM3", "GPU-first", 3),
        Gpu(1, "NVIDIA H100 80GB HBM3", "GPU-second", 0),
    ]
    assert gpus(tmp_path / "none") == []


@pytest.mark.parametrize("name", ["1", "GPU-second"])
def test_only_the_granted_gpus_node_is_given(name: str, driver: Path, dev: Path) -> None:
    assert [path.name for path in nodes([name], driver, dev)] == ["nvidia0", "nvidiactl", "nvidia-uvm"]


def test_one_that_the_driver_does_not_know_gets_what_there_is(driver: Path, dev: Path) -> None:
    given = [path.name for path in nodes(["MIG-7"], driver, dev)]
    assert given == ["nvidia0", "nvidia3", "nvidiactl", "nvidia-uvm"]


def test_gpus_are_named_by_uuid_where_the_driver_and_tensorflow_see_the_same_ones() -> None:
    known = [Gpu(0, uuid="GPU-a"), Gpu(1, uuid="GPU-b")]
    both = Found((Device("cpu", 0), Device("gpu", 0), Device("gpu", 1)))
    assert visible_gpus("", both, known) == "GPU-a,GPU-b"
    assert visible_gpus("1,0", both, known) == "1,0"
    assert visible_gpus("", Found((Device("cpu", 0), Device("gpu", 0))), known) == ""
    assert visible_gpus("", Found((Device("cpu", 0),)), []) == ""
