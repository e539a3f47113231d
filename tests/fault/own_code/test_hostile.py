"""Code that means harm finds nothing, reaches nobody, and its words are taken for what they are."""

import json

import pytest

from tests.fault.own_code.conftest import Bench, Class, State

pytestmark = pytest.mark.timeout(120)

LOOKS_FOR_SECRETS = """
import glob, os
print("ENVIRONMENT", sorted(os.environ.items()))
for pattern in PATTERNS:
    for path in glob.glob(pattern, recursive=True):
        try:
            content = open(path, "rb").read(100_000)
        except OSError:
            continue
        print("READ", path, len(content), content[:20_000])
export()
"""
REACHES_OUT = """
import os, socket
for family, address in (
    (socket.AF_INET, ("127.0.0.1", 22)), (socket.AF_INET, ("169.254.169.254", 80)), (socket.AF_UNIX, SOCKET)
):
    try:
        with socket.socket(family) as each:
            each.settimeout(2)
            each.connect(address)
        print("THERE IS", address)
    except OSError as error:
        print("NOT REACHED", address, error)
export()
"""
KILLS = """
import os, signal
me = os.getpid()
for pid in [os.getppid(), 1, -1, *range(2, 100_000)]:
    if pid != me:
        try:
            os.kill(pid, signal.SIGKILL)
        except OSError:
            pass
export()
"""


def test_code_that_prints_all_it_can_read_prints_no_secret(bench: Bench) -> None:
    home = bench.worker.home
    token = (home / "token").read_text()
    places = [f"{home}/**", f"{bench.yard.folder}/*", "/proc/*/environ", "/proc/*/cmdline", "/root/**", "/etc/shadow"]
    job = bench.run(LOOKS_FOR_SECRETS.replace("PATTERNS", json.dumps(places)))
    assert job.state == State.STATE_SUCCEEDED, job
    log = bench.log(job)
    assert "ENVIRONMENT" in log
    assert token not in log
    assert "PRIVATE KEY" not in log
    read = [line.split()[1] for line in log.splitlines() if line.startswith("READ ")]
    assert "/etc/shadow" not in read
    mine = (f"{home}/work/attempts/default.", f"{home}/work/cache/", "/proc/")
    assert [path for path in read if not path.startswith(mine)] == []


def test_code_reaches_no_network_and_no_socket_of_the_machine(bench: Bench) -> None:
    job = bench.run(REACHES_OUT.replace("SOCKET", json.dumps(bench.yard.address.removeprefix("unix:"))))
    assert job.state == State.STATE_SUCCEEDED, job
    assert "THERE IS" not in bench.log(job)
    assert bench.log(job).count("NOT REACHED") == 3


def test_code_that_kills_whatever_it_sees_kills_nobody_else(bench: Bench) -> None:
    job = bench.run(KILLS)
    ended = (State.STATE_SUCCEEDED, Class.FAILURE_CLASS_UNSPECIFIED), (State.STATE_FAILED, Class.FAILURE_CLASS_SIGNAL)
    assert (job.state, job.failure_class) in ended, job


@pytest.mark.parametrize(
    "script",
    [
        "import os\nos.symlink('/etc', 'model')\nsay('exported', path='model', metrics={})",
        "import os\nos.mkdir('model')\nos.symlink('/etc/passwd', 'model/saved_model.pb')\n"
        "say('exported', path='model', metrics={})",
        "import os\nos.mkdir('model')\nos.mkfifo('model/saved_model.pb')\nsay('exported', path='model', metrics={})",
        "import os\nos.mkdir('model')\nopen('scratch/x', 'w').close()\nos.link('scratch/x', 'model/saved_model.pb')\n"
        "say('exported', path='model', metrics={})",
        "say('exported', path='../../../../etc', metrics={})",
        "say('exported', path='nothing', metrics={})",
    ],
    ids=["link", "link inside", "pipe", "hard link", "outside", "nothing"],
)
def test_a_model_that_is_no_folder_of_files_is_refused(bench: Bench, script: str) -> None:
    job = bench.run(script)
    assert job.state == State.STATE_FAILED, job
    assert job.failure_class in (Class.FAILURE_CLASS_EXPORT_INVALID, Class.FAILURE_CLASS_USER_CODE)
    assert not job.model_version
    assert job.error.message


def test_a_link_among_the_outputs_is_not_followed_and_costs_the_outputs_alone(bench: Bench) -> None:
    job = bench.run("import os\nos.symlink('/etc/passwd', 'outputs/run/stolen')\nexport()")
    assert job.state == State.STATE_SUCCEEDED, job
    assert bench.outputs(job) == []
    assert "the output run could not be stored" in bench.log(job)


def test_outputs_that_are_a_link_themselves_are_not_followed_either(bench: Bench) -> None:
    job = bench.run("import os\nos.rename('outputs', 'x')\nos.symlink('/etc', 'outputs')\nexport()")
    assert job.state == State.STATE_SUCCEEDED, job
    assert bench.outputs(job) == []


def test_a_checkpoint_with_a_link_is_not_stored(bench: Bench) -> None:
    script = (
        "import os\n"
        "os.mkdir('checkpoints/1')\n"
        "os.symlink('/etc/passwd', 'checkpoints/1/weights')\n"
        "say('checkpoint', step=1, path='checkpoints/1')\n"
        "export()\n"
    )
    job = bench.run(script)
    assert job.state == State.STATE_SUCCEEDED, job
    assert list(bench.client.lineage.checkpoints(job.name.rpartition("/")[2])) == []
    assert "the checkpoint of step 1 could not be stored" in bench.log(job)


@pytest.mark.parametrize(
    "script",
    [
        "worker.sendall(b'\\x00\\xff\\xfe\\n')",
        'worker.sendall(b\'{"exported": {"path": 3, "metrics": []}}\\n\')',
        "worker.sendall(b'[' * 200_000 + b'\\n')",
        "worker.sendall(b'x' * 10_000_000)",
        "say('checkpoint', step=-1, path='checkpoints/1')",
        "say('checkpoint', step=1, path='/proc/1/root')",
    ],
    ids=["bytes", "wrong types", "brackets", "no end", "negative step", "outside"],
)
def test_words_that_are_none_end_the_job_and_no_other(bench: Bench, script: str) -> None:
    job = bench.run(f"{script}\nimport time\ntime.sleep(1000)")
    assert (job.state, job.failure_class) == (State.STATE_FAILED, Class.FAILURE_CLASS_USER_CODE), job


def test_numbers_and_characters_that_nobody_can_store_do_no_harm(bench: Bench) -> None:
    script = (
        "most = (1 << 63) - 1\n"
        "say('progress', step=most, total_steps=most, epoch=most, epochs=most, examples_per_s=1e308,\n"
        "    metrics={'\\ud800': 1.0, 'nan': float('nan'), 'x' * 100_000: 1.0})\n"
        "say('metric', step=most, name='loss', value=float('-inf'))\n"
        "say('text', step=most, name='note', text='\\ud800\\x00\\x1b[2J' + 'x' * 100_000)\n"
        "say('image', step=most, name='picture', path='../../../etc/passwd')\n"
        "say('image', step=most, name='picture', path='\\x00')\n"
        "print('\\x00\\x1b[2J' * 100_000, flush=True)\n"
        "export()\n"
    )
    job = bench.run(script)
    assert job.state == State.STATE_SUCCEEDED, job
    assert "etc" not in "".join(job.progress.images.values())


def test_code_that_hangs_up_and_ends_well_has_said_nothing(bench: Bench) -> None:
    job = bench.run("worker.close()\nimport os\nos._exit(0)")
    assert (job.state, job.failure_class) == (State.STATE_FAILED, Class.FAILURE_CLASS_USER_CODE), job
    assert "before the work was done" in job.error.message


def test_a_crash_in_compiled_code_is_named(bench: Bench) -> None:
    job = bench.run("import os\nprint('last words', flush=True)\nos.abort()")
    assert (job.state, job.failure_class) == (State.STATE_FAILED, Class.FAILURE_CLASS_SIGNAL), job
    assert "SIGABRT" in job.error.message


def test_an_error_of_the_code_is_its_own_sentence(bench: Bench) -> None:
    job = bench.run("raise ValueError('this is not my day')")
    assert (job.state, job.failure_class) == (State.STATE_FAILED, Class.FAILURE_CLASS_USER_CODE), job
    assert job.error.message.startswith("ValueError: this is not my day")


def test_what_it_was_given_cannot_be_changed_by_it(bench: Bench) -> None:
    script = (
        "import os, pathlib\n"
        "for place in (spec['code'], 'inputs/dataset', 'inputs', 'job.json'):\n"
        "    path = pathlib.Path(place).resolve()\n"
        "    try:\n"
        "        if path.is_dir():\n"
        "            (path / 'new').write_text('x')\n"
        "        else:\n"
        "            path.write_text('x')\n"
        "        print('CHANGED', place)\n"
        "    except OSError as error:\n"
        "        print('refused', place, error)\n"
        "export()\n"
    )
    job = bench.run(script)
    assert job.state == State.STATE_SUCCEEDED, job
    assert "CHANGED" not in bench.log(job)
    assert bench.log(job).count("refused") == 4
