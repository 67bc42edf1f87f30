"""Brings the browser of the browser tests, and what its driver needs."""

import subprocess
import sys
from pathlib import Path

from scripts import debian

CHROMIUM = Path("/usr/bin/chromium")
PLAYWRIGHT = Path(sys.executable).with_name("playwright")


def ensure() -> None:
    """Installs Debian's packages that are missing; raises debian.CannotInstallError."""
    missing = [] if CHROMIUM.exists() else ["chromium", "fonts-dejavu"]
    if not _driver_runs():
        missing.append("libatomic1")  # the one library that playwright's wheel expects of the system
    if missing:
        debian.install(*missing)


def _driver_runs() -> bool:
    return subprocess.run([PLAYWRIGHT, "--version"], check=False, capture_output=True).returncode == 0
