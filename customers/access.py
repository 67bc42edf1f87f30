"""What the caller of this request may do, and where. Everything that decides asks `Access`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from django.db.models import QuerySet

from customers.actor import SYSTEM, Actor
from customers.errors import Forbidden, NotFound, Refusal
from customers.models import Account, ApiClient, Customer
from customers.scopes import SCOPES
from customers.second_step import lacks_second_step

_NOTHING: Final[frozenset[str]] = frozenset()
_REMEMBERED: Final = "_planarium_access"


class NotAuthenticated(Refusal):
    """No key, an unknown, expired or revoked one: the answer is the same for all."""

    code = "not_authenticated"
    status = 401
    title = "Not authenticated"

    def __init__(self) -> None:
        super().__init__(
            "This needs a valid API key or a session.",
            next_action="Send 'Authorization: Bearer KEY' with a live key, or sign in.",
        )


@dataclass(frozen=True, slots=True)
class Access:
    """Who asks, the scopes held everywhere, and those held at single customers (by customer id)."""

    actor: Actor
    scopes: frozenset[str] = _NOTHING
    scopes_at: Mapping[int, frozenset[str]] = field(default_factory=dict)
    is_superuser: bool = False
    lacks_second_step: bool = False  # one is required of the account, and it has none: it reaches nothing

    def allows(self, scope: str, customer_id: int | None = None) -> bool:
        """Whether the caller holds `scope` at this customer; without one, whether it holds it everywhere."""
        if scope in self.scopes:
            return True
        return customer_id is not None and scope in self.scopes_at.get(customer_id, _NOTHING)

    def scopes_in(self, customer_id: int) -> frozenset[str]:
        """Returns every scope that the caller holds at this customer."""
        return self.scopes | self.scopes_at.get(customer_id, _NOTHING)

    def allows_somewhere(self, scope: str) -> bool:
        """Whether the caller holds `scope` everywhere or at any customer at all."""
        return scope in self.scopes or any(scope in scopes for scopes in self.scopes_at.values())

    def sees(self, customer_id: int) -> bool:
        """Whether the caller may know that this customer exists."""
        return customer_id in self.scopes_at or "customers:read" in self.scopes

    def customers(self, scope: str) -> QuerySet[Customer]:
        """Returns the customers at which the caller holds `scope`."""
        if scope in self.scopes:
            everybody: QuerySet[Customer] = Customer.objects.all()
            return everybody
        held = [customer_id for customer_id, scopes in self.scopes_at.items() if scope in scopes]
        own: QuerySet[Customer] = Customer.objects.filter(pk__in=held)
        return own


def access_of(request: Any) -> Access:
    """Returns the access of an API or page request; worked out once per request, for a warm API key without a query.

    Raises NotAuthenticated for somebody who isn't signed in.
    """
    remembered = getattr(request.auth, "access", None) if hasattr(request, "auth") else None
    if isinstance(remembered, Access):
        return remembered
    plain = getattr(request, "_request", request)
    access = getattr(plain, _REMEMBERED, None)
    account = request.user
    if access is None or access.actor.account != account:
        access = access_of_account(account)
        setattr(plain, _REMEMBERED, access)
    return access


def access_of_account(account: Any) -> Access:
    """Returns what an account may do: staff roles count everywhere, memberships at their customer, superusers all."""
    if not isinstance(account, Account) or not account.is_active:
        raise NotAuthenticated
    actor = Actor(account=account)
    if account.is_superuser:
        lacks = lacks_second_step(account, [])
        return Access(actor=actor, scopes=frozenset(SCOPES), is_superuser=True, lacks_second_step=lacks)
    memberships = account.memberships.select_related("customer")
    return Access(
        actor=actor,
        scopes=_NOTHING.union(*(role.scopes for role in account.staff_roles.all())),
        scopes_at={membership.customer_id: membership.scopes for membership in memberships},
        lacks_second_step=lacks_second_step(account, [membership.customer for membership in memberships]),
    )


def access_of_client(client: ApiClient) -> Access:
    """Returns what an API client may do: its scopes, at its customer when it is bound to one."""
    scopes = frozenset(client.scopes) & SCOPES.keys()
    actor = Actor(client=client)
    if client.customer_id is None:
        return Access(actor=actor, scopes=scopes)
    return Access(actor=actor, scopes_at={client.customer_id: scopes})


def access_of_system() -> Access:
    """Returns the access of commands and jobs: everything."""
    return Access(actor=SYSTEM, scopes=frozenset(SCOPES), is_superuser=True)


def get_customer(access: Access, code: str, scope: str) -> Customer:
    """Returns the customer with this code (case ignored) if the caller holds `scope` there.

    Raises NotFound for an unknown customer and, in the same words, for one the caller may not know of; Forbidden for
    one that it sees without holding the scope. One query.
    """
    customer = Customer.objects.named(code).first()
    if customer is not None and access.allows(scope, customer.pk):
        found: Customer = customer
        return found
    if customer is not None and access.sees(customer.pk):
        raise not_allowed()
    if access.scopes_at or access.allows_somewhere(scope) or "customers:read" in access.scopes:
        raise NotFound("customer", code)
    # The caller reaches no customer this way: which ones exist is not to be learnt from the difference.
    raise not_allowed()


def not_allowed() -> Forbidden:
    """Returns the one refusal for every missing permission; it doesn't say which part is missing."""
    return Forbidden(
        "You are not allowed to do this.",
        next_action="Ask whoever manages your account or API client for the permission that this needs.",
    )
