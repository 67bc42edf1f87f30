"""What can be allowed, and what each role is allowed (docs/rules.md, "Who may do what"). Pure."""

from types import MappingProxyType
from typing import Final

SCOPES: Final = MappingProxyType(
    {
        "catalog:read": "Read published plans, add-ons, features and modules",
        "catalog:draft": "Edit drafts and submit them for review",
        "catalog:publish": "Approve, publish and retire versions",
        "customers:read": "Read customers and their subscriptions",
        "customers:write": "Edit customers, subscriptions and packages",
        "users:read": "Read the users of a customer",
        "users:write": "Create, edit and erase the users of a customer",
        "members:read": "Read who administers a customer or may look at it, and who is invited",
        "members:write": "Invite, change and remove those who administer a customer or may look at it",
        "packages:activate": "Activate a pending package",
        "licenses:read": "Read packages and module licence records",
        "seats:read": "Read who holds which seat",
        "seats:write": "Assign and release seats",
        "overrides:write": "Grant and end overrides",
        "entitlements:read": "Read entitlements",
        "entitlements:explain": "Read why an entitlement is what it is",
        "usage:read": "Read what is used of limits",
        "usage:write": "Report and reserve what is used of limits",
        "webhooks:read": "Read who is told of changes, and what became of it",
        "webhooks:write": "Decide who is told of changes",
        "audit:read": "Read the audit trail",
        "clients:read": "Read which API clients there are",
        "clients:write": "Manage API clients and their keys",
    }
)

# What nobody does by hand: whoever manages clients may lend it to them without holding it.
OF_APPS: Final = frozenset({"usage:write"})

_ALL_READ: Final = frozenset(
    {"catalog:read", "customers:read", "users:read", "licenses:read", "seats:read", "entitlements:read"}
    | {"entitlements:explain", "usage:read"}
)

STAFF_SCOPES: Final = MappingProxyType(
    {
        "product_manager": frozenset(
            {"catalog:read", "catalog:draft", "customers:read", "users:read", "licenses:read"}
            | {"entitlements:read", "entitlements:explain"}
        ),
        "publisher": frozenset(
            {"catalog:read", "catalog:draft", "catalog:publish", "customers:read", "users:read"}
            | {"licenses:read", "entitlements:read"}
        ),
        "customer_success": _ALL_READ
        | {"customers:write", "users:write", "packages:activate", "seats:write", "overrides:write"}
        | {"clients:read", "clients:write", "usage:write", "members:read", "members:write"}
        | {"webhooks:read", "webhooks:write"},
        "auditor": _ALL_READ | {"audit:read", "members:read", "webhooks:read", "clients:read"},
    }
)

MEMBER_SCOPES: Final = MappingProxyType(
    {
        "admin": _ALL_READ
        | {"packages:activate", "seats:write", "users:write", "audit:read", "members:read", "members:write"}
        | {"webhooks:read", "webhooks:write", "clients:read", "clients:write"},
        "viewer": _ALL_READ | {"members:read"},
    }
)


def lendable(held: frozenset[str]) -> frozenset[str]:
    """Returns what somebody who holds these scopes at a customer may give a client there: no more than they have."""
    return (held | OF_APPS) & SCOPES.keys() if "clients:write" in held else frozenset()
