"""API clients and their keys."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, Final

from django.db import transaction

from customers import audit
from customers.actor import Actor
from customers.api_keys import forget_client, make_token
from customers.errors import Invalid, Refusal
from customers.models import ApiClient, ApiKey, Customer
from customers.scopes import lendable

_EDITABLE: Final = ("name", "scopes", "is_active", "calls_per_minute")


class TwoLiveKeys(Refusal):
    code = "two_live_keys"
    title = "Two live keys already"

    def __init__(self, client: ApiClient) -> None:
        super().__init__(
            f"The client {client.name!r} has two live keys already.",
            blocking={"kind": "api_client", "code": client.name},
            next_action="Revoke the key that is no longer used, then issue the new one.",
        )


class ClientInactive(Refusal):
    code = "client_inactive"
    title = "Client inactive"

    def __init__(self, client: ApiClient) -> None:
        super().__init__(
            f"The client {client.name!r} is switched off, so its keys open nothing.",
            blocking={"kind": "api_client", "code": client.name},
            next_action="Switch the client on first.",
        )


def _refuse_unlendable(scopes: Iterable[str], held: frozenset[str] | None) -> None:
    """Raises Invalid where somebody who holds the scopes `held` may not give all of these to a client (A-8)."""
    beyond = [] if held is None else sorted(set(scopes) - lendable(held))
    if beyond:
        message = f"Not yours to give: {', '.join(beyond)}."
        raise Invalid("The client can't have these scopes.", [{"field": "scopes", "message": message}])


@transaction.atomic
def create_client(
    *,
    actor: Actor,
    name: str,
    scopes: Sequence[str],
    at: datetime,
    customer: Customer | None = None,
    calls_per_minute: int | None = None,
    held: frozenset[str] | None = None,
) -> ApiClient:
    """Returns a new API client, bound to `customer` if one is given.

    `held` are the scopes of whoever makes it, who gives no more than that; without, anything is given. Raises Invalid
    for more, and ValidationError.
    """
    _refuse_unlendable(scopes, held)
    client = ApiClient(
        name=name, scopes=sorted(set(scopes)), customer=customer, calls_per_minute=calls_per_minute, created_at=at
    )
    client.full_clean()
    client.save()
    _record(actor, client, "client.created", at, scopes=[None, client.scopes])
    return client


@transaction.atomic
def edit_client(
    *, actor: Actor, client: ApiClient, at: datetime, held: frozenset[str] | None = None, **fields: Any
) -> ApiClient:
    """Returns the client with another `name`, `scopes`, `is_active` or `calls_per_minute`. Its customer is for good.

    What it has already may stay, whoever edits it; see `create_client` for what is added. Raises Invalid,
    ValidationError.
    """
    recorded = ApiClient.objects.select_for_update().get(pk=client.pk)
    wanted = {field: fields[field] for field in _EDITABLE if field in fields}
    if "scopes" in wanted:
        wanted["scopes"] = sorted(set(wanted["scopes"]))
        _refuse_unlendable(set(wanted["scopes"]) - set(recorded.scopes), held)
    changes = {field: [getattr(recorded, field), value] for field, value in wanted.items()}
    changes = {field: pair for field, pair in changes.items() if pair[0] != pair[1]}
    for field, value in wanted.items():
        setattr(client, field, value)
    if changes:
        client.full_clean()
        client.save(update_fields=list(changes))
        _record(actor, client, "client.edited", at, **changes)
        _forget(client)
    return client


@transaction.atomic
def issue_key(
    *,
    actor: Actor,
    client: ApiClient,
    at: datetime,
    expires_at: datetime | None = None,
    held: frozenset[str] | None = None,
) -> tuple[ApiKey, str]:
    """Returns the new key and its text, which is shown this once and stored nowhere.

    A key that has expired gives up its place. Raises TwoLiveKeys, ClientInactive, and Invalid for an expiry in the
    past, or a client that may more than whoever asks (`held`, as in `create_client`): with its key they would be it.
    """
    if expires_at is not None and expires_at <= at:
        raise Invalid("A key expires in the future.", [{"field": "expires_at", "message": "This has passed."}])
    locked = ApiClient.objects.select_for_update().get(pk=client.pk)
    _refuse_unlendable(locked.scopes, held)
    if not locked.is_active:
        raise ClientInactive(locked)
    for expired in locked.keys.filter(revoked_at=None, expires_at__lte=at):
        revoke_key(actor=actor, key=expired, at=at)
    taken = set(locked.keys.filter(revoked_at=None).values_list("slot", flat=True))
    free = [slot for slot in ApiKey.Slot.values if slot not in taken]
    if not free:
        raise TwoLiveKeys(locked)
    new = make_token()
    key = ApiKey(
        client=locked, prefix=new.prefix, digest=new.digest, slot=free[0], created_at=at, expires_at=expires_at
    )
    key.full_clean()
    key.save()
    until = expires_at.isoformat() if expires_at else None
    _record(actor, locked, "key.issued", at, prefix=[None, key.prefix], expires_at=[None, until])
    return key, new.token


@transaction.atomic
def revoke_key(*, actor: Actor, key: ApiKey, at: datetime) -> ApiKey:
    """Returns the key, dead from now on (in other processes within API_KEY_MEMORY_SECONDS); again: no change."""
    recorded = ApiKey.objects.select_for_update().select_related("client").get(pk=key.pk)
    if recorded.revoked_at is None:
        recorded.revoked_at = at
        recorded.save(update_fields=["revoked_at"])
        _record(actor, recorded.client, "key.revoked", at, prefix=[recorded.prefix, None])
        _forget(recorded.client)
    key.revoked_at = recorded.revoked_at
    return key


def _forget(client: ApiClient) -> None:
    forget_client(client.pk)
    # And again once it is true for everybody: a call in between has looked up the old state.
    transaction.on_commit(lambda: forget_client(client.pk))


def _record(actor: Actor, client: ApiClient, action: str, at: datetime, **changes: list[object]) -> None:
    audit.record(
        actor=actor,
        action=action,
        object_type="api_client",
        object_code=client.name,
        changes=changes,
        customer=client.customer,
        at=at,
    )
