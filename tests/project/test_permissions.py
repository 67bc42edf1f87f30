"""Who may call what: every endpoint of the API, in every role. A new endpoint without a row here fails.

To add one, add its row to `TABLE`, with the status that each of `ROLES` gets; the objects asked about are those of
`WORLD` in tests/project/endpoints.py.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

import pytest
from django.db import transaction
from rest_framework.test import APIClient

from customers.models import Account, Customer, Membership
from tests.factories.customers import AccountFactory, CustomerFactory, MembershipFactory, api_as, api_with
from tests.project.endpoints import address_of, endpoints, open_world

# Who asks, and how they come.
ROLES: Final[Mapping[str, Callable[[Customer, Customer], APIClient]]] = {
    "nobody": lambda own, other: api_as(None),
    "product manager": lambda own, other: staff("product_manager"),
    "publisher": lambda own, other: staff("publisher"),
    "customer success": lambda own, other: staff("customer_success"),
    "auditor": lambda own, other: staff("auditor"),
    "superuser": lambda own, other: api_as(AccountFactory(is_staff=True, is_superuser=True)),
    "admin": lambda own, other: member(own, Membership.Role.ADMIN),
    "viewer": lambda own, other: member(own, Membership.Role.VIEWER),
    "admin of another customer": lambda own, other: member(other, Membership.Role.ADMIN),
    "no role at all": lambda own, other: api_as(AccountFactory()),
    "key": lambda own, other: api_with(),
    "key bound to the customer": lambda own, other: api_with(customer=own),
    "key bound to another": lambda own, other: api_with(customer=other),
    "key without the scope": lambda own, other: api_with("audit:read"),
}


def staff(role: str) -> APIClient:
    return api_as(AccountFactory(roles=[role]))


def member(customer: Customer, role: str) -> APIClient:
    account: Account = AccountFactory()
    MembershipFactory(customer=customer, account=account, role=role)
    return api_as(account)


def row(**unlike: int) -> dict[str, int]:
    """Returns a status per role, 200 where nothing stands against it; `unlike` says what differs from the usual."""
    usual = dict.fromkeys(ROLES, 200) | {"nobody": 401, "no role at all": 403, "key without the scope": 403}
    given = {role.replace("_", " "): status for role, status in unlike.items()}
    assert given.keys() <= ROLES.keys()
    return usual | given


# Another customer's object is 404, not 403.
_OF_A_CUSTOMER: Final = {"admin_of_another_customer": 404, "key_bound_to_another": 404}
_TRUSTED: Final = ("customer_success", "superuser", "key", "key_bound_to_the_customer")
_CONTRACT: Final = _OF_A_CUSTOMER | dict.fromkeys(("product_manager", "publisher", "auditor", "admin", "viewer"), 403)
_OF_NO_CUSTOMER: Final = dict.fromkeys(
    ("admin", "viewer", "admin_of_another_customer", "key_bound_to_the_customer", "key_bound_to_another"), 403
)
_UNBOUND: Final = dict.fromkeys(
    ("product_manager", "publisher", "customer_success", "auditor", "superuser", "key"), 403
)
_SOMEBODY: Final = (*_UNBOUND, "admin", "viewer", "key_bound_to_the_customer", *_OF_A_CUSTOMER)
_ASKED: Final = dict.fromkeys((*_UNBOUND, *_OF_A_CUSTOMER, "admin", "viewer", "key_bound_to_the_customer"), 400)
_WEBHOOKS: Final = _OF_A_CUSTOMER | dict.fromkeys(("product_manager", "publisher", "viewer"), 403)
_WEBHOOK_READERS: Final = (*_TRUSTED, "auditor", "admin")
_WEBHOOKS_KEPT: Final = _WEBHOOKS | {"auditor": 403}
# Of all customers: for callers who are bound to none.
_EVERYBODYS: Final = dict.fromkeys(("product_manager", "publisher"), 403)
_OF_ALL: Final = ("customer_success", "superuser", "key")
_SEATS: Final = _OF_A_CUSTOMER | {"product_manager": 403, "publisher": 403}
_PEOPLE: Final = _SEATS | {"auditor": 403, "viewer": 403}
_READERS: Final = (*_TRUSTED, "auditor", "admin", "viewer")
_NOT_THEIRS_TO_WRITE: Final = dict.fromkeys(("product_manager", "publisher", "auditor", "admin", "viewer"), 403)

TABLE: Final[Mapping[str, Mapping[str, int]]] = {
    # The published catalog is for everybody who comes with a role.
    "GET catalog/compare/": row(),
    "GET catalog/solutions/": row(),
    "GET catalog/solutions/{code}/": row(),
    "GET catalog/features/": row(),
    "GET catalog/features/{code}/": row(),
    "GET catalog/modules/": row(),
    "GET catalog/modules/{code}/": row(),
    "GET catalog/plans/": row(),
    "GET catalog/plans/{code}/": row(),
    "GET catalog/add-ons/": row(),
    "GET catalog/add-ons/{code}/": row(),
    # A migration is about many customers, so it is for callers who read all of them.
    "GET migrations/": row(**_OF_NO_CUSTOMER),
    "GET migrations/{migration}/": row(**_OF_NO_CUSTOMER),
    "GET migrations/{migration}/customers/": row(**_OF_NO_CUSTOMER),
    # The list shows each caller only what it may see (tests/customers/test_api.py).
    "GET customers/": row(),
    "GET customers/{customer}/": row(**_OF_A_CUSTOMER),
    "GET customers/{customer}/users/": row(**_OF_A_CUSTOMER),
    "POST customers/{customer}/users/": row(**_PEOPLE, admin=400, **dict.fromkeys(_TRUSTED, 400)),
    "GET customers/{customer}/users/{user}/": row(**_OF_A_CUSTOMER),
    "PATCH customers/{customer}/users/{user}/": row(**_PEOPLE, admin=400, **dict.fromkeys(_TRUSTED, 400)),
    "POST customers/{customer}/users/{user}/erase/": row(**_PEOPLE, admin=400, **dict.fromkeys(_TRUSTED, 400)),
    "GET customers/{customer}/seat-requests/": row(**_SEATS),
    "POST customers/{customer}/seat-requests/": row(**_PEOPLE, admin=400, **dict.fromkeys(_TRUSTED, 400)),
    "GET customers/{customer}/seat-requests/{number}/": row(**_SEATS),
    "DELETE customers/{customer}/seat-requests/{number}/": row(**_PEOPLE),
    # Who asks for seats is not who sells them.
    "POST customers/{customer}/seat-requests/{number}/answer/": row(**_CONTRACT, **dict.fromkeys(_TRUSTED, 400)),
    "GET customers/{customer}/licenses/": row(**_OF_A_CUSTOMER),
    "GET customers/{customer}/packages/": row(**_OF_A_CUSTOMER),
    # Without a file in the body, whoever may send one is told so.
    "POST customers/{customer}/packages/": row(
        **_OF_A_CUSTOMER | _NOT_THEIRS_TO_WRITE,
        customer_success=400,
        superuser=400,
        key=400,
        key_bound_to_the_customer=400,
    ),
    "GET customers/{customer}/packages/{number}/": row(**_OF_A_CUSTOMER),
    "GET customers/{customer}/packages/{number}/?format=xml": row(**_OF_A_CUSTOMER),
    "DELETE customers/{customer}/licenses/{owner}/": row(**_OF_A_CUSTOMER | _NOT_THEIRS_TO_WRITE),
    "GET customers/{customer}/entitlements/": row(**_OF_A_CUSTOMER),
    "GET customers/{customer}/entitlements/{feature}/": row(**_OF_A_CUSTOMER),
    "GET customers/{customer}/entitlements/{feature}/?explain=true": row(**_OF_A_CUSTOMER, publisher=403),
    # Without a body a write is refused for what it lacks, not for who asks.
    "GET customers/{customer}/subscription/": row(**_OF_A_CUSTOMER),
    "PUT customers/{customer}/subscription/": row(**_CONTRACT, **dict.fromkeys(_TRUSTED, 400)),
    "POST customers/{customer}/subscription/cancel/": row(**_CONTRACT),
    "POST customers/{customer}/subscription/resume/": row(**_CONTRACT, **dict.fromkeys(_TRUSTED, 409)),
    "GET customers/{customer}/items/": row(**_OF_A_CUSTOMER),
    "POST customers/{customer}/items/": row(**_CONTRACT, **dict.fromkeys(_TRUSTED, 400)),
    "PATCH customers/{customer}/items/{offer}/": row(**_CONTRACT, **dict.fromkeys(_TRUSTED, 400)),
    "DELETE customers/{customer}/items/{offer}/": row(**_CONTRACT, **dict.fromkeys(_TRUSTED, 409)),
    "POST customers/{customer}/packages/{number}/activate/": row(
        **_SEATS, auditor=403, viewer=403, admin=409, **dict.fromkeys(_TRUSTED, 409)
    ),
    "GET customers/{customer}/packages/{number}/superfluous/": row(**_SEATS),
    "POST customers/{customer}/packages/{number}/superfluous/": row(
        **_SEATS, auditor=403, viewer=403, admin=400, **dict.fromkeys(_TRUSTED, 400)
    ),
    "GET customers/{customer}/overrides/": row(**_OF_A_CUSTOMER),
    "POST customers/{customer}/overrides/": row(**_CONTRACT, **dict.fromkeys(_TRUSTED, 400)),
    "GET customers/{customer}/overrides/{override}/": row(**_OF_A_CUSTOMER),
    "DELETE customers/{customer}/overrides/{override}/": row(**_CONTRACT),
    "GET customers/{customer}/members/": row(**_SEATS),
    "PATCH customers/{customer}/members/{member}/": row(
        **_SEATS, auditor=403, viewer=403, admin=400, **dict.fromkeys(_TRUSTED, 400)
    ),
    "DELETE customers/{customer}/members/{member}/": row(**_SEATS, auditor=403, viewer=403),
    "GET customers/{customer}/invitations/": row(**_SEATS),
    "POST customers/{customer}/invitations/": row(
        **_SEATS, auditor=403, viewer=403, admin=400, **dict.fromkeys(_TRUSTED, 400)
    ),
    "DELETE customers/{customer}/invitations/{invitation}/": row(**_SEATS, auditor=403, viewer=403),
    "POST customers/{customer}/invitations/{invitation}/resend/": row(**_SEATS, auditor=403, viewer=403),
    # Nothing is counted of "quotes", a switch, and nobody has the reservation.
    **{
        f"{method} customers/{{customer}}/{of}usage/{{feature}}/{act}": row(**usual)
        for of in ("", "users/{user}/")
        for method, act, usual in (
            ("GET", "", _SEATS | dict.fromkeys(_READERS, 409)),
            ("PUT", "", _CONTRACT | dict.fromkeys(_TRUSTED, 409)),
            ("POST", "", _CONTRACT | dict.fromkeys(_TRUSTED, 409)),
            ("POST", "reserve/", _CONTRACT | dict.fromkeys(_TRUSTED, 409)),
        )
    },
    "GET customers/{customer}/usage/": row(**_SEATS),
    "GET customers/{customer}/users/{user}/usage/": row(**_SEATS),
    "DELETE customers/{customer}/usage/reservations/{reservation}/": row(**_CONTRACT, **dict.fromkeys(_TRUSTED, 404)),
    "POST customers/{customer}/usage/reservations/{reservation}/confirm/": row(
        **_CONTRACT, **dict.fromkeys(_TRUSTED, 404)
    ),
    # Nobody has the webhook; what would be a new one has no address.
    "GET customers/{customer}/webhooks/": row(**_WEBHOOKS),
    "POST customers/{customer}/webhooks/": row(**_WEBHOOKS_KEPT, **dict.fromkeys((*_TRUSTED, "admin"), 400)),
    "GET customers/{customer}/webhooks/{webhook}/": row(**_WEBHOOKS | dict.fromkeys(_WEBHOOK_READERS, 404)),
    **{
        f"GET customers/{{customer}}/webhooks/{{webhook}}/deliveries/{of}": row(
            **_WEBHOOKS | dict.fromkeys(_WEBHOOK_READERS, 404)
        )
        for of in ("", "{delivery}/")
    },
    **{
        f"{route}": row(**_WEBHOOKS_KEPT, **dict.fromkeys((*_TRUSTED, "admin"), 404))
        for route in (
            "PATCH customers/{customer}/webhooks/{webhook}/",
            "DELETE customers/{customer}/webhooks/{webhook}/",
            "POST customers/{customer}/webhooks/{webhook}/secrets/",
            "DELETE customers/{customer}/webhooks/{webhook}/secrets/",
            "POST customers/{customer}/webhooks/{webhook}/test/",
            "POST customers/{customer}/webhooks/{webhook}/replay/",
            "POST customers/{customer}/webhooks/{webhook}/deliveries/{delivery}/again/",
        )
    },
    "GET webhooks/": row(**_EVERYBODYS, **_OF_NO_CUSTOMER),
    "POST webhooks/": row(**_EVERYBODYS, **_OF_NO_CUSTOMER, auditor=403, **dict.fromkeys(_OF_ALL, 400)),
    **{
        f"GET webhooks/{{webhook}}/{of}": row(
            **_EVERYBODYS, **_OF_NO_CUSTOMER, auditor=404, **dict.fromkeys(_OF_ALL, 404)
        )
        for of in ("", "deliveries/", "deliveries/{delivery}/")
    },
    **{
        route: row(**_EVERYBODYS, **_OF_NO_CUSTOMER, auditor=403, **dict.fromkeys(_OF_ALL, 404))
        for route in (
            "PATCH webhooks/{webhook}/",
            "DELETE webhooks/{webhook}/",
            "POST webhooks/{webhook}/secrets/",
            "DELETE webhooks/{webhook}/secrets/",
            "POST webhooks/{webhook}/test/",
            "POST webhooks/{webhook}/replay/",
            "POST webhooks/{webhook}/deliveries/{delivery}/again/",
        )
    },
    # Nobody has the client either; what would be a new one has no name.
    "GET customers/{customer}/clients/": row(**_WEBHOOKS),
    "POST customers/{customer}/clients/": row(**_WEBHOOKS_KEPT, **dict.fromkeys((*_TRUSTED, "admin"), 400)),
    "GET customers/{customer}/clients/{client}/": row(**_WEBHOOKS | dict.fromkeys(_WEBHOOK_READERS, 404)),
    "GET customers/{customer}/clients/{client}/keys/": row(**_WEBHOOKS | dict.fromkeys(_WEBHOOK_READERS, 404)),
    **{
        f"{route}": row(**_WEBHOOKS_KEPT, **dict.fromkeys((*_TRUSTED, "admin"), 404))
        for route in (
            "PATCH customers/{customer}/clients/{client}/",
            "POST customers/{customer}/clients/{client}/keys/",
            "DELETE customers/{customer}/clients/{client}/keys/{number}/",
        )
    },
    # These name no customer: they are for callers who are bound to one, and for whoever is somebody's user.
    "GET superoffice/api/v1/License": row(**_UNBOUND),
    "GET superoffice/api/v1/License/User/{associate_id}": row(**_UNBOUND, **_OF_A_CUSTOMER),
    "GET superoffice/api/v1/License/{owner}/{module}": row(**_UNBOUND),
    "GET superoffice/api/v1/User/currentPrincipal": row(**dict.fromkeys(_SOMEBODY, 404)),
    # Questions come in the body, each answered by itself; without any it is wrong.
    "POST entitlements/check/": row(**_ASKED),
    "GET customers/{customer}/entitlements/snapshot/": row(**_OF_A_CUSTOMER),
    "GET customers/{customer}/entitlements/changes/": row(**_ASKED),
    "GET signing-keys/": row(),
    # Whose flags they are says the body, and none was sent.
    "POST ofrep/v1/evaluate/flags": row(**_ASKED),
    "POST ofrep/v1/evaluate/flags/{key}": row(**_ASKED),
    "GET customers/{customer}/users/{user}/entitlements/": row(**_OF_A_CUSTOMER),
    "GET customers/{customer}/users/{user}/entitlements/{feature}/": row(**_OF_A_CUSTOMER),
    "GET customers/{customer}/users/{user}/entitlements/{feature}/?explain=true": row(**_OF_A_CUSTOMER, publisher=403),
    "GET customers/{customer}/change-sets/": row(**_SEATS),
    "POST customers/{customer}/change-sets/": row(
        **_SEATS, auditor=403, viewer=403, admin=400, **dict.fromkeys(_TRUSTED, 400)
    ),
    "POST customers/{customer}/change-sets/preview/": row(
        **_SEATS, auditor=403, viewer=403, admin=400, **dict.fromkeys(_TRUSTED, 400)
    ),
    "GET customers/{customer}/change-sets/previews/{token}/": row(**_SEATS),
    "GET customers/{customer}/change-sets/{number}/": row(**_SEATS),
    # It was made long ago.
    "POST customers/{customer}/change-sets/{number}/undo/": row(
        **_SEATS, auditor=403, viewer=403, admin=409, **dict.fromkeys(_TRUSTED, 409)
    ),
    "GET customers/{customer}/users/{user}/seats/": row(**_SEATS),
    "GET customers/{customer}/users/{user}/seats/{module}/": row(**_SEATS),
    "PUT customers/{customer}/users/{user}/seats/{module}/": row(**_SEATS, auditor=403, viewer=403),
    "DELETE customers/{customer}/users/{user}/seats/{module}/": row(**_SEATS, auditor=403, viewer=403),
}


@pytest.fixture(scope="module")
def _open_world(django_db_setup: Any, django_db_blocker: Any) -> Iterator[dict[str, APIClient]]:
    with django_db_blocker.unblock(), transaction.atomic():
        own = open_world()
        other: Customer = CustomerFactory(code="nordvik")
        yield {role: arrive(own, other) for role, arrive in ROLES.items()}
        transaction.set_rollback(True)


@pytest.fixture
def callers(_open_world: dict[str, APIClient], db: Any) -> dict[str, APIClient]:
    return _open_world


@pytest.mark.parametrize("endpoint", TABLE)
def test_every_role_gets_what_the_table_says(callers: dict[str, APIClient], endpoint: str) -> None:
    method, _, route = endpoint.partition(" ")
    got = {}
    for role, http in callers.items():
        with transaction.atomic():
            got[role] = http.generic(method, address_of(route)).status_code
            transaction.set_rollback(True)
    assert got == TABLE[endpoint]


@pytest.mark.parametrize("endpoint", [endpoint for endpoint in TABLE if "{customer}" in endpoint])
def test_another_customers_object_is_refused_like_one_that_does_not_exist(
    callers: dict[str, APIClient], endpoint: str
) -> None:
    method, _, route = endpoint.partition(" ")
    address = address_of(route)
    for role in ("admin of another customer", "key bound to another", "no role at all", "key without the scope"):
        foreign = callers[role].generic(method, address)
        unknown = callers[role].generic(method, address.replace("fjordlys", "nowhere"))
        assert foreign.content == unknown.content.replace(b"nowhere", b"fjordlys"), role


def test_the_table_has_every_endpoint_and_no_other() -> None:
    listed = {endpoint.partition("?")[0] for endpoint in TABLE}
    assert listed == {f"{method} {route}" for method, route, _ in endpoints()}


def test_every_view_names_the_scope_of_every_method() -> None:
    assert [f"{method} {route}" for method, route, named in endpoints() if not named] == []
