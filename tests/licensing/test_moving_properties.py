"""Whatever customers bought, hold and were promised: a preview is what then happens, and going back undoes it all."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

from django.db import transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from catalog.services import drafting
from customers.actor import SYSTEM
from licensing.facts import Mode
from licensing.models import Migration
from licensing.reading import forget_sets
from licensing.services import moving
from licensing.services.overrides import grant_override
from licensing.services.subscriptions import subscribe
from tests.licensing.market import Market, Town, hours
from tests.licensing.moving import drafted, preview_of, published, runs, started
from tests.licensing.test_impact import effect

Answers = dict[tuple[str, str | None], dict[str, Any]]
PEOPLE = ("ann", "bob")
CODES = ("alfa", "beta", "gamma")
PLANS = ("ten-sales-premium", "ten-sales-service-premium", "ten-sales-essentials")


@dataclass(frozen=True)
class Bought:
    billing_months: int
    items: dict[str, int]
    held: dict[str, str | None]  # user → plan module
    promised: tuple[str, str | None] | None  # a feature, and to whom (none: to all)
    fewer: bool  # has asked for fewer seats than it uses


@st.composite
def towns(draw: st.DrawFn) -> Bought:
    plans = ("sales-premium", "sales-service-premium", "sales-essentials")
    owned = draw(st.sets(st.sampled_from(plans), min_size=1))
    items = dict.fromkeys(sorted(owned), len(PEOPLE))
    items |= {code: 1 for code in ("chat",) if draw(st.booleans())}
    modules = [None, *(f"ten-{code}" for code in sorted(owned))]
    held = {person: draw(st.sampled_from(modules)) for person in PEOPLE}
    promised = draw(st.none() | st.tuples(st.sampled_from(["quotes", "sales"]), st.sampled_from([None, *PEOPLE])))
    fewer = "ten-sales-premium" in held.values() and draw(st.sampled_from([False, False, True]))
    return Bought(draw(st.sampled_from([1, 12])), items, held, promised, fewer)


def settle(code: str, bought: Bought) -> Town:
    town = Town(code, PEOPLE)
    months = bought.billing_months
    subscribe(customer=town.customer, actor=SYSTEM, billing_months=months, items=bought.items, at=hours(1))
    for person, module in bought.held.items():
        if module is not None:
            town.gives(person, module, at=hours(2))
    if bought.promised is not None:
        feature, who = bought.promised
        grant_override(
            customer=town.customer,
            actor=SYSTEM,
            user=town.users[who] if who else None,
            feature=feature,
            mode=Mode.SET,
            value=True,
            reason="Promised",
            at=hours(3),
        )
    if bought.fewer:
        holders = sum(module == "ten-sales-premium" for module in bought.held.values())
        if holders > 1:
            town.buys(sales_premium=1, at=hours(4))
    return town


def answers(towns: list[Town], at: float) -> Answers:
    return {(t.customer.code, who): t.answer(who, hours(at)) for t in towns for who in (*PEOPLE, None)}


COHORTS = st.fixed_dictionaries(
    {},
    optional={
        "codes": st.sets(st.sampled_from(CODES), min_size=1).map(sorted).map(tuple),
        "billing_months": st.sampled_from([(1,), (12,), (1, 12)]),
        "search": st.sampled_from(["a", "alf", "et"]),
        "versions": st.just((1,)),
    },
)


@settings(max_examples=10, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    bought=st.lists(towns(), min_size=3, max_size=3),
    grants=st.fixed_dictionaries(
        {
            "quotes": st.sampled_from([None, True]),
            "dashboards": st.sampled_from([None, "default-tiles", "custom-tiles"]),
            "email-limit": st.sampled_from([None, 100, 500, 900, "unlimited"]),
            "chat": st.sampled_from([None, True]),
        }
    ),
    needs_chat=st.booleans(),
    cohort=COHORTS,
)
def test_a_preview_is_what_happens_and_going_back_undoes_it(
    market: Market, db: Any, bought: list[Bought], grants: dict[str, Any], needs_chat: bool, cohort: dict[str, Any]
) -> None:
    forget_sets()  # numbers of sets come again after a rollback
    with transaction.atomic():
        there = [settle(code, each) for code, each in zip(CODES, bought, strict=True)]
        version = drafted(market, **grants)
        drafting.set_rules(
            version=version, needs=["chat"] if needs_chat else [], excludes=[], actor=SYSTEM, at=hours(22)
        )
        target = published(version)
        meant = [
            code
            for code, each in zip(CODES, bought, strict=True)
            if "sales-premium" in each.items
            and code in cohort.get("codes", CODES)
            and each.billing_months in cohort.get("billing_months", (1, 12))
            and cohort.get("search", "") in code
        ]
        if meant:
            _compare(started(target, **cohort), there, meant)
        transaction.set_rollback(True)


def _compare(migration: Migration, there: list[Town], meant: list[str]) -> None:
    report = preview_of(migration)
    told = {row.customer.code: row for row in report.customers.select_related("customer")}
    stopped = {problem.customer.code for problem in report.problems.all() if problem.is_blocking}
    assert sorted(told) == sorted(meant)
    assert (report.total, report.stopped) == (len(meant), len(stopped))

    before = answers(there, 50)
    outcome = runs(migration)
    assert outcome == {code: "blocked" if code in stopped else "moved" for code in meant}
    after = answers(there, 60)
    features: Counter[tuple[str, str]] = Counter()
    for town in there:
        code = town.customer.code
        changed = [_effects(before[code, who], after[code, who]) for who in PEOPLE]
        if outcome.get(code) != "moved":
            assert not any(changed)
            continue
        users = Counter(kind for effects in changed for kind in set(effects.values()))
        row = told[code]
        assert row.changed == sum(map(bool, changed))
        assert {kind: getattr(row, kind) for kind in ("gained", "raised", "lowered", "lost")} == {
            kind: users[kind] for kind in ("gained", "raised", "lowered", "lost")
        }
        features.update((feature, kind) for effects in changed for feature, kind in effects.items())
    if not stopped:
        rows = report.features.all()
        said = {(f.code, kind): getattr(f, kind) for f in rows for kind in ("gained", "raised", "lowered", "lost")}
        assert {key: n for key, n in said.items() if n} == features

    if "moved" in outcome.values():
        moving.roll_back_all(migration=migration, actor=SYSTEM, at=hours(70))
        assert "moved" not in runs(migration, hours(71)).values()
        assert answers(there, 80) == before
    for town in there:
        town.assert_whole()


def _effects(before: dict[str, Any], after: dict[str, Any]) -> dict[str, str]:
    """Returns what happened to each feature of one user, from what apps were told."""
    codes = before.keys() | after.keys()
    return {code: effect(before.get(code), after.get(code)) for code in codes if before.get(code) != after.get(code)}
