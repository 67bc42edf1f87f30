"""What the lists of overrides show, and how an override is told in words."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from operator import attrgetter
from typing import Any, Final

from django import forms
from django.db.models.functions import Lower
from django.urls import reverse
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.html import format_html
from django.utils.safestring import SafeString

from customers.tables import Column, NeverNull
from licensing.models import Override
from licensing.overriding import MODES, override_in_words
from licensing.portal.asking import Filters
from licensing.portal.links import customer_link, user_link

DAYS_AHEAD: Final = 30
EVERYBODY: Final = "Everybody"
_LEVELS: Final[Mapping[str, str]] = {Override.State.LIVE: "badge-good", Override.State.SCHEDULED: "badge-dot"}
_ENDING: Final = "ending"


class OverrideFilters(Filters):
    state = forms.ChoiceField(
        required=False,
        label="State",
        choices=[("", "Any state"), (_ENDING, f"Ends within {DAYS_AHEAD} days"), *Override.State.choices],
    )
    of = forms.ChoiceField(
        required=False, label="For", choices=[("", "Anybody"), ("customer", EVERYBODY), ("user", "One user")]
    )
    mode = forms.ChoiceField(required=False, label="What", choices=[("", "Anything"), *MODES.items()])

    def narrow(self, rows: Any, at: datetime) -> Any:
        """Returns the overrides that are asked for."""
        asked = self.asked
        if state := asked.get("state"):
            rows = rows.ending(at, days=DAYS_AHEAD) if state == _ENDING else rows.in_state(state, at)
        if "of" in asked:
            rows = rows.filter(user__isnull=asked["of"] == "customer")
        if "mode" in asked:
            rows = rows.filter(mode=asked["mode"])
        return rows.search(asked["search"]) if "search" in asked else rows


def override_columns(at: datetime, *, with_customer: bool = False, may_edit: bool = False) -> list[Column]:
    """Returns the columns, of one customer's overrides or of many; who may edit gets a link that ends each."""

    def state(override: Override) -> Override.State:
        return override.state_at(at)

    def badge(override: Override) -> SafeString:
        known = state(override)
        return format_html('<span class="badge {}">{}</span>', _LEVELS.get(known, ""), known.label)

    def end(override: Override) -> SafeString | str:
        if state(override) is Override.State.ENDED:
            return ""
        address = reverse("portal:override_end", args=[override.customer.code, override.pk])
        words = '<a href="{}">End…<span class="visually-hidden"> {} for {}</span></a>'
        return format_html(words, address, override.feature.name, _subject(override))

    customer = Column(
        "customer",
        "Customer",
        attrgetter("customer.name"),
        show=lambda override: customer_link(override.customer),
        order=(NeverNull("customer__name"),),
    )
    acting = [Column("end", "End", lambda override: "", show=end)] if may_edit else []
    return [
        Column("feature", "Feature", attrgetter("feature.name"), order=(NeverNull("feature__name"),), is_fixed=True),
        *([customer] if with_customer else []),
        Column("for", "For", _subject, show=_subject_link, order=(Lower("user__name"),)),
        Column("what", "Override", override_in_words, order=(NeverNull("mode"),)),
        Column("why", "Reason", attrgetter("reason")),
        _day("from", "From", "starts_at"),
        Column("until", "Until", attrgetter("stops_at"), show=lambda o: _date(o.stops_at), order=("stop",)),
        Column("state", "State", lambda override: state(override).label, show=badge),
        Column("by", "Granted by", attrgetter("created_by"), order=(NeverNull("created_by"),)),
        _day("granted", "Granted", "created_at", is_shown=False),
        *acting,
    ]


def _subject(override: Override) -> str:
    return str(override.user.name) if override.user is not None else EVERYBODY


def _subject_link(override: Override) -> SafeString | str:
    return EVERYBODY if override.user is None else user_link(override.customer, override.user)


def _day(key: str, title: str, field: str, *, is_shown: bool = True) -> Column:
    of = attrgetter(field)
    return Column(key, title, of, show=lambda o: _date(of(o)), order=(NeverNull(field),), is_shown=is_shown)


def _date(at: datetime | None) -> str:
    return date_format(timezone.localtime(at), "j M Y") if at else ""
