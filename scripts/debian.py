"""Brings what the checks need and this machine lacks, from Debian's packages."""

import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

LISTS = Path("/var/lib/apt/lists")


class CannotInstallError(Exception):
    """One sentence for the terminal: what is missing, and what to do."""


def install(*packages: str) -> None:
    """Installs Debian packages, as root or by sudo where that asks no password; raises CannotInstallError."""
    apt = _apt_get()
    if apt is None:
        raise CannotInstallError(f"{' and '.join(packages)}: not found, and we may not run apt-get; install by hand.")
    print(f"Installing {', '.join(packages)} …", flush=True)
    attempt = [*apt, "install", "--yes", "--no-install-recommends", *packages]
    if not any(LISTS.glob("*_Packages*")):
        _run([*apt, "update"])
    result = _run(attempt)
    if result.returncode != 0:  # lists may be older than what the mirror still has
        _run([*apt, "update"])
        result = _run(attempt)
    if result.returncode != 0:
        last_words = (result.stdout.strip().splitlines() or ["no reason given"])[-1]
        raise CannotInstallError(f"{' and '.join(packages)}: not found, and apt-get could not install: {last_words}")


def _apt_get() -> list[str] | None:
    if shutil.which("apt-get") is None:
        return None
    command = ["apt-get", "--quiet=2", "--option", "DPkg::Lock::Timeout=300"]
    if os.geteuid() == 0:
        return command
    may_sudo = shutil.which("sudo") and _run(["sudo", "--non-interactive", "true"]).returncode == 0
    return ["sudo", "--non-interactive", *command] if may_sudo else None


def _run(command: Sequence[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command,
        env=os.environ | {"DEBIAN_FRONTEND": "noninteractive"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
