"""The public keys that this process knows, by id: its own, and those of the owners in the database (Z-3).

A recorded key never changes, so it may be remembered; which of them are valid now is asked anew each time.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Final

from django.conf import settings

from customers.memory import Memory
from licensing.errors import NoSigningKey
from licensing.models import OwnerKey
from licensing.own_key import own_key
from licensing.signing import PublicKey, load_public_key

_known: Final = Memory[str, PublicKey](room=1024)


class OwnKeys(Mapping[str, PublicKey]):
    """The keys of the own owner: what seals are checked with. An unknown id costs a query, once."""

    def __getitem__(self, key_id: str) -> PublicKey:
        mine = _mine()
        if mine is not None and mine.key_id == key_id:
            return mine
        found = _known.get(key_id)
        if found is None:
            row = OwnerKey.objects.filter(key_id=key_id, owner__code=settings.OWN_OWNER).first()
            if row is None:
                raise KeyError(key_id)
            found = load_public_key(row.public_key)
            _known.keep(key_id, found)
        return found

    def __iter__(self) -> Iterator[str]:
        return iter(OwnerKey.objects.filter(owner__code=settings.OWN_OWNER).values_list("key_id", flat=True))

    def __len__(self) -> int:
        return sum(1 for _ in self)


OWN_KEYS: Final = OwnKeys()


def keys_valid_at(owner: str, at: datetime) -> dict[str, PublicKey]:
    """Returns the keys with which `owner` may sign what arrives at `at`, by id. One query."""
    rows = OwnerKey.objects.valid(at).filter(owner__code=owner)
    found = {row.key_id: load_public_key(row.public_key) for row in rows}
    mine = _mine() if owner == settings.OWN_OWNER else None
    if mine is not None and not OwnerKey.objects.filter(key_id=mine.key_id).exists():
        found[mine.key_id] = mine  # it is recorded with the first package that it signs
    return found


def all_keys_of(owner: str) -> dict[str, PublicKey]:
    """Returns every key of `owner`, retired ones too: to verify what was issued while they were valid."""
    found = {row.key_id: load_public_key(row.public_key) for row in OwnerKey.objects.filter(owner__code=owner)}
    mine = _mine() if owner == settings.OWN_OWNER else None
    return found if mine is None else found | {mine.key_id: mine}


def forget_keyring() -> None:
    """Empties this process's memory of keys."""
    _known.clear()


def _mine() -> PublicKey | None:
    try:
        return own_key().public
    except NoSigningKey:
        return None
