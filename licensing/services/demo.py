"""Demo data worth looking at: customers that mix plans, one with hundreds of users, one full, one per single plan.

Everything is made by the same services that people use, and nothing is touched that is there already.
"""

from __future__ import annotations

import random
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import product
from typing import Any, Final

from django.conf import settings
from django.db import transaction
from django.db.models import Max

from catalog.models import Owner, Solution, Version
from customers.actor import SYSTEM, Actor
from customers.models import Customer, CustomerUser
from licensing.facts import Mode
from licensing.models import OwnerPlan
from licensing.services.keys import save_plan
from licensing.services.onboarding import create_customer
from licensing.services.overrides import grant_override
from licensing.services.people import create_users, edit_user
from licensing.services.seats import UserWish, change_seats
from licensing.services.subscriptions import RENEWAL, cancel_subscription, change_items, subscribe

FIRST: Final = """
Kari Ola Ida Per Nora Lars Emma Jonas Sofie Henrik Maja Anders Ingrid Magnus Thea Sindre Astrid Eirik Hanne
Tobias Silje Martin Live Øyvind Marte Håkon Solveig Erik Camilla Stian Ragnhild Kristian
"""
LAST: Final = """
Nordmann Hansen Johansen Olsen Larsen Andersen Nilsen Kristiansen Jensen Karlsen Berg Haugen Hagen Dahl Lund
Moen Strand Solberg Bakke Myhre Lie Sunde Aas Vik Brekke Tveit Foss Rønning Eide Holm
"""
PLANS: Final = {
    "sales-essentials": "Solvang Sykkel AS",
    "sales-premium": "Lysaker Båtbyggeri AS",
    "service-essentials": "Varme Hjem Service AS",
    "service-premium": "Polar Heis AS",
    "marketing-essentials": "Fjellblomst Reiser AS",
    "marketing-premium": "Kystkultur Festival AS",
    "sales-service-marketing-premium": "Nordlys Møbler AS",
}
# When and why teams got their plans; whoever only tried one gives it back with the third.
TEAMS: Final = ("First team", "Second team", "Spring hires", "New office", "Summer hires", "Autumn hires")
GIVEN_BACK: Final = 2
# What the plans of imported packages cover: the names say it, and no program should read it out of them.
TEN_PLANS: Final = {
    "ten-sales": ("sales",),
    "ten-service": ("service",),
    "ten-marketing": ("marketing",),
    "ten-salesservice": ("sales", "service"),
    "ten-salesmarketing": ("sales", "marketing"),
    "ten-servicemarketing": ("service", "marketing"),
    "ten-salesservicemarketing": ("sales", "service", "marketing"),
}
THREE: Final = ("sales-premium", "service-premium", "marketing-premium")


@dataclass(frozen=True)
class Story:
    """A customer, what it pays, and how many users hold which plans and add-ons (offer codes)."""

    code: str
    name: str
    serial: str
    items: Mapping[str, int]
    billing_months: int = 12
    held: Sequence[tuple[int, tuple[str, ...]]] = ()
    without: int = 0
    former: int = 0
    locked_out: int = 0
    later: Mapping[str, int] = field(default_factory=dict)
    at_renewal: Mapping[str, int] = field(default_factory=dict)
    is_cancelled: bool = False
    days_ago: int = 160


STORIES: Final = (
    Story(
        "fjordlys",
        "Fjordlys AS",
        "1010000014",
        {
            "sales-premium": 12,
            "sales-essentials": 6,
            "service-premium": 8,
            "marketing-premium": 4,
            "calendar-synchronization": 10,
            "superoffice-ai": 1,
            "cep": 1,
        },
        held=(
            (6, ("sales-premium", "calendar-synchronization")),
            (3, ("sales-premium", "service-premium")),
            (2, THREE),
            (5, ("sales-essentials",)),
            (2, ("service-premium",)),
            (1, ("marketing-premium", "sales-essentials")),
        ),
        without=3,
        former=2,
        locked_out=1,
        days_ago=341,
    ),
    Story(
        "nordvik",
        "Nordvik Handel AS",
        "1010000027",
        {"sales-service-marketing-premium": 5, "sales-essentials": 8, "expander-services": 1},
        billing_months=3,
        held=((4, ("sales-service-marketing-premium",)), (6, ("sales-essentials",))),
        without=2,
        former=1,
        days_ago=131,
    ),
    Story(
        "havbris",
        "Havbris Shipping ASA",
        "1010000032",
        {
            "sales-premium": 150,
            "sales-essentials": 120,
            "service-essentials": 90,
            "service-premium": 60,
            "marketing-essentials": 25,
            "calendar-synchronization": 140,
            "superoffice-ai": 1,
            "expander-services": 1,
        },
        billing_months=6,
        held=(
            (80, ("sales-premium", "calendar-synchronization")),
            (45, ("sales-premium",)),
            (18, ("sales-premium", "service-premium")),
            (95, ("sales-essentials",)),
            (12, ("sales-essentials", "service-essentials")),
            (70, ("service-essentials",)),
            (35, ("service-premium", "calendar-synchronization")),
            (20, ("marketing-essentials",)),
        ),
        at_renewal={"sales-essentials": 100, "marketing-premium": 10},
        without=40,
        former=16,
        locked_out=6,
        days_ago=402,
    ),
    Story(
        "tindra",
        "Tindra Klinikk AS",
        "1010000045",
        {"service-essentials": 6, "sales-essentials": 2},
        billing_months=1,
        held=((6, ("service-essentials",)), (2, ("sales-essentials",))),
        without=4,
        is_cancelled=True,
        days_ago=275,
    ),
    Story(
        "skogheim",
        "Skogheim Forlag AS",
        "1010000058",
        {"sales-essentials": 9, "marketing-essentials": 4},
        billing_months=1,
        held=((9, ("sales-essentials",)), (3, ("marketing-essentials",))),
        later={"sales-essentials": 6},
        days_ago=88,
    ),
)


def make_demo_customers(*, actor: Actor = SYSTEM, at: datetime, only: Collection[str] | None = None) -> list[str]:
    """Makes the customers that aren't there yet, or only those named; returns their codes. `at` dates last logins."""
    stories = [story for story in (*STORIES, *_one_per_plan()) if only is None or story.code in only]
    there = set(Customer.objects.values_list("code", flat=True))
    missing = [story for story in stories if story.code not in there]
    for story in missing:
        _make(story, actor, at)
    return [story.code for story in missing]


def map_ten_plans(*, actor: Actor = SYSTEM, at: datetime) -> None:
    """Says what the plans of our own owner's imported packages cover, where nobody has said so yet."""
    owner = Owner.objects.get(code=settings.OWN_OWNER)
    known = set(OwnerPlan.objects.filter(owner=owner).values_list("module_name", flat=True))
    for module, solutions in TEN_PLANS.items():
        if module not in known:
            plan = OwnerPlan(owner=owner, module_name=module)
            save_plan(actor=actor, plan=plan, solutions=Solution.objects.filter(code__in=solutions), at=at)


def _one_per_plan() -> list[Story]:
    """Customers with one item and one user, `uma`, to read a plan off the API; and one with all three Premium."""
    single = [
        Story(f"only-{code}", name, f"20200000{number:02}", {code: 1}, held=((1, (code,)),), days_ago=45 * number)
        for number, (code, name) in enumerate(PLANS.items(), start=1)
    ]
    three = Story("only-three-premium", "Trekanten Bygg AS", "2020000099", dict.fromkeys(THREE, 1), held=((1, THREE),))
    return [*single, three]


@transaction.atomic
def _make(story: Story, actor: Actor, at: datetime) -> None:
    start = _start(story, at)
    customer = create_customer(actor=actor, code=story.code, name=story.name, serial_number=story.serial, at=start)
    subscribe(customer=customer, actor=actor, billing_months=story.billing_months, items=story.items, at=start)
    users = create_users(customer=customer, actor=actor, users=_people(story), at=start)
    left = _assign(customer, actor, users, story, start, at)
    _leave(customer, actor, left[story.without :], story, at)
    _remember_logins(users, at)
    if story.later:
        change_items(customer=customer, actor=actor, items=story.later, at=at)
    if story.at_renewal:
        change_items(customer=customer, actor=actor, items=story.at_renewal, due=RENEWAL, at=at)
    if story.is_cancelled:
        cancel_subscription(customer=customer, actor=actor, reason="Merges with another clinic", at=at)
    if story.code == "fjordlys":
        _deviate(customer, actor, users, at)


def _start(story: Story, at: datetime) -> datetime:
    """Returns when the story begins: so many days ago, but not before there was anything to sell."""
    sold_since = Version.objects.frozen().filter(offer__code__in=story.items).aggregate(Max("effective_from"))
    first: datetime = sold_since["effective_from__max"] or at
    return max(at - timedelta(days=story.days_ago), first)


def _assign(
    customer: Customer, actor: Actor, users: Sequence[CustomerUser], story: Story, start: datetime, at: datetime
) -> list[CustomerUser]:
    """Gives the users their plans, team by team from `start` to `at`; returns those who hold none.

    Somebody of the first team tries the plan and gives it back, so that there is something to look back at.
    """
    modules = dict(customer.module_licenses.exclude(offer_code="").order_by().values_list("offer_code", "module_name"))
    wanted = [tuple(modules[offer] for offer in offers) for count, offers in story.held for _ in range(count)]
    wishes = [UserWish(user.code, plans) for user, plans in zip(users, wanted, strict=False)]
    left = list(users[len(wishes) :])
    tried = [UserWish(user.code, wanted[0]) for user in left[: story.without // 2][:2]]
    size = -(-len(wishes) // len(TEAMS))
    step = (at - start) / (len(TEAMS) + 1)
    for number, reason in enumerate(TEAMS):
        team = wishes[number * size : (number + 1) * size]
        if number == 0:
            team += tried
        if number == GIVEN_BACK:
            team += [UserWish(wish.user, release=wish.assign, accept_loss=True) for wish in tried]
        if team:
            change_seats(customer=customer, actor=actor, wishes=team, reason=reason, at=start + step * (number + 1))
    return left


def _people(story: Story) -> list[dict[str, Any]]:
    """Returns believable users, the same on every machine; `uma` where there is one only."""
    size = sum(count for count, _ in story.held) + story.without + story.former + story.locked_out
    if size == 1:
        return [{"code": "uma", "name": "Uma Vold", "email": f"uma@{story.code}.example"}]
    names = list(product(FIRST.split(), LAST.split()))
    dice = random.Random(story.code)  # noqa: S311 - believable, not secret
    chosen = dice.sample(names, size)
    if story.code == "fjordlys":
        chosen[0] = ("Kari", "Nordmann")
    people, codes = [], set()
    for first, last in chosen:
        code = _ascii(first)
        while code in codes:
            code = f"{_ascii(first)}.{_ascii(last)}" if code == _ascii(first) else f"{code}2"
        codes.add(code)
        people.append({"code": code, "name": f"{first} {last}", "email": f"{code}@{story.code}.example"})
    return people


def _ascii(name: str) -> str:
    return name.lower().replace("ø", "o").replace("å", "a").replace("æ", "ae")


def _leave(customer: Customer, actor: Actor, users: Sequence[CustomerUser], story: Story, at: datetime) -> None:
    for index, user in enumerate(users):
        change: dict[str, Any] = {"is_former_employee": True} if index < story.former else {"can_log_in": False}
        edit_user(customer=customer, actor=actor, user=user, reason="Left the company", at=at, **change)


def _remember_logins(users: Sequence[CustomerUser], at: datetime) -> None:
    dice = random.Random(len(users))  # noqa: S311 - believable, not secret
    for user in users:
        user.last_seen_at = at - timedelta(minutes=int(dice.expovariate(1 / 6000)))
    CustomerUser.objects.bulk_update(users, ["last_seen_at"], batch_size=500)


def _deviate(customer: Customer, actor: Actor, users: Sequence[CustomerUser], at: datetime) -> None:
    grant_override(
        customer=customer,
        actor=actor,
        feature="send-email-to",
        mode=Mode.AT_LEAST,
        value=2000,
        reason="Agreed in the autumn campaign, ticket 4711",
        at=at,
    )
    grant_override(
        customer=customer,
        actor=actor,
        user=users[0],
        feature="flows",
        mode=Mode.SET,
        value=True,
        reason="Tries flows before the team buys them",
        ends_at=at + timedelta(days=21),
        at=at,
    )
