"""What a customer pays, and the package that follows: rules C-10, C-11, C-15, C-16, C-26 to C-28, L-1 to L-6."""

from __future__ import annotations

import pytest
from django.core import mail
from django.db import IntegrityError, transaction
from django.utils import timezone

from customers.actor import SYSTEM
from customers.errors import Invalid, NotFound
from customers.models import AuditEvent, Membership
from customers.outbox import deliver_due
from licensing.errors import ItemsRefused, NothingToActivate, WouldNotFit
from licensing.extra_info import is_user_plan, parse_set
from licensing.models import ModuleLicense, Package, Subscription
from licensing.services.activation import activate_package
from licensing.services.subscriptions import subscribe
from tests.factories.customers import AccountFactory, MembershipFactory
from tests.licensing.market import Market, Town, hours


def row(town: Town, name: str) -> ModuleLicense:
    found: ModuleLicense = ModuleLicense.objects.get(customer=town.customer, package__state="active", module_name=name)
    return found


def test_a_first_subscription_makes_an_active_package(town: Town) -> None:
    made = town.buys(sales_premium=5, service_essentials=3, chat=1, at=hours(1))

    package = made.issued.package
    assert package is not None
    assert (package.number, package.state, package.activated_at) == (1, Package.State.ACTIVE, hours(1))
    assert package.expires_at is None, "an auto-renewing subscription's package never expires"
    plan = row(town, "ten-sales-premium")
    assert is_user_plan(plan.extra_flags, plan.extra_info)
    assert (plan.license_number, plan.license_type, plan.hidden) == (5, ModuleLicense.Type.USER, False)
    assert set(parse_set(plan.extra_info)) == {"user", "web", "sale-cal", "quote-cal", "dash-cal", "t2"}
    assert plan.allowed_user_type == "InternalAssociate"


def test_hidden_modules_are_counted_over_all_plans_that_contain_them(town: Town) -> None:
    """C-16: the supply of each hidden module covers the plans."""
    town.buys(sales_premium=5, service_essentials=3, at=hours(1))

    assert row(town, "user").license_number == 8
    assert row(town, "sale-cal").license_number == 5
    assert row(town, "request-cal").license_number == 3
    assert row(town, "sale").license_number == 1, "a site module counts once"
    rows = ModuleLicense.objects.filter(package__state="active")
    hidden = set(rows.filter(hidden=True, license_type=3).values_list("module_name", flat=True))
    named = {name for plan in rows.user_plans() for name in parse_set(plan.extra_info)}
    assert named == hidden, "C-15: every name in a set= is a hidden user module of the same package"


def test_a_resize_keeps_its_version_though_a_newer_one_is_on_sale(market: Market, town: Town) -> None:
    town.buys(sales_essentials=2, at=hours(1))
    market.publish(market.sales_essentials, grants={"sales": True, "quotes": True}, includes=("common",), at=hours(2))

    town.buys(sales_essentials=4, at=hours(3))

    assert row(town, "ten-sales-essentials").version_number == 1
    assert row(town, "ten-sales-essentials").license_number == 4
    newcomer = Town("nordvik", people=())
    newcomer.buys(sales_essentials=1, at=hours(3))
    assert row(newcomer, "ten-sales-essentials").version_number == 2, "new sales take the newest"


def test_nothing_changed_issues_nothing(town: Town) -> None:
    town.buys(sales_essentials=2, at=hours(1))
    before = town.revision()

    made = town.buys(sales_essentials=2, at=hours(2))

    assert made.issued.package is None
    assert town.revision() == before
    assert town.customer.packages.count() == 1


def test_all_that_is_wrong_with_the_items_is_told_at_once(market: Market, town: Town) -> None:
    market.publish(market.storage, grants={"storage": 100}, needs=("chat",), excludes=("calendar",), at=hours(1))

    with pytest.raises(ItemsRefused) as refused:
        town.buys(storage=1, calendar=1, at=hours(2))

    codes = [(fault["code"], fault["offer"]) for fault in refused.value.details["faults"]]
    assert codes == [("needs", "storage"), ("excludes", "storage")]
    assert not Subscription.objects.exists(), "nothing half done"


def test_more_than_the_most_is_refused(town: Town) -> None:
    with pytest.raises(ItemsRefused) as refused:
        town.buys(chat=2, at=hours(1))
    assert refused.value.details["faults"][0]["most"] == 1


@pytest.mark.parametrize(("items", "error"), [({"nothing_such": 1}, NotFound), ({"common": 1}, ItemsRefused)])
def test_only_what_is_on_sale_can_be_bought(town: Town, items: dict[str, int], error: type[Exception]) -> None:
    with pytest.raises(error):
        town.buys(**items)


@pytest.mark.parametrize("months", [0, 2, 24])
def test_the_billing_period_is_1_3_6_or_12(town: Town, months: int) -> None:
    with pytest.raises(Invalid):
        subscribe(customer=town.customer, actor=SYSTEM, billing_months=months, items={})


def test_one_subscription_runs_at_a_time(town: Town) -> None:
    town.buys(sales_essentials=1, at=hours(1))
    with pytest.raises(ItemsRefused):
        subscribe(customer=town.customer, actor=SYSTEM, billing_months=1, items={"chat": 1})
    with pytest.raises(IntegrityError), transaction.atomic():
        Subscription.objects.create(customer=town.customer, billing_months=1, starts_on=hours(2).date())


def test_a_package_with_fewer_seats_than_are_held_waits(town: Town) -> None:
    """C-26, C-27: it stays pending, and says which modules, how many to remove, and who holds them."""
    town.buys(sales_essentials=3, at=hours(1))
    for at, name in enumerate(town.users, start=2):
        town.gives(name, "ten-sales-essentials", at=hours(at))

    made = town.buys(sales_essentials=1, at=hours(6))

    (superfluous,) = made.issued.superfluous
    assert superfluous.module == "superoffice.ten-sales-essentials"
    assert (superfluous.in_use, superfluous.new_total, superfluous.remove) == (3, 1, 2)
    assert superfluous.holders == ("per", "ida", "ola"), "the newest seat first"
    assert row(town, "ten-sales-essentials").license_number == 3, "the old package stays in force"
    with pytest.raises(WouldNotFit) as refused:
        activate_package(customer=town.customer, actor=SYSTEM)
    assert refused.value.details["superfluous"][0]["remove"] == 2

    town.takes("ola", "ten-sales-essentials", at=hours(7))
    town.takes("ida", "ten-sales-essentials", at=hours(8))
    activated = activate_package(customer=town.customer, actor=SYSTEM)

    assert activated.number == 2
    assert row(town, "ten-sales-essentials").license_number == 1
    assert town.access("per", "sales") == "edit"
    with pytest.raises(NothingToActivate):
        activate_package(customer=town.customer, actor=SYSTEM)


def test_a_module_missing_from_the_new_package_counts_as_none(town: Town) -> None:
    town.buys(sales_essentials=1, calendar=1, at=hours(1))
    town.gives("ola", "ten-sales-essentials", "nebula", at=hours(2))

    made = town.buys(calendar=0, at=hours(3))

    assert [(s.module, s.remove) for s in made.issued.superfluous] == [("superoffice.nebula", 1)]


def test_a_pending_package_that_the_items_overtake_is_withdrawn(town: Town) -> None:
    town.buys(sales_essentials=1, at=hours(1))
    town.gives("ola", "ten-sales-essentials", at=hours(2))
    town.buys(sales_essentials=0, at=hours(3))

    town.buys(sales_essentials=1, at=hours(4))

    states = dict(town.customer.packages.values_list("number", "state"))
    assert states == {1: "active", 2: "withdrawn"}


def test_the_admins_are_told_of_a_package_that_waits(town: Town) -> None:
    kari = AccountFactory(name="Kari Nordmann", email="kari@fjordlys.example")
    MembershipFactory(customer=town.customer, account=kari, role=Membership.Role.ADMIN)
    town.buys(sales_essentials=1, at=hours(1))
    town.gives("ola", "ten-sales-essentials", at=hours(2))

    town.buys(sales_essentials=0, at=hours(3))
    deliver_due(now=timezone.now())

    (message,) = mail.outbox
    assert message.to == ["kari@fjordlys.example"]
    assert "superoffice.ten-sales-essentials: 1 in use, 0 in the new package: remove 1" in str(message.body)


def test_who_issued_what_is_on_record(town: Town) -> None:
    town.buys(sales_essentials=1, at=hours(1))
    actions = list(AuditEvent.objects.filter(customer=town.customer).order_by("pk").values_list("action", flat=True))
    assert actions[-3:] == ["subscription.started", "package.issued", "package.activated"]


def test_the_same_items_make_the_same_rows(market: Market) -> None:
    rows = []
    for code in ("havbris", "tindra"):
        customer = Town(code, people=())
        bought = {"chat": 1, "sales_premium": 2, "calendar": 4}
        order = sorted(bought) if code == "havbris" else sorted(bought, reverse=True)
        customer.buys(at=hours(1), **{item: bought[item] for item in order})
        found = ModuleLicense.objects.filter(customer=customer.customer)
        rows.append(
            list(found.values_list("sort_order", "module_name", "license_number", "extra_info", "encrypted_check"))
        )
    assert rows[0] == rows[1]


@pytest.mark.parametrize(
    ("flags", "info", "kind"),
    [(1, "", 3), (0, "set=user", 3), (1, "set=user", 1)],
    ids=["flag only", "set only", "site"],
)
def test_the_database_refuses_half_a_user_plan(town: Town, flags: int, info: str, kind: int) -> None:
    """C-11: ExtraFlags=1 and set= go together, on a user licence."""
    town.buys(sales_essentials=1, at=hours(1))
    package = town.customer.packages.get()
    for is_plan in (True, False):
        with pytest.raises(IntegrityError), transaction.atomic():
            ModuleLicense.objects.create(
                customer=town.customer,
                package=package,
                module_name="forged",
                license_type=kind,
                license_number=1,
                extra_flags=flags,
                extra_info=info,
                is_plan=is_plan,
                sort_order=99,
                registered=hours(1),
            )
