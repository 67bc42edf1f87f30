"""Saving cells of the matrix: Pia and Paul edit the same plans at the same time, and nobody loses anything."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from catalog.errors import CellsChangedSince
from catalog.models import Grant, Version
from catalog.services import drafting, publishing
from catalog.services.cells import CellEdit, ColumnEdit, Raw, Saved, save_cells
from catalog.services.columns import heads
from customers.actor import SYSTEM, Actor
from customers.errors import Invalid
from customers.models import Account, AuditEvent
from tests.factories.catalog import NOON, FeatureFactory, PlanFactory, Shop

pytestmark = pytest.mark.django_db

Cells = dict[str, tuple[Raw, Raw]]  # feature → seen, wanted


def head(offer: Any) -> Any:
    return heads([offer]).get(offer.pk)


def column(offer: Any, cells: Cells, version: Any = "as it is") -> ColumnEdit:
    shown = head(offer) if version == "as it is" else version
    edits = [CellEdit(feature, seen, value) for feature, (seen, value) in cells.items()]
    return ColumnEdit(offer.code, shown.pk if shown else None, shown is not None and not shown.is_frozen, edits)


def save(*columns: ColumnEdit, by: Account | None = None) -> Saved:
    return save_cells(columns=columns, actor=Actor(account=by) if by else SYSTEM, at=NOON)


def grants(offer: Any) -> dict[str, object]:
    rows = Grant.objects.filter(version=head(offer)).select_related("feature")
    return {row.feature.code: "unlimited" if row.unlimited else row.value for row in rows}


def last_event() -> Any:
    return AuditEvent.objects.latest("pk")


class TestSaving:
    def test_a_draft_is_begun_where_there_is_none(self, shop: Shop, pia: Account) -> None:
        saved = save(column(shop.common, {"email-limit": (500, 900), "quotes": (None, True)}), by=pia)
        assert saved == Saved(2, ("common",))
        draft = head(shop.common)
        assert (draft.state, draft.drafted_by, str(draft.base)) == ("draft", pia, "common v1")
        assert grants(shop.common) == {"dashboards": "default-charts", "email-limit": 900, "quotes": True}
        event = last_event()
        assert (event.action, event.object_code, event.actor) == ("draft.edited", "common", pia.name)
        assert event.changes == {"grants.email-limit": [500, 900], "grants.quotes": [None, True]}

    def test_several_columns_at_once_each_in_its_own_draft(self, shop: Shop) -> None:
        draft = drafting.draft_from(offer=shop.sales_premium, actor=SYSTEM, at=NOON)
        saved = save(
            column(shop.sales_premium, {"quotes": (True, None), "email-limit": (None, "unlimited")}),
            column(shop.service_essentials, {"dashboards": (None, "custom-tiles")}),
        )
        assert saved == Saved(3, ("service-essentials",))
        assert head(shop.sales_premium) == draft
        assert grants(shop.sales_premium) == {"dashboards": "custom-tiles", "email-limit": "unlimited"}
        assert grants(shop.service_essentials) == {"requests": True, "dashboards": "custom-tiles"}

    def test_the_first_draft_of_something_new(self, shop: Shop) -> None:
        plan = PlanFactory()
        assert save(column(plan, {"quotes": (None, True)})) == Saved(1, (plan.code,))
        assert grants(plan) == {"quotes": True}

    def test_what_changes_nothing_leaves_no_trace(self, shop: Shop) -> None:
        events = AuditEvent.objects.count()
        assert save(column(shop.common, {"email-limit": (500, 500), "quotes": (None, None)})) == Saved(0)
        assert head(shop.common).number == 1
        assert AuditEvent.objects.count() == events

    def test_a_draft_in_review_goes_back_to_being_edited(self, shop: Shop, pia: Account, paul: Account) -> None:
        draft = shop.draft(shop.common, grants={"email-limit": 700})
        drafting.submit(version=draft, actor=SYSTEM, at=NOON)
        publishing.approve(version=draft, actor=Actor(account=paul), at=NOON)
        saved = save(column(shop.common, {"email-limit": (700, 800)}), by=pia)
        assert saved == Saved(1, reopened=("common",))
        draft.refresh_from_db()
        assert (draft.state, draft.approved_by, list(draft.editors.all())) == ("draft", None, [pia])

    def test_it_costs_the_same_for_one_cell_and_for_fifty(self, shop: Shop) -> None:
        def queries(cells: Cells) -> int:
            with CaptureQueriesContext(
                connection,
            ) as captured:
                save(column(shop.common, cells))
            return len(captured)

        codes = [FeatureFactory().code for _ in range(52)]
        drafting.draft_from(offer=shop.common, actor=SYSTEM, at=NOON)
        assert queries({codes[0]: (None, True)}) == queries(dict.fromkeys(codes[1:], (None, True)))


class TestValidation:
    def test_every_wrong_cell_is_told_and_nothing_is_saved(self, shop: Shop) -> None:
        wrong: Cells = {
            "email-limit": (500, -1),
            "dashboards": ("default-charts", "gold"),
            "sales": (None, 1),
            "no-such": (None, True),
            "quotes": (None, True),
        }
        with pytest.raises(Invalid) as refused:
            save(column(shop.common, wrong), ColumnEdit("nowhere", None, False, []))
        told = {fault["field"]: fault["message"] for fault in refused.value.faults}
        assert list(told) == ["common.email-limit", "common.dashboards", "common.sales", "common.no-such", "nowhere"]
        assert told["common.email-limit"] == "A limit is a whole number from 0, or unlimited, not -1."
        assert "'gold' is none of the choices: default-charts, default-tiles" in told["common.dashboards"]
        assert told["common.sales"] == "A switch is true or false, not 1."
        assert head(shop.common).number == 1

    @pytest.mark.parametrize("value", [1.5, [], {}, "900", 2**53, True])
    def test_a_limit_is_read_strictly(self, shop: Shop, value: Any) -> None:
        with pytest.raises(Invalid):
            save(column(shop.common, {"email-limit": (500, value)}))


class TestTwoPeopleAtOnce:
    def test_the_same_cell_is_a_conflict_that_tells_who_and_when(self, shop: Shop, pia: Account, paul: Account) -> None:
        shown = head(shop.common)
        save(column(shop.common, {"email-limit": (500, 900)}, shown), by=pia)
        with pytest.raises(CellsChangedSince) as refused:
            save(
                column(shop.common, {"email-limit": (500, 700), "quotes": (None, True)}, shown),
                column(shop.sales_premium, {"quotes": (True, None)}),
                by=paul,
            )
        assert refused.value.details["columns"] == []
        assert refused.value.details["cells"] == [
            {
                "offer": "common",
                "feature": "email-limit",
                "seen": 500,
                "theirs": 900,
                "mine": 700,
                "who": pia.name,
                "at": NOON,
                "action": "draft.edited",
            }
        ]
        assert grants(shop.common) == {"dashboards": "default-charts", "email-limit": 900}
        assert head(shop.sales_premium).number == 1  # nothing half done

    def test_having_seen_theirs_one_may_insist(self, shop: Shop, pia: Account, paul: Account) -> None:
        save(column(shop.common, {"email-limit": (500, 900)}), by=pia)
        save(column(shop.common, {"email-limit": (900, 700)}), by=paul)
        assert grants(shop.common)["email-limit"] == 700

    def test_other_cells_merge_in_silence(self, shop: Shop, pia: Account, paul: Account) -> None:
        shown = head(shop.common)
        save(column(shop.common, {"email-limit": (500, 900)}, shown), by=pia)
        save(column(shop.common, {"dashboards": ("default-charts", None)}, shown), by=paul)
        assert grants(shop.common) == {"email-limit": 900}

    def test_wanting_the_same_is_no_conflict(self, shop: Shop, pia: Account, paul: Account) -> None:
        shown = head(shop.common)
        save(column(shop.common, {"email-limit": (500, 900)}, shown), by=pia)
        assert save(column(shop.common, {"email-limit": (500, 900)}, shown), by=paul) == Saved(0)

    def test_yes_is_not_1(self, shop: Shop) -> None:
        with pytest.raises(CellsChangedSince):
            save(column(shop.sales_premium, {"quotes": (1, None)}))

    def test_a_draft_discarded_meanwhile(self, shop: Shop, pia: Account, paul: Account) -> None:
        draft = shop.draft(shop.common, grants={"email-limit": 700})
        edit = column(shop.common, {"email-limit": (700, 800)}, draft)
        drafting.discard_draft(version=draft, actor=Actor(account=paul), at=NOON)
        with pytest.raises(CellsChangedSince) as refused:
            save(edit, by=pia)
        version = Version.objects.get(offer=shop.common)
        assert refused.value.details["columns"] == [
            {
                "offer": "common",
                "version": version.pk,
                "is_draft": False,
                "stage": "v1",
                "who": paul.name,
                "at": NOON,
                "action": "draft.discarded",
            }
        ]
        assert [cell["theirs"] for cell in refused.value.details["cells"]] == [500]
        save(column(shop.common, {"email-limit": (500, 800)}, version), by=pia)
        assert grants(shop.common)["email-limit"] == 800

    def test_a_draft_published_meanwhile(self, shop: Shop, pia: Account, paul: Account) -> None:
        draft = shop.draft(shop.common, grants={"email-limit": 700})
        edit = column(shop.common, {"email-limit": (700, 800)}, draft)
        publishing.publish(version=draft, actor=Actor(account=paul), at=NOON, four_eyes=False)
        # Its number says that it is the same row, and yet it can be edited no more.
        with pytest.raises(CellsChangedSince) as refused:
            save(edit, by=pia)
        [told] = refused.value.details["columns"]
        assert (told["stage"], told["who"], told["action"]) == ("v2", paul.name, "version.published")

    def test_another_draft_than_the_one_shown(self, shop: Shop) -> None:
        draft = shop.draft(shop.common, grants={"email-limit": 700})
        edit = column(shop.common, {"email-limit": (700, 800)}, draft)
        drafting.discard_draft(version=draft, actor=SYSTEM, at=NOON)
        shop.draft(shop.common, grants={"email-limit": 700})
        with pytest.raises(CellsChangedSince) as refused:
            save(edit)
        assert [told["stage"] for told in refused.value.details["columns"]] == ["another draft"]

    def test_a_first_draft_begun_meanwhile_merges(self, shop: Shop) -> None:
        plan = PlanFactory()
        edit = column(plan, {"quotes": (None, True)})
        save(column(plan, {"sales": (None, True)}))
        assert save(edit) == Saved(1)
        assert grants(plan) == {"sales": True, "quotes": True}
