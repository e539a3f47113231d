"""What a job may use."""

from pathlib import Path

from modelyard.trainer.limits import job_limits, machine_memory
from modelyard.trainer.settings import LimitSettings


def test_memory_is_the_machines_or_the_containers_where_that_has_less(tmp_path: Path) -> None:
    meminfo, v2, v1 = tmp_path / "meminfo", tmp_path / "v2", tmp_path / "v1"
    meminfo.write_text("MemTotal:       16000000 kB\nMemFree: 1 kB\n")
    assert machine_memory(meminfo, (v2, v1)) == 16_000_000 * 1024
    v2.write_text("max\n")
    v1.write_text("9223372036854771712\n")
    assert machine_memory(meminfo, (v2, v1)) == 16_000_000 * 1024
    v2.write_text("1073741824\n")
    assert machine_memory(meminfo, (v2, v1)) == 1 << 30


def test_a_job_gets_a_share_of_it_unless_a_number_is_set() -> None:
    share = job_limits(LimitSettings(memory_share=0.5), 0)
    assert share.memory_bytes == int(machine_memory() * 0.5)
    assert job_limits(LimitSettings(memory_bytes=123), 60).memory_bytes == 123
    assert job_limits(LimitSettings(), 60).wall_s == 60
