"""The columns of webhooks, and of what became of each event."""

from __future__ import annotations

from typing import Any, Final

from django.db.models.functions import Lower
from django.urls import reverse
from django.utils.formats import date_format
from django.utils.html import format_html
from django.utils.safestring import SafeString

from customers.models import WebhookDelivery, WebhookEndpoint
from customers.tables import Column
from licensing.portal.listening import Listening

WRITES: Final = "webhooks:write"
_STATES: Final = {"waiting": "", "delivered": " badge-good badge-dot", "given_up": " badge-bad badge-dot"}


def columns(found: Listening) -> list[Column]:
    def address(row: Any) -> SafeString:
        link = found.address("webhook", row.pk)
        said = format_html('<br><span class="small quiet">{}</span>', row.description) if row.description else ""
        return format_html('<a class="address" href="{}">{}</a>{}', link, row.url, said)

    return [
        Column("url", "Address", lambda row: row.url, address, order=(Lower("url"),), is_fixed=True),
        Column("types", "Told of", lambda row: ", ".join(row.types) or "everything"),
        Column("waiting", "Waiting", lambda row: row.waiting, order=("waiting",), is_number=True),
        Column("last", "Last delivered", lambda row: row.last, lambda row: _date(row.last), order=("last",)),
        Column("state", "State", _said, _state, order=("is_active",)),
    ]


def _said(row: WebhookEndpoint) -> str:
    if not row.is_active:
        return "off"
    return "failing" if row.failing_since else "on"


def _state(row: WebhookEndpoint) -> SafeString:
    level = {"on": " badge-good badge-dot", "failing": " badge-warn badge-dot", "off": ""}[_said(row)]
    return format_html('<span class="badge{}">{}</span>', level, _said(row).capitalize())


def delivery_columns(found: Listening, endpoint: WebhookEndpoint) -> list[Column]:
    def badge(row: WebhookDelivery) -> SafeString:
        return format_html('<span class="badge{}">{}</span>', _STATES[row.state], row.state.replace("_", " "))

    def answer(row: WebhookDelivery) -> str | SafeString:
        if row.status is None and not row.answer:
            return ""
        told = f"{row.status or ''} {row.answer}".strip()
        return format_html('<span class="answer small">{}</span>', told[:200])

    def again(row: WebhookDelivery) -> SafeString:
        link = found.address("webhook_again", endpoint.pk, row.pk)
        return format_html('<a href="{}">Again…<span class="visually-hidden"> {}</span></a>', link, row.event_id)

    def event(row: WebhookDelivery) -> SafeString:
        return format_html(
            '<a href="{}">{}</a>', found.address("webhook_delivery", endpoint.pk, row.pk), row.event.type
        )

    def customer(row: WebhookDelivery) -> str | SafeString:
        if row.customer is None:
            return ""
        link = reverse("portal:customer", args=[row.customer.code])
        return format_html('<a href="{}">{}</a>', link, row.customer.name)

    def code(row: WebhookDelivery) -> str:
        return row.customer.code if row.customer is not None else ""

    of = (
        []
        if found.customer is not None
        else [Column("customer", "Customer", code, customer, order=("customer__code",))]
    )
    columns = [
        Column("event", "Event", lambda row: row.event.type, event, order=("event__type",), is_fixed=True),
        *of,
        Column("at", "Written", lambda row: row.created_at, lambda row: _date(row.created_at), order=("created_at",)),
        Column("revision", "Revision", lambda row: row.event.revision, order=("event__revision",), is_number=True),
        Column("state", "State", lambda row: row.state, badge),
        Column("attempts", "Attempts", lambda row: row.attempts, order=("attempts",), is_number=True),
        Column("answer", "Answered", lambda row: f"{row.status or ''} {row.answer}".strip(), answer),
        Column("took", "ms", lambda row: row.took_ms, order=("took_ms",), is_number=True, is_shown=False),
        Column("next", "Next try", lambda row: row.next_attempt_at, _next, order=("next_attempt_at",)),
    ]
    return [*columns, Column("again", "Send", lambda row: "", again)] if found.may(WRITES) else columns


def _next(row: WebhookDelivery) -> str:
    return _date(row.next_attempt_at) if row.state == "waiting" else ""


def _date(instant: Any) -> str:
    return date_format(instant, "j M Y, H:i") if instant else ""
