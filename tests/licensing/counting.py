"""Limits that are counted: projects per user, storage per customer, mails per calendar month and contract month."""

from __future__ import annotations

from licensing.services.metering import Subject, counted
from tests.factories.catalog import LimitFactory
from tests.licensing.market import Market, Town, hours


def open_counting_market() -> Town:
    """Returns Fjordlys, where Ola and Ida have Sales Essentials (5 projects); Premium has 20, and Top no limit."""
    market = Market()
    LimitFactory(code="projects", name="Projects", unit="projects", counts="user")
    LimitFactory(code="mails", name="Mails", unit="mails", counts="user", resets="calendar_month")
    LimitFactory(code="points", rule="sum", unit="points", counts="user")
    LimitFactory(code="calls", name="Calls", unit="calls", counts="customer", resets="contract_month")
    essentials = {"sales": True, "projects": 5, "mails": 100, "calls": 50, "points": 10}
    market.publish(market.sales_essentials, grants=essentials)
    premium = {"quotes": True, "projects": 20, "mails": 500, "points": 31}
    market.publish(market.sales_premium, grants=premium, includes=("sales-essentials",))
    market.publish(market.both, grants={"projects": "unlimited"}, includes=("sales-premium", "service-premium"))
    town = Town()
    town.buys(sales_essentials=2, storage=1, at=hours(20))
    town.gives("ola", "ten-sales-essentials", at=hours(21))
    town.gives("ida", "ten-sales-essentials", at=hours(22))
    return town


def of(town: Town, feature: str, user: str | None = "ola") -> Subject:
    """Returns Ola's use of a limit, or somebody else's; no user: the customer's."""
    return counted(town.customer, town.users[user] if user else None, feature)
