"""What is sold, and to whom: the shop of tests/factories/catalog.py grown by what licensing needs, and its customers.

Sales, Service (Essentials, Premium), both together in one plan, calendar synchronisation per user, chat for the whole
site, and storage that adds up. Ola, Ida and Per work at Fjordlys. Times are hours after NOON.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

from customers.actor import SYSTEM, Actor
from customers.models import Customer, CustomerUser
from licensing.models import HoldingPeriod, UserPeriod
from licensing.reading import held_set, read_customer, read_user
from licensing.services.onboarding import create_customer
from licensing.services.people import create_user
from licensing.services.seats import SeatChange, UserWish, change_seats
from licensing.services.subscriptions import Subscribed, change_items, subscribe
from tests.factories.catalog import (
    NOON,
    AddOnFactory,
    FeatureFactory,
    HiddenModuleFactory,
    LimitFactory,
    ModuleFactory,
    Shop,
    SiteModuleFactory,
    TierFactory,
)


def hours(n: float) -> datetime:
    """Returns the instant so many hours after noon, when the shop opened."""
    return NOON + timedelta(hours=n)


class Market(Shop):
    def __init__(self) -> None:
        super().__init__()
        premium = TierFactory(code="premium")
        FeatureFactory(
            code="escalations",
            site_module=SiteModuleFactory(name="escalate"),
            user_module=HiddenModuleFactory(name="escalate-cal"),
        )
        self.service_premium = self._plan("service-premium", tier=premium, solutions=("service",))
        self.publish(self.service_premium, grants={"escalations": True}, includes=("service-essentials",))
        self.both = self._plan("sales-service-premium", tier=premium, solutions=("sales", "service"))
        self.publish(self.both, grants={"dashboards": "custom-tiles"}, includes=("sales-premium", "service-premium"))
        user = HiddenModuleFactory(name="user")
        FeatureFactory(code="calendar-synchronization")
        self.calendar = AddOnFactory(
            code="calendar", scope="user", module=ModuleFactory(name="nebula", prerequisite=user, sort_order=60)
        )
        self.publish(self.calendar, grants={"calendar-synchronization": True})
        FeatureFactory(
            code="chat",
            site_module=SiteModuleFactory(name="chat-site"),
            user_module=HiddenModuleFactory(name="chat-cal"),
            read_only_without_seat=False,
        )
        ModuleFactory(name="visible-for", unrestricted=True, sort_order=61)
        self.chat = AddOnFactory(code="chat", module=SiteModuleFactory(name="cep"))
        self.publish(self.chat, grants={"chat": True}, extra_modules=("visible-for",), max_quantity=1)
        LimitFactory(code="storage", rule="sum", unit="GB", counts="customer")
        self.storage = AddOnFactory(code="storage", module=SiteModuleFactory(name="extra-storage"))
        self.publish(self.storage, grants={"storage": 100})


class Town:
    """A customer, its users, and what happens to them, an hour at a time unless told otherwise."""

    def __init__(self, code: str = "fjordlys", people: Sequence[str] = ("ola", "ida", "per"), actor: Actor = SYSTEM):
        self.actor = actor
        self.customer: Customer = create_customer(actor=actor, code=code, name=f"{code.title()} AS", at=NOON)
        self.users: dict[str, CustomerUser] = {
            name: create_user(customer=self.customer, actor=actor, code=name, name=name.title(), at=NOON)
            for name in people
        }

    def buys(self, at: datetime | None = None, **items: int) -> Subscribed:
        """`buys(sales_premium=2)`; the first time it subscribes."""
        wanted = {code.replace("_", "-"): quantity for code, quantity in items.items()}
        if self.customer.subscriptions.exists():
            return change_items(customer=self.customer, actor=self.actor, items=wanted, at=at)
        return subscribe(customer=self.customer, actor=self.actor, billing_months=12, items=wanted, at=at)

    def gives(
        self, user: str, *modules: str, release: Sequence[str] = (), at: datetime | None = None, **how: Any
    ) -> SeatChange:
        wish = UserWish(user, modules, tuple(release), how.pop("accept_loss", False))
        return change_seats(customer=self.customer, actor=self.actor, wishes=[wish], at=at, **how)

    def takes(self, user: str, *modules: str, at: datetime | None = None) -> SeatChange:
        return self.gives(user, release=modules, at=at)

    def answer(self, user: str | None, at: datetime | None = None) -> dict[str, Any]:
        """Returns the features read of a user (none: of the customer), code → its JSON."""
        reading = read_customer(self.customer.code, at) if user is None else read_user(self.customer.code, user, at)
        assert reading is not None
        assert reading.set_id is not None
        return {code: dict(feature) for code, feature in held_set(reading.set_id).features.items()}

    def access(self, user: str | None, feature: str, at: datetime | None = None) -> str:
        return str(self.answer(user, at).get(feature, {"access": "none"})["access"])

    def holds(self, user: str) -> set[str]:
        """Returns the bare names of the modules that a user holds seats of."""
        return set(self.users[user].seats.held().values_list("module_name", flat=True))

    def revision(self) -> int:
        self.customer.revision.refresh_from_db()
        return int(self.customer.revision.number)

    def assert_whole(self) -> None:
        """Asserts that periods cover the time from the first one on without gap or overlap, for users and holdings."""
        for user in self.users.values():
            periods = list(UserPeriod.objects.filter(user=user).order_by("starts_at"))
            assert periods[-1].ends_at is None
            assert [p.ends_at for p in periods[:-1]] == [p.starts_at for p in periods[1:]]
            for period in periods:
                covering = HoldingPeriod.objects.filter(holding=period.holding).order_by("starts_at")
                assert covers(list(covering), period.starts_at, period.ends_at)


def covers(periods: Sequence[HoldingPeriod], start: datetime, end: datetime | None) -> bool:
    """Whether `periods`, in order, overlap nowhere and together cover [start, end)."""
    at = start
    for before, after in pairwise(periods):
        assert before.ends_at is not None
        assert before.ends_at <= after.starts_at, "two periods of a holding overlap"
    for period in periods:
        if period.ends_at is not None and period.ends_at <= at:
            continue
        if period.starts_at > at:
            return False
        if period.ends_at is None:
            return True
        at = period.ends_at
        if end is not None and at >= end:
            return True
    return False
