"""Many seats at once: previewed, applied by token, or told what is in the way (S-9 to S-16)."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from customers.errors import Invalid, NotFound, Refusal
from customers.models import AuditEvent, CustomerUser, WebhookEndpoint, WebhookEvent
from licensing.bulk_errors import PreviewBlocked, PreviewExpired, StateMoved
from licensing.bulk_plan import BulkWish
from licensing.facts import Mode
from licensing.models import ChangePreview, ChangeSet
from licensing.services import bulk, bulk_applying
from licensing.services.bulk import preview_changes, prune_previews, wishes_of
from licensing.services.bulk_working import wishes_in
from licensing.services.overrides import grant_override
from licensing.services.people import edit_user
from tests.licensing.changing import (
    BOTH,
    ESSENTIALS,
    SALES,
    SERVICE,
    again,
    applies,
    gives,
    outcomes,
    previews,
    takes,
    works,
)
from tests.licensing.market import Market, Town, hours

S = "superoffice."


class TestPreviewing:
    def test_a_preview_tells_of_every_user_what_would_come_of_it_and_changes_nothing(self, shop: Town) -> None:
        shop.gives("ida", ESSENTIALS, at=hours(2))
        before = shop.revision()

        preview = previews(shop, gives("ola", SALES), gives("ida", SALES), takes("per", SALES), at=hours(3))

        assert preview.state == "ready"
        assert outcomes(preview) == [("ola", "changes", ""), ("ida", "changes", ""), ("per", "unchanged", "")]
        ola, ida, per = preview.rows.all()
        assert (ola.before, ola.after) == ([], [S + SALES])
        assert (ida.before, ida.after) == ([S + ESSENTIALS], [S + SALES])
        assert (per.before, per.after, per.gains) == ([], [], [])
        assert shop.revision() == before
        assert shop.holds("ola") == set()
        assert ChangeSet.objects.count() == 1
        assert (preview.done, preview.total, preview.revision) == (3, 3, before)

    def test_it_tells_what_people_gain_and_lose(self, shop: Town) -> None:
        shop.gives("ola", SALES, at=hours(2))
        preview = previews(shop, gives("ola", ESSENTIALS, release=[SALES]), gives("ida", SALES), at=hours(3))
        ola, ida = preview.rows.all()

        lost = {each["feature"] for each in ola.losses}
        assert lost
        assert not ola.gains
        assert lost <= {each["feature"] for each in ida.gains}
        assert {each["effect"] for each in ola.losses} <= {"lost", "lowered"}
        assert {each["feature"]: each["users"] for each in preview.totals["losses"]} == dict.fromkeys(lost, 1)

    def test_overrides_of_a_user_count_in_what_they_gain(self, shop: Town, market: Market) -> None:
        gained = {each["feature"] for each in previews(shop, gives("ola", SALES), at=hours(2)).rows.get().gains}
        feature = sorted(gained)[0]
        grant_override(
            customer=shop.customer,
            actor=shop.actor,
            user=shop.users["ola"],
            feature=feature,
            mode=Mode.DENY,
            reason="Not for Ola.",
            at=hours(3),
        )
        preview = previews(shop, gives("ola", SALES), at=hours(4))
        assert {each["feature"] for each in preview.rows.get().gains} == gained - {feature}

    def test_seats_are_told_before_and_after(self, shop: Town) -> None:
        shop.gives("ola", ESSENTIALS, at=hours(2))
        preview = previews(shop, gives("ola", SALES), gives("ida", SALES), at=hours(3))
        told = {each["module"]: each for each in preview.seat_deltas}
        assert {name: told[S + SALES][name] for name in ("before", "assigned", "released", "after", "total")} == {
            "before": 0,
            "assigned": 2,
            "released": 0,
            "after": 2,
            "total": 2,
        }
        assert (told[S + ESSENTIALS]["before"], told[S + ESSENTIALS]["after"]) == (1, 0)

    def test_every_row_that_is_in_the_way_says_why(self, shop: Town) -> None:
        edit_user(customer=shop.customer, actor=shop.actor, user=shop.users["per"], is_former_employee=True)
        preview = previews(
            shop,
            gives("ola", "ten-nothing"),
            gives("nobody", SALES),
            gives("per", SALES),
            gives("ida", "nebula"),
            gives("ola", SALES),
            gives("ida", SERVICE),
            gives("x" * 1_000_000, SALES),
            gives("nul\x00", SALES, "\ud800"),
        )
        assert preview.state == "blocked"
        assert [(user[:8], outcome, code) for user, outcome, code in outcomes(preview)] == [
            ("ola", "blocked", "not_found"),
            ("nobody", "blocked", "not_found"),
            ("per", "blocked", "user_cannot_hold_seats"),
            ("ida", "blocked", "missing_prerequisite"),
            ("ola", "blocked", "user_named_twice"),
            ("ida", "blocked", "user_named_twice"),
            ("xxxxxxxx", "blocked", "not_found"),
            ("nul\ufffd", "blocked", "not_found"),
        ]
        assert all(row.message and row.blocking for row in preview.rows.all())
        assert preview.totals["codes"]["not_found"] == 4

    def test_no_rows_too_many_rows_and_a_position_twice_are_refused(self, shop: Town) -> None:
        one = BulkWish(1, "ola", (SALES,))
        for wishes in ([], [one, one], [BulkWish(n, f"u{n}") for n in range(10_001)]):
            with pytest.raises(Invalid):
                preview_changes(customer=shop.customer, actor=shop.actor, wishes=wishes)


class TestSwapping:
    """S-10: a swap moves who holds the one, and touches nothing else."""

    def test_a_swap_leaves_other_seats_and_other_users_alone(self, shop: Town) -> None:
        shop.gives("ola", ESSENTIALS, SERVICE, at=hours(2))
        shop.gives("ida", SERVICE, at=hours(2))
        swap = [gives(user, SALES, release=[ESSENTIALS]) for user in ("ola", "ida")]

        preview = previews(shop, *swap, mode="as_many", at=hours(3))
        assert outcomes(preview) == [("ola", "changes", ""), ("ida", "blocked", "seat_not_held")]
        applies(shop, preview, at=hours(4))

        assert shop.holds("ola") == {SALES, SERVICE}
        assert shop.holds("ida") == {SERVICE}
        after = previews(shop, *swap, mode="as_many", at=hours(5))
        assert outcomes(after)[0] == ("ola", "unchanged", "")

    def test_a_swap_never_pushes_out_what_it_does_not_name(self, shop: Town) -> None:
        shop.buys(sales_premium=2, service_premium=2, sales_service_premium=2, at=hours(2))
        shop.gives("ola", SALES, SERVICE, at=hours(3))
        preview = previews(shop, gives("ola", BOTH, release=[SALES]), at=hours(4))
        assert outcomes(preview) == [("ola", "blocked", "conflicting_plans")]
        assert SERVICE in preview.rows.get().message


class TestSeats:
    """S-11: seats are judged together, on the end state."""

    def test_one_may_get_what_another_gives_up_in_the_same_change(self, shop: Town) -> None:
        shop.gives("ola", SALES, at=hours(2))
        shop.gives("ida", SALES, at=hours(2))
        preview = previews(shop, gives("per", SALES), takes("ola", SALES), at=hours(3))
        assert preview.state == "ready"
        applies(shop, preview, at=hours(4))
        assert (shop.holds("ola"), shop.holds("per")) == (set(), {SALES})

    def test_all_or_nothing_names_those_for_whom_none_is_left_and_gives_no_token(self, shop: Town) -> None:
        shop.gives("ida", SALES, at=hours(1.5))
        preview = previews(shop, gives("ola", SALES), gives("per", SALES), at=hours(2))
        assert preview.state == "blocked"
        assert outcomes(preview) == [("ola", "changes", ""), ("per", "blocked", "no_seat_left")]
        assert "ida" in preview.rows.get(user_code="per").next_action
        with pytest.raises(PreviewBlocked):
            applies(shop, preview, at=hours(3))
        assert shop.holds("ola") == set()

    def test_as_many_as_possible_takes_rows_in_order(self, shop: Town) -> None:
        preview = previews(
            shop, gives("per", SALES), gives("ida", SALES), gives("ola", SALES), mode="as_many", at=hours(2)
        )
        assert outcomes(preview)[2] == ("ola", "blocked", "no_seat_left")
        done = applies(shop, preview, at=hours(3))
        assert done.state == "applied"
        assert [row.is_applied for row in done.rows.all()] == [True, True, False]
        assert done.change_set is not None
        assert done.change_set.rows.count() == 2
        assert [wish.user for wish in wishes_of(done)] == ["ola"]


class TestApplying:
    def test_applying_does_what_was_previewed_in_one_change_set(self, shop: Town) -> None:
        preview = previews(shop, gives("ola", SALES), gives("ida", SALES), reason="New year", at=hours(2))
        before = shop.revision()

        done = applies(shop, preview, at=hours(3))

        assert done.state == "applied"
        assert done.change_set is not None
        assert (done.change_set.reason, done.change_set.revision) == ("New year", before + 1)
        assert {row.user.code: row.after for row in done.change_set.rows.all()} == {
            row.user_code: row.after for row in preview.rows.all()
        }
        assert AuditEvent.objects.filter(action="seats.changed", reason="New year").count() == 2
        shop.assert_whole()

    def test_a_token_counts_once(self, shop: Town) -> None:
        preview = previews(shop, gives("ola", SALES), at=hours(2))
        first = applies(shop, preview, at=hours(3))
        shop.takes("ola", SALES, at=hours(4))
        assert applies(shop, preview, at=hours(5)).change_set == first.change_set
        assert shop.holds("ola") == set()

    def test_the_same_input_twice_changes_nothing(self, shop: Town) -> None:
        wishes = [gives("ola", SALES), gives("ida", SERVICE, ESSENTIALS), takes("per", SALES)]
        applies(shop, previews(shop, *wishes, at=hours(2)), at=hours(3))
        before = shop.revision()
        preview = previews(shop, *wishes, at=hours(4))
        assert {outcome for _, outcome, _ in outcomes(preview)} == {"unchanged"}
        done = applies(shop, preview, at=hours(5))
        assert (done.state, done.change_set, shop.revision()) == ("applied", None, before)

    def test_the_same_user_twice_with_the_same_wish_counts_once(self, shop: Town) -> None:
        preview = previews(shop, gives("ola", SALES), gives("OLA", SALES), at=hours(2))
        assert outcomes(preview) == [("ola", "changes", ""), ("ola", "unchanged", "")]

    def test_what_moved_meanwhile_is_told_and_nothing_is_done(self, shop: Town) -> None:
        preview = previews(shop, gives("ola", SALES), gives("ida", SALES), at=hours(2))
        shop.gives("per", SALES, at=hours(3))
        before = shop.revision()

        with pytest.raises(StateMoved) as told:
            applies(shop, preview, at=hours(4))

        moved = told.value.details
        assert moved["differs"] == 1
        assert moved["rows"][0]["user"] == "ida"
        assert (moved["rows"][0]["was"]["outcome"], moved["rows"][0]["now"]["code"]) == ("changes", "no_seat_left")
        assert shop.revision() == before
        assert again(shop, preview).state == "stale"
        assert again(shop, preview).difference == moved

    def test_what_does_not_concern_it_may_move(self, shop: Town) -> None:
        preview = previews(shop, gives("ola", SALES), at=hours(2))
        shop.gives("per", SALES, at=hours(3))
        assert applies(shop, preview, at=hours(4)).state == "applied"

    def test_other_features_for_the_same_seats_are_another_state(self, shop: Town) -> None:
        preview = previews(shop, gives("ola", SALES), at=hours(2))
        feature = preview.rows.get().gains[0]["feature"]
        how = {"customer": shop.customer, "actor": shop.actor, "feature": feature, "mode": Mode.DENY}
        grant_override(**how, reason="For nobody.", at=hours(3))
        with pytest.raises(StateMoved):
            applies(shop, preview, at=hours(4))

    def test_a_dry_run_compares_and_leaves_no_trace(self, shop: Town) -> None:
        preview = previews(shop, gives("ola", SALES), gives("ida", SALES), at=hours(2))
        assert applies(shop, preview, at=hours(3), dry_run=True).state == "ready"
        assert shop.holds("ola") == set()
        shop.gives("per", SALES, at=hours(4))
        with pytest.raises(StateMoved):
            applies(shop, preview, at=hours(5), dry_run=True)
        assert again(shop, preview).state == "ready"

    def test_a_preview_expires_and_its_input_goes_later(self, shop: Town) -> None:
        preview = previews(shop, gives("ola", SALES), at=hours(2))
        with pytest.raises(PreviewExpired):
            applies(shop, preview, at=hours(2) + timedelta(hours=24))
        assert prune_previews(now=hours(2) + timedelta(days=7)) == 0
        assert prune_previews(now=hours(2) + timedelta(days=9)) == 1

    def test_another_customers_token_is_unknown(self, shop: Town) -> None:
        preview = previews(shop, gives("ola", SALES), at=hours(2))
        with pytest.raises(NotFound):
            applies(Town("tindra"), preview, at=hours(3))


class TestCreating:
    """S-15: unknown users are made first, where a row says so."""

    def test_a_row_may_create_its_user(self, shop: Town) -> None:
        kari = gives("kari", SALES, create={"name": "Kari", "email": "kari@fjordlys.example"})
        preview = previews(shop, kari, gives("per", SALES), at=hours(2))
        assert not CustomerUser.objects.filter(code="kari").exists()
        row = preview.rows.get(user_code="kari")
        assert (row.outcome, row.creates, row.after) == ("changes", True, [S + SALES])

        done = applies(shop, preview, at=hours(3))

        user = CustomerUser.objects.get(code="kari")
        assert (user.name, done.rows.get(user_code="kari").user) == ("Kari", user)
        assert shop.customer.seats.held().filter(user=user).count() == 1
        assert AuditEvent.objects.filter(action="user.created", object_code="fjordlys/kari").count() == 1
        after = previews(shop, kari, at=hours(4))
        assert outcomes(after) == [("kari", "unchanged", "")]

    def test_two_people_with_one_code_are_not_taken_for_one(self, shop: Town) -> None:
        ola, nils = {"name": "Ola Berg"}, {"name": "Nils Vik"}
        rows = [gives("nils", SALES, create=ola), gives("NILS", SALES, create=nils), gives("nils", SALES, create=ola)]
        preview = previews(shop, *rows, mode="as_many")
        assert [(outcome, code) for _, outcome, code in outcomes(preview)] == [
            ("changes", ""),
            ("blocked", "user_named_twice"),
            ("unchanged", ""),
        ]

    def test_who_cannot_be_created_is_named(self, shop: Town) -> None:
        preview = previews(
            shop,
            gives("kari", create={"name": "Kari", "email": "same@fjordlys.example"}),
            gives("siri", create={"name": "Siri", "email": "SAME@fjordlys.example"}),
            gives("no spaces please/", create={"name": "X"}),
            gives("nameless", create={"name": ""}),
            mode="as_many",
            at=hours(2),
        )
        assert [code for _, _, code in outcomes(preview)] == ["", "invalid", "invalid", "invalid"]
        assert "already" in preview.rows.get(user_code="siri").message
        assert applies(shop, preview, at=hours(3)).change_set is None
        assert CustomerUser.objects.filter(code="kari").exists()


class TestInTheBackground:
    """S-13: more than 200 rows go to the worker; here more than two."""

    @pytest.fixture(autouse=True)
    def _small(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(bulk, "AT_ONCE", 2)
        monkeypatch.setattr(bulk_applying, "BATCH", 2)
        monkeypatch.setattr(bulk_applying, "STEP", 2)

    @pytest.mark.parametrize("mode", ["all_or_nothing", "as_many"])
    def test_the_worker_works_out_and_applies_large_ones(self, shop: Town, mode: str) -> None:
        wishes = [gives("ola", SALES), gives("ida", SERVICE), gives("per", SALES)]
        preview = previews(shop, *wishes, mode=mode)
        assert (preview.state, preview.done, preview.rows.count()) == ("waiting", 0, 0)
        preview = works(shop, preview)
        assert (preview.state, preview.done) == ("ready", 3)

        endpoint = {"url": "https://example.com/", "types": ["change_set.applied"], "created_at": hours(1)}
        WebhookEndpoint.objects.create(customer=shop.customer, **endpoint)
        preview = applies(shop, preview)
        assert (preview.state, preview.done) == ("applying", 0)
        preview = works(shop, preview)

        told = json.loads(WebhookEvent.objects.get().body)["data"]
        assert (told["users"], told["revision"]) == (3, shop.revision()), "once, and when all of it is done"
        assert (preview.state, preview.done) == ("applied", 3)
        assert [row.is_applied for row in preview.rows.all()] == [True] * 3
        assert preview.change_set is not None
        assert preview.change_set.rows.count() == 3
        assert ChangeSet.objects.count() == 1
        shop.assert_whole()

    def test_what_stops_half_way_keeps_the_record_of_what_is_done(
        self, shop: Town, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        wishes = [gives("ola", SALES), gives("ida", SERVICE), gives("per", SALES)]
        preview = applies(shop, works(shop, previews(shop, *wishes, mode="as_many")))
        written, rows = [], bulk_applying.write_rows

        def fails_later(*args: object, **how: object) -> object:
            written.append(1)
            if len(written) > 1:
                raise RuntimeError("disk on fire")
            return rows(*args, **how)

        monkeypatch.setattr(bulk_applying, "write_rows", fails_later)
        endpoint = {"url": "https://example.com/", "types": ["change_set.applied"], "created_at": hours(1)}
        WebhookEndpoint.objects.create(customer=shop.customer, **endpoint)
        preview = works(shop, preview)
        assert json.loads(WebhookEvent.objects.get().body)["data"]["users"] == 2
        assert (preview.state, preview.why) == ("failed", "")
        assert preview.change_set is not None
        assert preview.change_set.rows.count() == 2
        monkeypatch.undo()
        rest = previews(shop, *wishes, mode="as_many")
        rest = works(shop, rest) if rest.state == "waiting" else rest
        assert [outcome for _, outcome, _ in outcomes(rest)] == ["unchanged", "unchanged", "changes"]

    def test_the_worker_leaves_a_preview_stale_when_the_state_moved(self, shop: Town) -> None:
        wishes = [gives("ola", SALES), gives("ida", SALES), gives("per", SERVICE)]
        preview = applies(shop, works(shop, previews(shop, *wishes)))
        shop.gives("per", SALES)
        preview = works(shop, preview)
        assert (preview.state, preview.difference["differs"]) == ("stale", 2)
        with pytest.raises(Refusal):
            applies(shop, preview)

    @pytest.mark.parametrize("goes_on", [True, False], ids=["in one run", "interrupted"])
    def test_a_row_that_comes_out_differently_between_batches_is_left_out_by_name(
        self, shop: Town, goes_on: bool
    ) -> None:
        wishes = [gives("ola", SALES), gives("ida", SERVICE), gives("per", SALES)]
        preview = works(shop, previews(shop, *wishes, mode="as_many"))
        preview = applies(shop, preview)
        run = bulk_applying.Run(wishes_in(preview))
        assert bulk_applying._apply_batch(preview, shop.actor, None, run) is True
        assert (again(shop, preview).done, again(shop, preview).state) == (2, "applying")
        shop.gives("per", ESSENTIALS)

        if goes_on:
            assert bulk_applying._apply_batch(preview, shop.actor, None, run) is False
            preview = again(shop, preview)
        else:
            preview = works(shop, preview)

        assert (preview.state, preview.totals["changes"], preview.totals["left_out"]) == ("applied", 2, 1)
        row = preview.rows.get(user_code="per")
        assert (row.outcome, row.code, row.is_applied) == ("blocked", "seats_moved", False)
        assert shop.holds("per") == {ESSENTIALS}
        assert ChangePreview.objects.get().change_set.rows.count() == 2


def test_statements_do_not_grow_with_users(market: Market) -> None:
    """Not below a batch of a thousand: everything is read and written for all users of it together."""
    few, many = Town("few", [f"f{n}" for n in range(3)]), Town("many", [f"m{n}" for n in range(30)])
    counts = {}
    for town in (few, many):
        town.buys(sales_premium=30, at=hours(1))
        with CaptureQueriesContext(connection) as previewing:
            preview = previews(town, *(gives(user, SALES) for user in town.users), at=hours(2))
        with CaptureQueriesContext(connection) as applying:
            assert applies(town, preview, at=hours(3)).state == "applied"
        counts[town.customer.code] = (len(previewing), len(applying))
        town.assert_whole()
    # Both write the set that Sales Premium gives; the first one alone has to write its content.
    assert counts["few"][0] == counts["many"][0]
    assert counts["many"][1] <= counts["few"][1]
