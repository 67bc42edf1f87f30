"""The private key of this installation, from the environment or a file (Z-4). Nobody else reads those settings."""

from __future__ import annotations

import os
from contextlib import suppress
from functools import lru_cache
from pathlib import Path

from django.conf import settings

from licensing.errors import NoSigningKey
from licensing.signing import BadKey, SigningKey, load_private_key, new_private_key


def own_key() -> SigningKey:
    """Returns the key that our packages are signed with. Raises NoSigningKey where there is none, or a bad one."""
    return _loaded(settings.SIGNING_KEY, settings.SIGNING_KEY_FILE)


def makes_its_own() -> bool:
    """Whether a missing key file is made: in a demo, and while developing."""
    return bool(settings.DEBUG or settings.DEMO)


def write_new_key(path: Path) -> SigningKey:
    """Writes a new private key to a file that only its owner reads, and returns it. Raises FileExistsError."""
    text = new_private_key()
    path.parent.mkdir(parents=True, exist_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
    return load_private_key(text)


@lru_cache(maxsize=4)
def _loaded(text: str, file: str) -> SigningKey:
    try:
        if text:
            return load_private_key(text)
        if not file:
            raise NoSigningKey("No key to sign packages with is set.")
        path = Path(file)
        if not path.exists() and makes_its_own():
            with suppress(FileExistsError):  # another process was quicker
                return write_new_key(path)
        return load_private_key(path.read_text())
    except OSError as fault:
        raise NoSigningKey(f"The file of the signing key can't be read: {fault.strerror}.") from fault
    except BadKey as fault:
        raise NoSigningKey(str(fault)) from fault
