"""Everybody follows every link there is for them: it answers, nothing complains, everybody can read it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.conf import settings
from django.test import Client
from django.utils import timezone
from playwright.sync_api import BrowserContext, Page
from pytest_django.live_server_helper import LiveServer

from catalog.services import drafting
from customers.actor import SYSTEM
from customers.models import Account, Membership
from licensing.facts import Mode
from licensing.services.overrides import grant_override
from licensing.services.people import edit_user
from licensing.services.subscriptions import RENEWAL, change_items
from tests.browser.crawling import Crawler, Seen
from tests.factories.customers import AccountFactory, ApiClientFactory, MembershipFactory, key_for
from tests.licensing.market import Market, Town

SEEN = Seen()  # shared by all roles: what axe has judged once is judged


@pytest.fixture
def world(transactional_db: None) -> dict[str, Town]:
    """Something of everything: two customers, seats, a full plan, what is scheduled and what waits, drafts, a key."""
    market = Market()
    handed_in = market.draft(market.sales_premium, grants={"quotes": True}, includes=("sales-essentials",))
    drafting.submit(version=handed_in, actor=SYSTEM, at=timezone.now())
    market.draft(market.chat, grants={"chat": True})
    fjordlys = Town()
    fjordlys.buys(sales_essentials=2, sales_premium=1, service_premium=2, sales_service_premium=1, calendar=2, chat=1)
    fjordlys.gives("ida", "ten-sales-service-premium", "nebula")
    fjordlys.gives("ola", "ten-sales-premium", reason="New in Sales")
    edit_user(customer=fjordlys.customer, actor=SYSTEM, user=fjordlys.users["per"], is_former_employee=True)
    who: dict[str, Any] = {"customer": fjordlys.customer, "actor": SYSTEM, "reason": "Ticket 4711"}
    grant_override(feature="email-limit", mode=Mode.AT_LEAST, value=2000, **who)
    grant_override(feature="chat", mode=Mode.DENY, user=fjordlys.users["ola"], **who)
    nordvik = Town("nordvik", people=("nina",))
    nordvik.buys(service_essentials=3)
    nordvik.gives("nina", "ten-service-essentials")
    nordvik.buys(service_essentials=0, chat=1)  # waits for Nina's seat
    change_items(customer=fjordlys.customer, actor=SYSTEM, items={"sales-premium": 0}, due=RENEWAL)
    key_for(ApiClientFactory(name="Demo app"))
    return {"fjordlys": fjordlys, "nordvik": nordvik}


def ours(name: str, role: str) -> Callable[[dict[str, Town]], Account]:
    return lambda world: AccountFactory(name=name, roles=[role])


def member(name: str, role: str, *customers: str) -> Callable[[dict[str, Town]], Account]:
    def make(world: dict[str, Town]) -> Account:
        account: Account = AccountFactory(name=name)
        for code in customers:
            MembershipFactory(account=account, customer=world[code].customer, role=role)
        return account

    return make


VISITORS: dict[str, Callable[[dict[str, Town]], Account | None]] = {
    "anonymous": lambda world: None,
    "pia": ours("Pia Product", "product_manager"),
    "paul": ours("Paul Publisher", "publisher"),
    "cara": ours("Cara Care", "customer_success"),
    "aud": ours("Aud Auditor", "auditor"),
    "root": lambda world: AccountFactory(name="Root", is_staff=True, is_superuser=True),
    "kari": member("Kari Nordmann", Membership.Role.ADMIN, "fjordlys"),
    "vera": member("Vera Vik", Membership.Role.VIEWER, "fjordlys", "nordvik"),
}


@pytest.mark.parametrize("name", VISITORS)
def test_every_link_leads_to_a_page_that_everybody_can_use(
    name: str,
    world: dict[str, Town],
    page: Page,
    context: BrowserContext,
    complaints: list[str],
    live_server: LiveServer,
    record_property: Callable[[str, object], None],
) -> None:
    client, account = Client(), VISITORS[name](world)
    if account is not None:
        client.force_login(account, backend="django.contrib.auth.backends.ModelBackend")
        session = client.cookies[settings.SESSION_COOKIE_NAME]
        context.add_cookies([{"name": session.key, "value": session.value, "url": live_server.url}])
    crawler = Crawler(page, client, live_server.url, complaints, SEEN)
    crawler.walk("/")
    record_property("crawl", vars(crawler.tally))
    assert crawler.tally.pages > 1
    if crawler.faults:
        pytest.fail("\n".join(crawler.faults), pytrace=False)
