"""One lock per plan or add-on: whoever writes its drafts or versions holds it until the commit."""

from __future__ import annotations

from typing import Any

from catalog.errors import DraftGone, VersionFrozen
from catalog.models import Offer, Version


def lock_offer(offer: Any) -> Any:
    """Returns the plan or add-on, locked, as it is now."""
    return Offer.objects.select_for_update().get(pk=offer.pk)


def lock_version(version: Version) -> Any:
    """Returns the version as it is now, its plan or add-on locked. Raises DraftGone."""
    offer = lock_offer(version.offer)
    current = Version.objects.filter(pk=version.pk).first()
    if current is None:
        raise DraftGone(offer.code)
    current.offer = offer
    return current


def lock_draft(version: Version) -> Any:
    """Returns the draft as it is now, its plan or add-on locked. Raises DraftGone or VersionFrozen."""
    current = lock_version(version)
    if current.is_frozen:
        raise VersionFrozen(str(current))
    return current
