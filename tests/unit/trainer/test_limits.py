"""What a job may use."""

from pathlib import Path

from modelyard.trainer.limits import beside, job_limits, machine_memory
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


def test_a_job_beside_others_gets_no_more_memory_than_is_left_for_it() -> None:
    settings = LimitSettings(memory_bytes=8 << 30, profile_memory_bytes=1 << 30)
    assert beside(job_limits(settings, 60), settings).memory_bytes == 1 << 30
    small = LimitSettings(memory_bytes=1 << 29)
    assert beside(job_limits(small, 60), small).memory_bytes == 1 << 29
    assert beside(job_limits(settings, 60), settings).wall_s == 60
