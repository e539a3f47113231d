"""What the doctor says of the sandbox."""

from dataclasses import replace

from modelyard.foundation.sandbox.bubblewrap import Program
from modelyard.foundation.sandbox.capabilities import Capabilities
from modelyard.local.doctor import Finding, confinement

ABLE = Capabilities(7, True, "0.11.0 (/usr/bin/bwrap)", Program("/usr/bin/bwrap", "0.11.0"), "v2", "", shares_cpu=True)


def test_both_tiers_and_the_limits_are_told() -> None:
    assert confinement(ABLE) == [
        Finding("our own jobs", "confined by Landlock (ABI 7) and system call filters"),
        Finding("data of jobs", "decoded in namespaces of its own"),
        Finding("code and models of others", "kept apart by bubblewrap 0.11.0 (/usr/bin/bwrap)"),
        Finding("memory of jobs", "limited by the kernel (control groups v2)"),
        Finding("CPU of jobs", "shared out evenly among jobs and model servers, by the kernel (control groups)"),
    ]


def test_what_is_not_possible_is_refused_with_its_remedy() -> None:
    unable = replace(ABLE, bubblewrap="bwrap can't make a sandbox here", program=None, remedy="`sudo do this`")
    _, data, foreign, *_ = confinement(unable)
    assert data.ok
    assert data.found == "decoded under Landlock (ABI 7) and system call filters, for want of namespaces"
    assert foreign == Finding(
        "code and models of others", "refused: bwrap can't make a sandbox here; `sudo do this`", ok=False
    )


def test_data_that_nothing_could_keep_apart_is_not_decoded() -> None:
    unable = replace(
        ABLE, landlock=0, bubblewrap="bwrap can't make a sandbox here", program=None, remedy="`sudo do this`"
    )
    _, data, *_ = confinement(unable)
    assert not data.ok
    assert data.found == "not decoded, so no job runs: bwrap can't make a sandbox here; `sudo do this`"


def test_weaker_means_are_named() -> None:
    shipped, _, _, memory, cpu = confinement(replace(ABLE, landlock=0, cgroup="none", shares_cpu=False))
    assert shipped.ok
    assert "system call filters only" in shipped.found
    assert "four times a second" in memory.found
    assert "more processes" in cpu.found
