"""Who may read which part of the audit trail, and where its objects have pages. Rule T-3 of docs/rules.md.

Whoever may open an object reads what happened to it; auditors read all, and who administers a customer reads what
happened there.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import Any, Final
from urllib.parse import urlencode

from django.contrib import admin
from django.db.models import F, Model, Q, Value
from django.db.models.functions import Concat, Lower
from django.http import HttpRequest
from django.urls import reverse

from catalog.models import AddOn, Feature, FeatureGroup, Module, Owner, Plan, Solution, Tier
from customers.access import Access, access_of, not_allowed
from customers.models import Account, ApiClient, AuditEvent
from customers.querysets import AuditEventQuerySet
from licensing.models import OwnerKey, OwnerPlan, SeatRequest

ALL: Final = "audit:read"
CATALOG: Final = frozenset(
    {"owner", "module", "solution", "tier", "site_marker", "feature_group", "feature", "level_choice", "plan", "addon"}
)
# Object type → the scope that lets people open such objects anywhere. What isn't named is for auditors.
_READ_WITH: Final[Mapping[str, str]] = MappingProxyType(
    dict.fromkeys(CATALOG, "catalog:read")
    | dict.fromkeys(("customer", "subscription", "override", "migration"), "customers:read")
    | {"user": "users:read", "seat_request": "seats:read"}
    | dict.fromkeys(("package", "license", "owner_key", "owner_plan"), "licenses:read")
    | {"seats": "seats:read", "api_client": "clients:read"}
    | dict.fromkeys(("account", "membership"), "customers:write")
    | {"invitation": "members:read", "webhook": "webhooks:read"}
)


# What an action begins with, where that is not the type of the object.
_OF_ACTION: Final[Mapping[str, str]] = MappingProxyType(
    {"draft": "plan", "version": "plan"}
    | dict.fromkeys(("version.moved", "version.rolled_back"), "subscription")
    | {"member": "membership", "client": "api_client", "key": "api_client"}
    | dict.fromkeys(("key.registered", "key.retired"), "owner_key")
    | dict.fromkeys(("seats.requested", *(f"seats.request_{s}" for s in SeatRequest.State.values)), "seat_request")
)


def may_read_trail(access: Access) -> bool:
    """Whether there is any part of the trail that the visitor may read."""
    return bool(_types_everywhere(access)) or access.allows_somewhere(ALL)


def may_meet(access: Access, object_type: str) -> bool:
    """Whether the trail that the visitor may read can tell of this type of object."""
    if access.allows(ALL) or object_type in _types_everywhere(access):
        return True
    return access.allows_somewhere(ALL) and object_type not in CATALOG | {"account"}


def may_meet_action(access: Access, action: str) -> bool:
    """Likewise of an action, such as `version.published`."""
    prefix = action.partition(".")[0]
    return may_meet(access, _OF_ACTION.get(action, _OF_ACTION.get(prefix, prefix)))


def _types_everywhere(access: Access) -> frozenset[str]:
    return frozenset(type_ for type_, scope in _READ_WITH.items() if access.allows(scope))


def readable_events(access: Access) -> AuditEventQuerySet:
    """Returns the events that the visitor may read. Raises Forbidden where there can be none."""
    events: AuditEventQuerySet = AuditEvent.objects.all()
    if access.allows(ALL):
        return events
    types = _types_everywhere(access)
    customers = [customer for customer, scopes in access.scopes_at.items() if ALL in scopes]
    if not types and not customers:
        raise not_allowed()
    if not types:
        return events.filter(customer__in=customers)
    seen = Q(object_type__in=sorted(types))
    return events.filter(seen | Q(customer__in=customers) if customers else seen)


def history_address(object_type: str, code: str) -> str:
    """Returns where the trail of one object is read."""
    return f"{reverse('audit')}?{urlencode({'type': object_type, 'object': code})}"


# ── Where they have pages ───────────────────────────────────────────────────
# Object type → model, and the expression that the trail knows its rows by.
_IN_ADMIN: Final[Mapping[str, tuple[type[Model], Any]]] = {
    "owner": (Owner, F("code")),
    "module": (Module, Concat(Lower("owner__code"), Value("."), "name")),
    "solution": (Solution, F("code")),
    "tier": (Tier, F("code")),
    "feature_group": (FeatureGroup, F("code")),
    "feature": (Feature, F("code")),
    "plan": (Plan, F("code")),
    "addon": (AddOn, F("code")),
    "account": (Account, F("email")),
    "api_client": (ApiClient, F("name")),
    "owner_key": (OwnerKey, F("key_id")),
    "owner_plan": (OwnerPlan, Concat(Lower("owner__code"), Value("."), "module_name")),
}


def addresses_of(events: Iterable[AuditEvent], request: HttpRequest) -> Callable[[AuditEvent], str]:
    """Returns where the object of an event has a page that the visitor may open; nothing where it has none (any more).

    At most one query for each type of object.
    """
    access, is_staff = access_of(request), getattr(request.user, "is_staff", False)
    codes: dict[str, set[str]] = defaultdict(set)
    for event in events:
        codes[event.object_type].add(event.object_code)
    found: dict[tuple[str, str], str] = {}
    for type_ in codes.keys() & _IN_ADMIN.keys():
        model, known_as = _IN_ADMIN[type_]
        if not is_staff or not admin.site.get_model_admin(model).has_view_permission(request):
            continue
        rows = model._default_manager.annotate(known_as=known_as).filter(known_as__in=codes[type_])
        for pk, code in rows.values_list("pk", "known_as"):
            found[type_, code] = reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_change", args=[pk])

    def address(event: AuditEvent) -> str:
        if event.object_type in _AT_CUSTOMER and event.customer is not None:
            return _in_portal(access, event)
        if event.object_type == "migration" and access.allows(_READ_WITH["migration"]):
            return reverse("migrations:migration", args=[int(event.object_code)])
        return found.get((event.object_type, event.object_code), "")

    return address


_AT_CUSTOMER: Final = frozenset(
    {"customer", "user", "seats", "seat_request", "subscription", "package", "license", "override", "membership"}
    | {"invitation", "webhook"}
)


def _in_portal(access: Access, event: Any) -> str:
    customer = event.customer
    if not access.allows("customers:read", customer.pk):
        return ""
    if event.object_type in ("user", "seats") and access.allows("entitlements:read", customer.pk):
        return reverse("portal:user", args=[customer.code, event.object_code.partition("/")[2]])
    if event.object_type == "seat_request" and access.allows("seats:read", customer.pk):
        return reverse("portal:request", args=[customer.code, int(event.object_code)])
    return reverse("portal:customer", args=[customer.code])
