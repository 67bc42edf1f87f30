"""The navigation of every page, by task; each visitor sees what they may open."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from django.apps import apps
from django.contrib import admin
from django.http import HttpRequest
from django.urls import reverse
from django.utils.functional import SimpleLazyObject

from customers.access import Access, access_of
from licensing.portal.gate import has_choice
from licensing.portal.impact import may_see_impact
from licensing.portal.listening import may_see_webhooks_of_all
from licensing.portal.migrating import may_see_migrations
from licensing.portal.overrides import may_see_all_overrides
from licensing.portal.seat_requests import may_see_all_requests
from licensing.portal.trail import may_read_trail
from licensing.portal.workbench import may_see_workbench

if TYPE_CHECKING:
    from django.contrib.admin import ModelAdmin


@dataclass(frozen=True, slots=True)
class Link:
    title: str
    address: str
    is_current: bool = False


@dataclass(frozen=True, slots=True)
class Group:
    """Links under one heading; the first group has none."""

    title: str
    links: list[Link] = field(default_factory=list)


# Task → (title, where to): the model of an admin list, or the name of a page. Who may open it is its own business:
# a model's admin says, a page's entry in _OPEN_TO does.
_TASKS: Final[dict[str, tuple[tuple[str, str], ...]]] = {
    "": (("Home", "home"), ("Search", "search")),
    "Catalog": (
        ("Workbench", "workbench"),
        ("Compare plans", "plans"),
        ("Matrix", "matrix"),
        ("Compatibility", "compatibility"),
        ("Plans", "catalog.Plan"),
        ("Add-ons", "catalog.AddOn"),
        ("Versions", "catalog.Version"),
        ("Features", "catalog.Feature"),
        ("Import & export", "catalog_files"),
        ("Impact", "impact"),
        ("Migrations", "migrations:list"),
    ),
    "Customers": (
        ("Customers", "portal:customers"),
        ("Users", "customers.CustomerUser"),
        ("Seat requests", "requests"),
        ("Figures", "figures"),
    ),
    "Licensing": (
        ("Subscriptions", "licensing.Subscription"),
        ("Packages", "licensing.Package"),
        ("Change sets", "licensing.ChangeSet"),
        ("Overrides", "overrides"),
        ("Owners", "catalog.Owner"),
        ("Owners’ keys", "licensing.OwnerKey"),
        ("Owners’ plans", "licensing.OwnerPlan"),
    ),
    "Access": (
        ("Accounts", "customers.Account"),
        ("API clients", "customers.ApiClient"),
        ("Webhooks", "listening:webhooks"),
        ("Audit trail", "audit"),
        ("Administration", "admin:index"),
        ("API documentation", "docs"),
    ),
}
_OPEN_TO: Final[dict[str, Callable[[Access], bool]]] = {
    "admin:index": lambda access: access.actor.account is not None and access.actor.account.is_staff,
    "portal:customers": has_choice,
    "impact": may_see_impact,
    "compatibility": lambda access: access.allows_somewhere("catalog:read"),
    "matrix": lambda access: access.allows("catalog:read"),
    "migrations:list": may_see_migrations,
    "catalog_files": lambda access: access.allows("catalog:draft"),
    "audit": may_read_trail,
    "workbench": may_see_workbench,
    "overrides": may_see_all_overrides,
    "requests": may_see_all_requests,
    "listening:webhooks": may_see_webhooks_of_all,
    "figures": lambda access: access.allows("customers:read"),
}
_OPEN_TO_ALL: Final = frozenset({"plans"})  # signed in or not


def navigation(request: HttpRequest) -> dict[str, Any]:
    """Context processor: `navigation`, the groups for this visitor, worked out when a page asks for them."""
    return {"navigation": SimpleLazyObject(lambda: list(groups(request)))}


def groups(request: HttpRequest) -> Iterator[Group]:
    """Yields the groups with the links that this visitor may follow; the longest address above the path is current."""
    opened = [(title, list(_links(request, entries))) for title, entries in _TASKS.items()]
    addresses = [address for _, links in opened for _, address in links if _is_below(request.path, address)]
    current = max(addresses, key=len, default="")
    for title, links in opened:
        if links:
            yield Group(title, [Link(name, address, address == current) for name, address in links])


def _links(request: HttpRequest, entries: Iterable[tuple[str, str]]) -> Iterator[tuple[str, str]]:
    user = getattr(request, "user", None)
    access = access_of(request) if user is not None and user.is_authenticated and user.is_active else None
    for title, target in entries:
        if target in _OPEN_TO_ALL or (access is not None and _is_open(request, access, target)):
            yield title, _address(target)


def _is_open(request: HttpRequest, access: Access, target: str) -> bool:
    if "." in target:
        return _OPEN_TO["admin:index"](access) and _admin_of(target).has_module_permission(request)
    return target not in _OPEN_TO or _OPEN_TO[target](access)


def _address(target: str) -> str:
    if "." not in target:
        return reverse(target)
    options = _admin_of(target).opts
    return reverse(f"admin:{options.app_label}_{options.model_name}_changelist")


def _admin_of(label: str) -> ModelAdmin[Any]:
    return admin.site.get_model_admin(apps.get_model(label))


def _is_below(path: str, address: str) -> bool:
    return path == address or (address not in ("/", "/admin/", "/portal/") and path.startswith(address))
