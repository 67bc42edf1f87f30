"""Changes of many seats under fire: killed at any step, applied twice at once, watched while they run (S-13, S-14)."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection

from customers.errors import Refusal
from licensing.bulk_plan import BulkWish
from licensing.models import ChangePreview, ChangeSet, RevisionEntry, Seat
from licensing.services import bulk, bulk_applying
from licensing.services.bulk_worker import apply_large, work_out_preview
from licensing.services.progress import noted, noting
from tests.licensing.changing import ESSENTIALS, SALES, again, applies, gives, previews
from tests.licensing.market import Market, Town, hours
from tests.licensing.test_activation_race import killed_at
from tests.licensing.test_race import at_once, in_turn

MOST_STEPS = 300
PEOPLE = ("ola", "ida", "per", "kari", "siri")


@pytest.fixture
def town(monkeypatch: pytest.MonkeyPatch, transactional_db: Any) -> Town:
    """Ola and Ida hold Essentials; everybody shall have Premium, two users to a batch."""
    monkeypatch.setattr(bulk, "AT_ONCE", 1)
    monkeypatch.setattr(bulk_applying, "BATCH", 2)
    monkeypatch.setattr(bulk_applying, "STEP", 2)
    Market()
    town = Town(people=PEOPLE)
    town.buys(sales_premium=5, sales_essentials=5, at=hours(1))
    town.gives("ola", ESSENTIALS)
    town.gives("ida", ESSENTIALS)
    return town


def ready(town: Town, mode: str) -> ChangePreview:
    preview = previews(town, *(gives(user, SALES) for user in PEOPLE), mode=mode)
    work_out_preview(preview, town.actor)
    return applies(town, preview)


def state(town: Town) -> Any:
    seats = list(Seat.objects.order_by("pk").values_list("pk", "released_at"))
    return seats, town.revision(), RevisionEntry.objects.count(), ChangeSet.objects.count()


@pytest.mark.parametrize("mode", ["all_or_nothing", "as_many"])
def test_killed_at_any_step_it_is_all_or_nothing_or_whole_batches_and_goes_on(town: Town, mode: str) -> None:
    if connection.vendor != "postgresql":
        pytest.skip("in-memory SQLite dies with its process")
    preview = ready(town, mode)
    before, steps, progress = state(town), 0, [0]

    while killed_at(steps + 1, lambda: apply_large(again(town, preview), town.actor)):
        steps += 1
        assert steps < MOST_STEPS
        now = again(town, preview)
        town.assert_whole()
        held = Seat.objects.held().filter(module_name=SALES).count()
        if now.state == "applied":
            break
        assert sum(row.is_applied for row in now.rows.all()) == held
        if mode == "all_or_nothing":
            assert state(town) == before
        else:
            assert held % 2 == 0, "whole batches"
            assert now.change_set is None or now.change_set.rows.count() == held
            progress.append(held)
        # From the start again, one step further each time, unless a batch has come through.
        if mode == "as_many" and len(progress) > 1 and progress[-1] != progress[-2]:
            steps = 0

    apply_large(again(town, preview), town.actor)
    done = again(town, preview)
    assert (done.state, done.done) == ("applied", 5)
    assert done.change_set is not None
    assert done.change_set.rows.count() == 5
    assert Seat.objects.held().filter(module_name=SALES).count() == 5
    assert not Seat.objects.held().filter(module_name=ESSENTIALS).exists()
    assert ChangeSet.objects.count() == 3
    if mode == "as_many":
        assert sorted(set(progress)) == [0, 2, 4]
    town.assert_whole()


@pytest.mark.parametrize("mode", ["all_or_nothing", "as_many"])
def test_two_workers_at_once_do_it_once(town: Town, mode: str) -> None:
    preview = ready(town, mode)

    def work() -> str:
        apply_large(again(town, preview), town.actor)
        return "done"

    run = in_turn if connection.vendor == "sqlite" else at_once
    assert run([work, work]) == ["done", "done"]
    assert ChangeSet.objects.count() == 3
    assert Seat.objects.held().filter(module_name=SALES).count() == 5
    town.assert_whole()


def test_one_token_applied_many_times_at_once_counts_once(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bulk, "AT_ONCE", 200)
    preview = previews(town, *(gives(user, SALES) for user in PEOPLE))
    run = in_turn if connection.vendor == "sqlite" else at_once
    assert set(run([lambda: applies(town, preview).state] * 8)) == {"applied"}
    assert ChangeSet.objects.count() == 3


def test_progress_is_read_while_the_transaction_runs(town: Town) -> None:
    preview = ready(town, "all_or_nothing")
    seen = []
    with noting(preview) as note:

        def watched(done: int) -> None:
            note(done)
            seen.append(_looked_at(town, preview))

        bulk_applying._apply_whole(preview, town.actor, None, False, watched)
    assert seen == [2, 4, 5]
    assert again(town, preview).done == 5


def _looked_at(town: Town, preview: ChangePreview) -> int:
    """Returns the progress that somebody else reads: on PostgreSQL from another connection."""

    def look() -> str:
        return str(noted(again(town, preview)))

    return int(look() if connection.vendor == "sqlite" else at_once([look])[0])


def test_swaps_of_many_at_once_never_oversell(town: Town) -> None:
    """Everybody wants one of five seats, in changes that come together; each is whole or refused."""
    town.buys(sales_premium=2, sales_essentials=5)

    def claim(first: str, second: str) -> str:
        wishes = [BulkWish(1, first, (SALES,)), BulkWish(2, second, (SALES,))]
        made = bulk.preview_changes(customer=town.customer, actor=town.actor, wishes=wishes, mode="as_many")
        work_out_preview(made, town.actor)
        applied = applies(town, made)
        apply_large(applied, town.actor)
        return "done"

    run = in_turn if connection.vendor == "sqlite" else at_once
    pairs = [("ola", "ida"), ("per", "kari"), ("siri", "ola")]
    outcomes = run([_told(lambda pair=pair: claim(*pair)) for pair in pairs])
    assert "done" in outcomes
    assert Seat.objects.held().filter(module_name=SALES).count() == 2
    town.assert_whole()


def _told(act: Any) -> Any:
    def run() -> str:
        try:
            return str(act())
        except Refusal as refusal:
            return refusal.code

    return run
