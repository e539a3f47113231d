"""What this machine can do for a sandbox, and what to do where it can't."""

import ctypes
import platform
from dataclasses import dataclass
from pathlib import Path

from modelyard.foundation.sandbox import bubblewrap, cgroups, landlock, seccomp
from modelyard.foundation.sandbox.bubblewrap import Program
from modelyard.foundation.sandbox.policy import Tier

_PR_GET_SECCOMP = 21
_APPARMOR = Path("/proc/sys/kernel/apparmor_restrict_unprivileged_userns")
_USERNS_CLONE = Path("/proc/sys/kernel/unprivileged_userns_clone")
_MAX_USERNS = Path("/proc/sys/user/max_user_namespaces")
_CONTAINER_MARKS = (Path("/.dockerenv"), Path("/run/.containerenv"), Path("/var/run/secrets/kubernetes.io"))


@dataclass(frozen=True, slots=True)
class Capabilities:
    landlock: int
    """Its ABI, 0 where there is none."""
    seccomp: bool
    bubblewrap: str
    """Path and version, else why it can't be used."""
    program: Program | None
    """Set only where it could be started."""
    cgroup: str
    """`v2`, `v1`, `none`: who counts memory and processes; where none does, the worker looks four times a second."""
    remedy: str
    shares_cpu: bool = False
    """Whether each program gets as much of the CPU as any other."""

    def problem(self, tier: Tier) -> str | None:
        """Why a program of this tier can't run here and what to do; None when it can."""
        if not self.seccomp:
            return (
                f"the kernel ({platform.release()}, {platform.machine()}) has no system call filter for us: "
                "use Linux on x86-64 or arm64 with CONFIG_SECCOMP_FILTER"
            )
        if tier is Tier.SHIPPED or self.program is not None:
            return None
        return f"{self.bubblewrap}{f'; {self.remedy}' if self.remedy else ''}"

    @property
    def decodes_by_landlock(self) -> bool:
        """Whether data of others is decoded without namespaces: they are refused, and Landlock is there."""
        return self.problem(Tier.FOREIGN) is not None and self.problem(Tier.SHIPPED) is None and self.landlock > 0


def look() -> Capabilities:
    """Tries it out, so it takes a moment."""
    found = bubblewrap.find()
    trouble = found if isinstance(found, str) else bubblewrap.try_out(found)
    program = None if trouble or isinstance(found, str) else found
    if program is not None:
        told = f"{program.version} ({program.path})"
    elif isinstance(found, str):
        told = found
    else:
        told = f"{found.path} {found.version} can't make a sandbox here: {trouble}"
    place = cgroups.find(prepare=False)
    return Capabilities(
        landlock=landlock.abi(),
        seccomp=_has_seccomp(),
        bubblewrap=told,
        program=program,
        cgroup=place.kind if place else "none",
        remedy="" if program is not None or isinstance(found, str) else _remedy(),
        shares_cpu=place is not None and place.cpu is not None,
    )


def _has_seccomp() -> bool:
    return seccomp.supported() and ctypes.CDLL(None).prctl(_PR_GET_SECCOMP, 0, 0, 0, 0) >= 0


def _remedy() -> str:
    """Why namespaces are refused, most likely: bubblewrap can only tell that they are."""
    if any(mark.exists() for mark in _CONTAINER_MARKS):
        return (
            "this is a container whose profile forbids namespaces: start it with `--security-opt seccomp=unconfined "
            "--security-opt apparmor=unconfined --security-opt systempaths=unconfined` (Docker, Podman; as root also "
            "`--cap-add SYS_ADMIN --cap-add NET_ADMIN`), on Kubernetes with `securityContext: {seccompProfile: {type: "
            "Unconfined}, procMount: Unmasked}` and `hostUsers: false`, or run this worker outside of it"
        )
    if _reads(_APPARMOR, "1"):
        return (
            "AppArmor keeps user namespaces from ordinary users (Ubuntu 24.04): allow them to bubblewrap with "
            "`sudo apt-get install apparmor-profiles && sudo cp "
            "/usr/share/apparmor/extra-profiles/bwrap-userns-restrict /etc/apparmor.d/ && "
            "sudo apparmor_parser -r /etc/apparmor.d/bwrap-userns-restrict`, or to everybody with "
            "`sudo sysctl -w kernel.apparmor_restrict_unprivileged_userns=0`"
        )
    if _reads(_USERNS_CLONE, "0"):
        return "user namespaces are switched off: `sudo sysctl -w kernel.unprivileged_userns_clone=1`"
    if _reads(_MAX_USERNS, "0"):
        return "user namespaces are switched off: `sudo sysctl -w user.max_user_namespaces=15000`"
    return "try `bwrap --unshare-user --unshare-net --ro-bind / / --proc /proc true` to see what the kernel refuses"


def _reads(setting: Path, value: str) -> bool:
    return setting.exists() and setting.read_text().strip() == value
