"""No sequence of calls changes what was published."""

from __future__ import annotations

from contextlib import suppress
from datetime import timedelta
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.db import transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from catalog.models import Offer, Version
from catalog.services import drafting, publishing
from customers.actor import SYSTEM
from customers.errors import Refusal
from tests.factories.catalog import NOON, Shop

OFFERS = ["common", "sales-essentials", "sales-premium"]
GRANTS = {
    "sales": [True, False],
    "quotes": [True, False],
    "email-limit": [0, 700, "unlimited"],
    "dashboards": ["default-charts", "custom-tiles"],
}


def any_call() -> st.SearchStrategy[tuple[str, str, dict[str, Any]]]:
    """Returns a verb, the code of a plan, and what the verb is called with."""
    grants = st.fixed_dictionaries({}, optional={code: st.sampled_from(values) for code, values in GRANTS.items()})
    codes = st.lists(st.sampled_from(OFFERS), max_size=2, unique=True)
    arguments: dict[str, st.SearchStrategy[dict[str, Any]]] = {
        "draft_from": st.just({}),
        "update_draft": st.fixed_dictionaries({"changelog": st.text(max_size=3)}),
        "set_grants": st.fixed_dictionaries({"grants": grants}),
        "set_includes": st.fixed_dictionaries({"codes": codes}),
        "set_extra_modules": st.fixed_dictionaries({"names": st.lists(st.sampled_from(["user", "web", "t1"]))}),
        "set_rules": st.fixed_dictionaries({"needs": codes, "excludes": codes}),
        "submit": st.just({}),
        "send_back": st.just({}),
        "discard_draft": st.just({}),
        "publish": st.fixed_dictionaries({"effective_from": st.none() | st.just(NOON + timedelta(days=1))}),
        "retire": st.just({}),
    }
    return st.sampled_from(sorted(arguments)).flatmap(
        lambda verb: st.tuples(st.just(verb), st.sampled_from(OFFERS), arguments[verb])
    )


def call(verb: str, code: str, arguments: dict[str, Any]) -> None:
    offer = Offer.objects.get(code=code)
    target: Any = {"offer": offer}
    if verb != "draft_from":
        # The draft if there is one, else the newest version: calls that fit and calls that don't.
        target = {"version": offer.versions.order_by("number").last()}
        if offer.versions.drafts().exists():
            target = {"version": offer.versions.drafts().get()}
    function = getattr(publishing if verb in {"publish", "retire"} else drafting, verb)
    function(**target, actor=SYSTEM, at=NOON, **arguments)


PARTS = {
    "grants": ("feature_id", "value", "unlimited"),
    "includes": ("offer_id",),
    "extra_modules": ("module_id",),
    "rules": ("verb", "offer_id"),
    "published_features": ("feature_id",),
}


def frozen() -> dict[int, dict[str, Any]]:
    """Returns everything that is for good about every published version, with the rows that belong to it."""
    return {
        row.pk: {
            "content": (row.number, row.content, row.digest, row.changelog, row.effective_from, row.published_at),
            **{
                part: sorted(repr([getattr(entry, name) for name in names]) for entry in getattr(row, part).all())
                for part, names in PARTS.items()
            },
        }
        for row in Version.objects.frozen().prefetch_related(*PARTS)
    }


@pytest.mark.django_db
class TestWhateverIsCalled:
    @pytest.fixture(autouse=True)
    def _shop(self, shop: Shop) -> None:
        """The plans of the shop, all published."""

    @settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(st.lists(any_call(), min_size=3, max_size=10))
    def test_published_content_never_changes(self, calls: list[tuple[str, str, dict[str, Any]]]) -> None:
        with transaction.atomic():
            known = frozen()
            for verb, code, arguments in calls:
                with suppress(Refusal, ValidationError):
                    call(verb, code, arguments)
                now = frozen()
                assert {pk: now[pk] for pk in known} == known
                known = now
            numbers = Version.objects.frozen().order_by("offer", "number").values_list("offer", "number")
            assert len(set(numbers)) == len(numbers)
            transaction.set_rollback(True)
