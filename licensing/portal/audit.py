"""The audit trail as a page: who did what to what, from what to what, and why. `/audit/`, and as CSV.

A list may have a million events: it shows the newest of them by an index, counts no further than it shows, and sorts
by anything else than time only what the filters have made few.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime, time
from operator import attrgetter
from typing import Any, Final

from django import forms
from django.contrib.auth.mixins import LoginRequiredMixin
from django.db.models.functions import Coalesce
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.template.loader import render_to_string
from django.utils.decorators import method_decorator
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.views import View
from django.views.decorators.cache import never_cache

from customers.access import Access, access_of
from customers.audit import in_words, kinds_recorded, tell
from customers.models import AuditEvent
from customers.querysets import AuditEventQuerySet
from customers.replica import ReplicaServes
from customers.tables import Column, NeverNull, Table
from licensing.portal.links import customer_link
from licensing.portal.trail import CATALOG, addresses_of, may_meet, may_meet_action, readable_events

MOST_COUNTED: Final = 10_000  # events; a page further back is reached by a date, or by CSV
CHANGES_SHOWN: Final = 4
_DIGEST: Final = re.compile(r"[0-9a-f]{64}")
_NAMES: Final[Mapping[str, str]] = {"addon": "Add-on", "api_client": "API client"}
# What is asked for as one: the plans and all they are made of; people with what they hold.
_TOGETHER: Final[Mapping[str, frozenset[str]]] = {"catalog": CATALOG, "user": frozenset({"user", "seats"})}


def _day() -> forms.DateInput:
    return forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d")


class AuditSearch(forms.Form):
    """Which events; nonsense is said beside its field, and leaves the list as it would be without it."""

    search = forms.CharField(
        required=False,
        max_length=100,
        label="Search",
        widget=forms.TextInput(attrs={"type": "search", "placeholder": "Who, what, code or reason"}),
    )
    type = forms.ChoiceField(required=False, label="Object")
    action = forms.ChoiceField(required=False, label="What")
    who = forms.CharField(required=False, max_length=254, label="Who")
    customer = forms.CharField(required=False, max_length=64, label="Customer")
    since = forms.DateField(required=False, label="From", widget=_day())
    until = forms.DateField(required=False, label="Until", widget=_day())
    object = forms.CharField(required=False, max_length=200, widget=forms.HiddenInput)

    def __init__(self, data: Any, access: Access) -> None:
        super().__init__({name: str(value).replace("\0", "") for name, value in data.items()}, label_suffix="")
        types = [type_ for type_ in kinds_recorded("object_type") if may_meet(access, type_)]
        groups = [("catalog", "The whole catalog")] if CATALOG & set(types) else []
        named = sorted((kind_in_words(type_), type_) for type_ in types)
        self.fields["type"] = _choice("Object", "Any", [*groups, *((type_, name) for name, type_ in named)])
        actions = [action for action in kinds_recorded("action") if may_meet_action(access, action)]
        self.fields["action"] = _choice("What", "Anything", [(action, in_words(action)) for action in actions])
        self.is_valid()

    @property
    def asked(self) -> dict[str, Any]:
        return {name: value for name, value in self.cleaned_data.items() if value}

    def narrow(self, events: AuditEventQuerySet) -> AuditEventQuerySet:
        """Returns the events that are asked for."""
        for name, value in self.asked.items():
            events = _NARROWED[name](events, value)
        return events


_NARROWED: Final[Mapping[str, Callable[[AuditEventQuerySet, Any], AuditEventQuerySet]]] = {
    "search": lambda events, text: events.search(text),
    "type": lambda events, kind: events.filter(object_type__in=sorted(_TOGETHER.get(kind, {kind}))),
    "action": lambda events, action: events.filter(action=action),
    "who": lambda events, who: events.by(who),
    "customer": lambda events, code: events.filter(customer__code__iexact=code),
    "since": lambda events, day: events.filter(at__gte=_midnight(day)),
    "until": lambda events, day: events.filter(at__lte=datetime.combine(day, time.max, tzinfo=UTC)),
    "object": lambda events, code: events.filter(object_code=code),
}


def _choice(label: str, any_: str, choices: Sequence[tuple[str, str]]) -> forms.ChoiceField:
    return forms.ChoiceField(required=False, label=label, choices=[("", any_), *choices])


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time.min, tzinfo=UTC)


def kind_in_words(object_type: str) -> str:
    return _NAMES.get(object_type, in_words(object_type))


# ── Columns ─────────────────────────────────────────────────────────────────
def changes_in_words(event: Any) -> str:
    """Returns what was changed as a line: `Name: was → is; …`."""
    return "; ".join(f"{name}: {was} → {now}" if was else f"{name}: {now}" for name, was, now in event.told)


def _changes(event: Any) -> SafeString | str:
    if not event.told:
        return "–"
    told = [(name, _short(was), _short(now)) for name, was, now in event.told]
    shown = {"shown": told[:CHANGES_SHOWN], "more": told[CHANGES_SHOWN:]}
    return render_to_string("licensing/portal/audit_changes.html", shown)


def _short(text: str) -> str:
    """Returns a digest by its beginning, and anything else as it is."""
    return f"{text[:12]}…" if _DIGEST.fullmatch(text) else text


def _when(event: Any) -> SafeString:
    return render_to_string("licensing/portal/audit_when.html", {"at": event.at})


def _object(event: Any) -> SafeString:
    kind, code = kind_in_words(event.object_type), event.object_code
    named = format_html('<a href="{}">{}</a>', event.address, code) if event.address else code
    return format_html('<span>{} <span class="small quiet">{}</span></span>', named, kind)


def _account(event: Any) -> str:
    if event.account is not None:
        return str(event.account.email)
    return f"API client {event.client.name}" if event.client is not None else "system"


def columns(*, is_few: bool) -> list[Column]:
    """Returns the columns; few events can be sorted by any of them, many by time alone."""

    def order(*fields: str) -> tuple[Any, ...]:
        return tuple(map(NeverNull, fields)) if is_few else ()

    # Few are found first and then sorted. An order that an index has would tempt PostgreSQL to go through all events
    # in that order, looking for the one that a search has left.
    newest = Coalesce("at", "at") if is_few else NeverNull("at")
    return [
        Column("when", "When", attrgetter("at"), show=_when, order=(newest,), is_fixed=True),
        Column("who", "Who", attrgetter("actor"), order=order("actor", "at")),
        Column("account", "Account", _account, is_shown=False),
        Column("what", "What", attrgetter("what"), order=order("action", "at")),
        Column("kind", "Kind", lambda event: kind_in_words(event.object_type), is_shown=False),
        Column("object", "Object", attrgetter("object_code"), show=_object, order=order("object_code", "at")),
        Column(
            "customer",
            "Customer",
            lambda event: event.customer.name if event.customer else "",
            show=lambda event: customer_link(event.customer) if event.customer else "",
            order=("customer__name", NeverNull("at")) if is_few else (),
        ),
        Column("changes", "Was → is", changes_in_words, show=_changes),
        Column("why", "Why", attrgetter("reason")),
    ]


# ── The page ────────────────────────────────────────────────────────────────
@method_decorator(never_cache, name="dispatch")
class AuditPage(ReplicaServes, LoginRequiredMixin, View):
    def get(self, request: HttpRequest) -> HttpResponseBase:
        access = access_of(request)
        events = readable_events(access)
        search = AuditSearch(request.GET, access)
        rows = search.narrow(events).select_related("account", "client", "customer")
        count = rows.order_by()[: MOST_COUNTED + 1].count()
        table = Table(
            request,
            "audit",
            rows,
            columns(is_few=count <= MOST_COUNTED),
            sort="-when",
            prepare=tell if request.GET.get("format") == "csv" else _with_addresses(request),
            count=min(count, MOST_COUNTED),
        )
        if table.wants_csv:
            return table.csv()
        context = {
            "table": table,
            "search": search,
            "has_more": count > MOST_COUNTED,
            "most": MOST_COUNTED,
            "about": search.asked.get("object", ""),
            "kind": kind_in_words(search.asked.get("type", "")),
        }
        return table.remember(render(request, "licensing/portal/audit.html", context))


def _with_addresses(request: HttpRequest) -> Callable[[Sequence[AuditEvent]], Sequence[AuditEvent]]:
    def prepare(events: Sequence[Any]) -> Sequence[AuditEvent]:
        address = addresses_of(events, request)
        told = tell(events)
        for event in told:
            event.address = address(event)
        return told

    return prepare
