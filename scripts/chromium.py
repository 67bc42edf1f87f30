"""Brings the browser of the browser tests."""

from pathlib import Path

from scripts import debian

CHROMIUM = Path("/usr/bin/chromium")


def ensure() -> None:
    """Installs Debian's Chromium where it is missing; raises debian.CannotInstallError."""
    if not CHROMIUM.exists():
        debian.install("chromium", "fonts-dejavu")
