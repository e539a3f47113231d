"""What TensorFlow writes as it is loaded: its greeting stays out, what matters arrives."""

import os
import signal
import subprocess
import sys

import pytest

from modelyard.job import loading

GREETING = """\
WARNING: All log messages before absl::InitializeLog() is called are written to STDERR
I0000 00:00:1795581295.267604   17300 port.cc:153] oneDNN custom operations are on. You may see slightly different \
numerical results due to floating-point round-off errors from different computation orders.
I0000 00:00:1795581295.268261   17300 cudart_stub.cc:31] Could not find cuda drivers on your machine.
I0000 00:00:1795581292.730291   17300 cpu_feature_guard.cc:227] This TensorFlow binary is optimized to use available CPU
To enable the following instructions: AVX2 AVX512F FMA, in other operations, rebuild TensorFlow.
"""
NO_GPU = "E0000 00:00:1795581295.622556   17300 cuda_platform.cc:52] failed call to cuInit: INTERNAL: CUDA error\n"
REAL = "W0000 00:00:1795581295.622556   17300 gpu_device.cc:52] Cannot dlopen some GPU libraries\nno newline at the end"


def loaded(code: str, greeting: str = "|".join(loading._GREETINGS)) -> subprocess.CompletedProcess[str]:
    """A process in which this runs in place of the import, and a line is written before and after it."""
    script = (
        "import os, sys\nfrom modelyard.job.loading import _without\n"
        "os.write(2, b'I0000 before port.cc:1] it\\n')\n"
        f"with _without({greeting!r}):\n    {code}\n"
        "print('I0000 after port.cc:1] it', file=sys.stderr)\n"
    )
    return subprocess.run(
        [sys.executable, "-c", script],
        env=os.environ | {"SAID": GREETING + NO_GPU + REAL},
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )


def test_the_greeting_is_left_out_and_the_rest_arrives_in_order() -> None:
    done = loaded("os.write(2, os.environ['SAID'].encode())")
    assert done.stderr == f"I0000 before port.cc:1] it\n{NO_GPU}{REAL}I0000 after port.cc:1] it\n"
    assert done.stdout == ""


def test_that_no_gpu_can_be_used_is_none_of_the_business_of_a_job_without_one() -> None:
    every = "|".join((*loading._GREETINGS, loading._NO_DEVICE))
    assert NO_GPU not in loaded("os.write(2, os.environ['SAID'].encode())", every).stderr


@pytest.mark.parametrize("end", ["os.abort()", "raise ImportError('no such library')"])
def test_the_last_words_before_an_end_arrive(end: str) -> None:
    done = loaded(f"os.write(2, b'F0000 it needs AVX\\n'); {end}")
    assert "F0000 it needs AVX\n" in done.stderr
    assert done.returncode == (-signal.SIGABRT if "abort" in end else 1)
