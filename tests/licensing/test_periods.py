"""Holdings, sets and periods: what was, is and will be answered. Rules C-30 to C-35 and H-1 to H-7."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from customers.actor import SYSTEM
from customers.errors import Refusal
from licensing.explaining import content_at, explain
from licensing.facts import DateState, Mode
from licensing.models import EntitlementSet, Holding, HoldingPeriod, Override, Package, UserPeriod
from licensing.reading import held_set, read_customer, read_user
from licensing.services.commit import customer_commit
from licensing.services.erasing import erase_user
from licensing.services.overrides import end_override, grant_override
from licensing.services.people import create_user, edit_user
from licensing.services.periods import rewrite_customer
from licensing.services.sealing import write_sealed
from licensing.services.seats import UserWish, change_seats
from tests.factories.catalog import NOON
from tests.licensing.market import Market, Town, hours

TICK = timedelta(microseconds=1)


def stored(town: Town, user: str | None, at: datetime) -> dict[str, Any]:
    """Returns the stored set that a read at `at` finds."""
    reading = read_customer(town.customer.code, at) if user is None else read_user(town.customer.code, user, at)
    assert reading is not None
    assert reading.set_id is not None
    body: dict[str, Any] = json.loads(EntitlementSet.objects.get(pk=reading.set_id).body)
    return body


def give_dates(town: Town, **dates: datetime) -> None:
    """Makes the active package one that ends, as an imported one does, and writes the periods anew."""
    with customer_commit(customer=town.customer, actor=SYSTEM, cause="package.dated", at=hours(2)) as commit:
        old = Package.objects.get(customer=town.customer, state="active")
        Package.objects.filter(pk=old.pk).update(state="superseded", ended_at=commit.at)
        new = Package.objects.get(pk=old.pk)
        rows = list(new.rows.all())
        new.pk, new.number, new.state, new.ended_at, new.activated_at = None, 99, "active", None, commit.at
        for name, at in dates.items():
            setattr(new, name, at)
        new.save(force_insert=True)
        for row in rows:
            row.pk, row.package = None, new
        write_sealed(new, rows, at=commit.at)
        rewrite_customer(commit)
        commit.changed()


# ── Users ───────────────────────────────────────────────────────────────────
def test_before_the_first_period_nothing_is_recorded(town: Town) -> None:
    reading = read_user("fjordlys", "ola", NOON - TICK)
    assert reading is not None
    assert (reading.user, reading.set_id) == ("ola", None)
    assert read_user("nobody", "ola") is None
    unknown = read_user("fjordlys", "nobody")
    assert unknown is not None
    assert unknown.user is None


def test_a_new_user_holds_nothing_from_the_first_instant(town: Town) -> None:
    create_user(customer=town.customer, actor=SYSTEM, code="nina", name="Nina", at=hours(1))
    period = UserPeriod.objects.get(user__code="nina")
    assert (period.starts_at, period.ends_at, period.holding.modules) == (hours(1), None, [])


def test_equal_combinations_share_one_holding(town: Town) -> None:
    town.buys(sales_essentials=3, at=hours(1))
    for name in town.users:
        town.gives(name, "ten-sales-essentials", at=hours(2))
    in_use = set(UserPeriod.objects.filter(ends_at=None).values_list("holding", flat=True))
    assert len(in_use) == 1


def test_customers_with_the_same_content_share_one_set(market: Market, town: Town) -> None:
    other = Town("nordvik", people=("ola",))
    for each in (town, other):
        each.buys(sales_essentials=1, at=hours(1))
        each.gives("ola", "ten-sales-essentials", at=hours(2))
    sets = {reading.set_id for reading in (read_user("fjordlys", "ola"), read_user("nordvik", "ola")) if reading}
    assert len(sets) == 1


def test_every_past_instant_can_be_replayed(town: Town) -> None:
    town.buys(sales_essentials=1, sales_premium=1, at=hours(1))
    town.gives("ola", "ten-sales-essentials", at=hours(2))
    town.gives("ola", "ten-sales-premium", at=hours(3))
    town.takes("ola", "ten-sales-premium", at=hours(4))

    seen = [town.access("ola", "quotes", at=hours(n + 0.5)) for n in range(5)]

    assert seen == ["none", "view", "view", "edit", "view"]
    town.assert_whole()


def test_a_reading_tells_the_revision_in_force_then(town: Town) -> None:
    town.buys(sales_essentials=1, at=hours(1))
    first = town.revision()
    town.gives("ola", "ten-sales-essentials", at=hours(2))
    then, now = read_user("fjordlys", "ola", hours(1.5)), read_user("fjordlys", "ola")
    assert then is not None
    assert now is not None
    assert (then.revision, now.revision) == (first, first + 1)


def test_stamps_only_grow_whatever_the_clock_says(town: Town) -> None:
    town.buys(sales_essentials=2, at=hours(5))
    town.gives("ola", "ten-sales-essentials", at=hours(1))
    assert town.users["ola"].seats.get().assigned_at == hours(5) + TICK


def test_a_read_sees_a_write_whose_stamp_lies_ahead_of_the_clock(town: Town) -> None:
    ahead = datetime(2999, 1, 1, tzinfo=NOON.tzinfo)
    town.buys(sales_essentials=1, at=ahead)
    reading = read_customer("fjordlys")
    assert reading is not None
    assert (reading.as_of, reading.status) == (ahead, "active")


# ── Overrides ───────────────────────────────────────────────────────────────
def override(town: Town, mode: Mode, **how: Any) -> Override:
    how.setdefault("feature", "email-limit")
    return grant_override(customer=town.customer, actor=SYSTEM, mode=mode, reason="Agreed", **how)


def test_an_override_with_an_end_needs_nobody_to_end_it(town: Town) -> None:
    town.buys(sales_essentials=1, at=hours(1))
    town.gives("ola", "ten-sales-essentials", at=hours(2))
    override(town, Mode.ADD, value=100, user=town.users["ola"], ends_at=hours(5), at=hours(3))
    override(town, Mode.AT_LEAST, value=700, starts_at=hours(4), ends_at=hours(6), at=hours(3.5))

    values = [town.answer("ola", at=hours(n))["email-limit"]["value"] for n in (2.5, 3, 4, 5, 6)]

    assert values == [500, 600, 800, 700, 500]
    reading = read_user("fjordlys", "ola", hours(4.5))
    assert reading is not None
    assert reading.valid_until == hours(5)
    town.assert_whole()


def test_ending_an_override_early_leaves_its_past(town: Town) -> None:
    town.buys(sales_essentials=1, at=hours(1))
    granted = override(town, Mode.SET, value="unlimited", at=hours(2))
    end_override(customer=town.customer, actor=SYSTEM, override=granted, at=hours(3))

    assert town.answer("ola", at=hours(2.5))["email-limit"] == {
        "kind": "limit", "access": "edit", "value": None, "unlimited": True,
    }  # fmt: skip
    assert town.access("ola", "email-limit", at=hours(3)) == "none"
    with pytest.raises(Refusal):
        end_override(customer=town.customer, actor=SYSTEM, override=granted)


def test_one_live_override_per_mode(town: Town) -> None:
    town.buys(sales_essentials=1, at=hours(1))
    override(town, Mode.ADD, value=5, at=hours(2), ends_at=hours(3))
    with pytest.raises(Refusal) as refused:
        override(town, Mode.ADD, value=6, at=hours(2.5))
    assert refused.value.code == "override_refused"
    override(town, Mode.ADD, value=7, at=hours(4))
    override(town, Mode.ADD, value=8, user=town.users["ola"], at=hours(4))


@pytest.mark.parametrize(
    ("how", "field"),
    [
        ({"value": -1}, "value"),
        ({"value": "many"}, "value"),
        ({"value": None}, "value"),
        ({"value": 1, "reason": " "}, "reason"),
        ({"value": 1, "ends_at": NOON}, "ends_at"),
        ({"value": 1, "starts_at": NOON}, "starts_at"),
    ],
)
def test_a_wrong_override_says_what_is_wrong(town: Town, how: dict[str, Any], field: str) -> None:
    with pytest.raises(Refusal) as refused:
        grant_override(
            **{"customer": town.customer, "actor": SYSTEM, "feature": "email-limit", "mode": Mode.ADD, "reason": "x"}
            | how
        )
    assert [fault["field"] for fault in refused.value.details["faults"]] == [field]


# ── Date states ─────────────────────────────────────────────────────────────
@pytest.mark.parametrize(
    ("at", "state", "access"),
    [
        (hours(10) - TICK, DateState.ACTIVE, "edit"),
        (hours(10), DateState.WARNING, "edit"),
        (hours(20) - TICK, DateState.WARNING, "edit"),
        (hours(20), DateState.GRACE, "edit"),
        (hours(30) - TICK, DateState.GRACE, "edit"),
        (hours(30), DateState.STOPPED, "view"),
    ],
)
def test_date_states_begin_at_their_instant(town: Town, at: datetime, state: DateState, access: str) -> None:
    """C-31, C-32, C-35: half-open, on the read path, by the clock alone."""
    town.buys(sales_premium=1, chat=1, at=hours(1))
    town.gives("ola", "ten-sales-premium", at=hours(1.5))
    give_dates(town, warning_at=hours(10), expires_at=hours(20), grace_until=hours(30))

    reading = read_user("fjordlys", "ola", at)

    assert reading is not None
    assert (reading.status, json.loads(reading.owners)) == (state.value, {"SUPEROFFICE": state.value})
    assert town.access("ola", "sales", at=at) == access
    ends = [edge for edge in (hours(10), hours(20), hours(30)) if edge > at]
    assert reading.valid_until == (ends[0] if ends else None)
    town.assert_whole()


def test_without_an_active_package_the_status_is_none(town: Town) -> None:
    reading = read_user("fjordlys", "ola")
    assert reading is not None
    assert (reading.status, reading.owners, town.answer("ola")) == ("none", "{}", {})


# ── The customer as a whole ─────────────────────────────────────────────────
def test_the_customers_own_answer_is_as_if_all_sold_were_held(town: Town) -> None:
    town.buys(sales_premium=1, calendar=1, storage=3, at=hours(1))
    override(town, Mode.DENY, feature="quotes", user=town.users["ola"], at=hours(2))

    assert town.access(None, "quotes") == "edit", "user overrides are ignored"
    assert town.access(None, "calendar-synchronization") == "edit"
    assert town.answer(None)["storage"]["value"] == 300, "three times 100 GB, bought three times"
    assert town.access("ola", "calendar-synchronization") == "none"


# ── Stored and explained agree ──────────────────────────────────────────────
PLANS = ("ten-sales-essentials", "ten-sales-premium", "ten-service-premium", "ten-sales-service-premium")
step = st.one_of(
    st.tuples(st.just("give"), st.sampled_from(("ola", "ida")), st.sampled_from((*PLANS, "nebula"))),
    st.tuples(st.just("take"), st.sampled_from(("ola", "ida")), st.sampled_from((*PLANS, "nebula"))),
    st.tuples(st.just("buy"), st.sampled_from(("sales_essentials", "calendar", "storage")), st.integers(0, 3)),
    st.tuples(st.just("override"), st.sampled_from((None, "ola")), st.sampled_from(list(Mode))),
    st.tuples(st.just("leave"), st.sampled_from(("ola", "ida")), st.booleans()),
)


erasing = st.tuples(st.just("erase"), st.just("ida"), st.none())


@settings(max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=st.lists(step, min_size=3, max_size=9))
def test_whatever_happens_periods_are_whole_and_explain_agrees(town: Town, steps: list[tuple[str, Any, Any]]) -> None:
    """Periods cover the time line without gap or overlap; resolving the recorded facts anew gives the stored set."""
    with transaction.atomic():
        town.buys(
            sales_essentials=1, sales_premium=2, service_premium=1, sales_service_premium=1, calendar=1, at=hours(1)
        )
        for number, (verb, who, what) in enumerate(steps, start=2):
            try:
                happen(town, verb, who, what, hours(number))
            except Refusal:
                continue
        town.assert_whole()
        instants = [hours(n) + shift for n in range(1, len(steps) + 6) for shift in (-TICK, timedelta(0))]
        for at in instants[1:]:
            for name in ("ola", "ida"):
                assert stored(town, name, at) == content_at(town.customer, town.users[name], at)
            assert stored(town, None, at) == content_at(town.customer, None, at)
        transaction.set_rollback(True)


def happen(town: Town, verb: str, who: Any, what: Any, at: datetime) -> None:
    """One thing that may happen at a customer."""
    if verb == "give":
        wish = UserWish(who, (what,), accept_loss=True)
        change_seats(customer=town.customer, actor=SYSTEM, wishes=[wish], at=at)
    elif verb == "take":
        town.takes(who, what, at=at)
    elif verb == "buy":
        town.buys(at=at, **{who: what})
    elif verb == "erase":
        erase_user(customer=town.customer, actor=SYSTEM, user=town.users[who], confirm=town.users[who].code, at=at)
    elif verb == "leave":
        edit_user(customer=town.customer, actor=SYSTEM, user=town.users[who], can_log_in=what, at=at)
    else:
        value = None if what is Mode.DENY else 700
        user = town.users[who] if who else None
        override(town, what, value=value, user=user, at=at, ends_at=at + timedelta(hours=2.5))


def test_explain_tells_every_source_and_who_gave_the_seat(town: Town) -> None:
    town.buys(sales_essentials=1, service_premium=1, at=hours(1))
    town.gives("ola", "ten-sales-essentials", at=hours(2), reason="Asked by mail")
    override(town, Mode.AT_LEAST, value=2000, at=hours(3))

    told = explain(town.customer, town.users["ola"], "email-limit", hours(4))

    assert told["because"] == "2,000 recipients, by an override: at least."
    assert [(s["code"], s["outcome"], s["defined_by"]) for s in told["sources"]] == [
        ("sales-essentials", "counts", "common"),
        ("service-premium", "no_seat", "common"),
    ]
    assert told["sources"][0]["seat"]["reason"] == "Asked by mail"
    (applied,) = told["overrides"]
    assert (applied["mode"], applied["reason"], applied["before"]["value"], applied["after"]["value"]) == (
        "at_least", "Agreed", 500, 2000,
    )  # fmt: skip


def test_a_damaged_set_is_never_served(town: Town) -> None:
    damaged = EntitlementSet.objects.create(digest="0" * 64, body='{"features":{}}', multi_plan=False)
    with pytest.raises(Refusal) as refused:
        held_set(damaged.pk)
    assert refused.value.code == "entitlement_set_damaged"


def test_activation_touches_holdings_not_users(town: Town) -> None:
    town.buys(sales_essentials=3, at=hours(1))
    for name in town.users:
        town.gives(name, "ten-sales-essentials", at=hours(2))
    users = UserPeriod.objects.count()

    town.buys(storage=1, at=hours(3))

    assert UserPeriod.objects.count() == users
    assert Holding.objects.filter(customer=town.customer).count() < 6
    assert HoldingPeriod.objects.filter(starts_at=hours(3)).exists()
