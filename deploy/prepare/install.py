"""Makes or mends .venv and has pip or uv fill it from the lock."""

from __future__ import annotations

import os
import platform
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Callable, Mapping, NoReturn, Sequence  # noqa: UP035 - Python 3.8 reads this

from . import progress, stamp

SAYS_OWN_INDEX = ("index-url", "find-links", "no-index")


def say(text: str) -> None:
    print(f"set-up: {text}", flush=True)


def stop(*problems: str) -> NoReturn:
    for problem in problems:
        print(f"set-up: {problem}", file=sys.stderr)
    raise SystemExit(1)


def uv_is_meant(environ: Mapping[str, str], uv: str | None, pip_settings: str) -> bool:
    """uv reads none of pip's settings: who has set an index or a wheel folder for pip only, gets pip."""
    if environ.get("INSTALLER"):
        return environ["INSTALLER"] == "uv"
    if uv is None:
        return False
    told_uv = any(name.startswith("UV_") and ("INDEX" in name or "FIND_LINKS" in name) for name in environ)
    return told_uv or not any(word in pip_settings for word in SAYS_OWN_INDEX)


def maker() -> str:
    """The Python that makes .venv: the one below, where this runs in .venv itself, which is removed first."""
    return getattr(sys, "_base_executable", "") or sys.executable


class Environment:
    """The environment in `root`/.venv, made by the Python that runs this."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._venv = root / ".venv"
        self._python = self._venv / "bin" / "python"
        self._site_packages = self._venv / "lib" / "python{}.{}".format(*sys.version_info) / "site-packages"
        self._log = root / "setup.log"

    def fill(self, wanted: stamp.Stamp, have: stamp.Stamp, lock: Path) -> None:
        if not self._works():
            say(f"making .venv with Python {platform.python_version()}")
            shutil.rmtree(self._venv, ignore_errors=True)
            subprocess.run([maker(), "-m", "venv", str(self._venv)], check=True)
            have = stamp.Stamp()
        stamp.remove(self._venv)
        self._log.unlink(missing_ok=True)
        self._drop_half_installed()
        tool = self._tool()
        if have.lock != wanted.lock:
            aim = progress.goal(lock.read_text(), lock.with_name("wheel-sizes.txt").read_text(), platform.machine())
            say(f"{aim.packages} packages, {aim.size_bytes / 1e6:.0f} MB less what is cached; Ctrl-C is safe")
            self._run([*tool, "--no-deps", "--only-binary", ":all:", "--require-hashes", "-r", str(lock)], aim)
        self._run([*tool, "--no-deps", "--no-build-isolation", "--editable", str(self._root)])
        stamp.write(self._venv, wanted)

    def _works(self) -> bool:
        """It is this Python's, has pip, and was made where it lies: scripts carry the environment's path."""
        question = "import pip, sys; print(sys.prefix, '{}.{}'.format(*sys.version_info), sep='|')"
        try:
            asked = subprocess.run([str(self._python), "-c", question], capture_output=True, text=True, check=True)
            lies_where_made = str(self._venv) in (self._venv / "bin" / "pip").read_text()
        except (OSError, subprocess.CalledProcessError):
            return False
        return lies_where_made and asked.stdout.strip() == "{}|{}.{}".format(self._venv, *sys.version_info)

    def _drop_half_installed(self) -> None:
        """Installers write INSTALLER last: a package without it was interrupted and must not count as there."""
        for info in self._site_packages.glob("*.dist-info"):
            if not (info / "INSTALLER").exists():
                shutil.rmtree(info)

    def _tool(self) -> list[str]:
        pip = [str(self._python), "-m", "pip", "--disable-pip-version-check", "--no-input"]
        settings = subprocess.run([*pip, "config", "list"], capture_output=True, text=True, check=False).stdout
        uv = shutil.which(os.environ.get("UV") or "uv")
        if uv_is_meant(os.environ, uv, settings):
            return [uv or "uv", "pip", "install", "--python", str(self._python), "--compile-bytecode"]
        return [*pip, "install", "--progress-bar", "off", "--no-warn-script-location"]

    def _run(self, command: Sequence[str], aim: progress.Goal | None = None) -> None:
        """Runs an installer with its words in setup.log and its temporary files in .venv: one disk, and countable."""
        wheels = self._venv / "download"
        wheels.mkdir(exist_ok=True)
        environ = {**os.environ, "TMPDIR": str(wheels)}
        with self._log.open("ab") as log:
            installer = subprocess.Popen(command, cwd=self._root, env=environ, stdout=log, stderr=subprocess.STDOUT)
            try:
                if aim:
                    self._watch(installer, wheels, aim)
                installer.wait()
            finally:
                if installer.poll() is None:
                    installer.send_signal(signal.SIGINT)
                    installer.wait()
                shutil.rmtree(wheels, ignore_errors=True)
        if installer.returncode:
            print("\n".join(self._log.read_text(errors="replace").splitlines()[-12:]), file=sys.stderr)
            stop(
                f"the installer failed; its last lines are above, all of them in {self._log.name}. "
                "When the cause is gone, run the same command again: what was fetched is kept"
            )

    def _watch(self, installer: subprocess.Popen[bytes], wheels: Path, aim: progress.Goal) -> None:
        started = time.monotonic()
        before = progress.packages_in(self._site_packages)
        speak, end = _voice()
        while True:
            try:
                installer.wait(timeout=0.5)
            except subprocess.TimeoutExpired:
                done = progress.packages_in(self._site_packages) - before
                speak(progress.sentence(aim, done, progress.bytes_in(wheels), time.monotonic() - started))
            else:
                return end()


def _voice() -> tuple[Callable[[str], None], Callable[[], None]]:
    """One line that changes on a terminal; elsewhere a line every ten seconds."""
    if sys.stdout.isatty():
        return (
            lambda text: print(f"\r\033[Kset-up: {text}", end="", flush=True),
            lambda: print("\r\033[K", end="", flush=True),
        )
    return progress.Speaker(say, 10, time.monotonic), lambda: None
