"""The addresses that a customer's events are posted to: made, tested, rotated, switched, and what became of each."""

from __future__ import annotations

from typing import Any, Final

from django import forms
from django.contrib import messages
from django.contrib.auth.mixins import LoginRequiredMixin
from django.core.exceptions import ValidationError
from django.db.models import Count, Max, Q
from django.db.models.functions import Lower
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone
from django.utils.decorators import method_decorator
from django.utils.formats import date_format
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.views import View
from django.views.decorators.cache import never_cache

from customers.delivering import limits
from customers.errors import NotFound, Refusal
from customers.events import TYPES
from customers.models import WebhookDelivery, WebhookEndpoint
from customers.services import webhooks
from customers.tables import Column, Table
from licensing.portal.asking import Filters
from licensing.portal.clients import IntegrationForm, listed, page
from licensing.portal.gate import Visit, visit
from licensing.services.telling import reached_by, replay

READS: Final = "webhooks:read"
WRITES: Final = "webhooks:write"
_STATES: Final = {"waiting": "", "delivered": " badge-good badge-dot", "given_up": " badge-bad badge-dot"}
_OF_ONE_CUSTOMER: Final = [(name, words) for name, words in TYPES.items() if name != "catalog.version.published"]


class WebhookFilters(Filters):
    state = forms.ChoiceField(required=False, label="State", choices=[("", "Any"), ("on", "On"), ("off", "Off")])


class DeliveryFilters(Filters):
    state = forms.ChoiceField(
        required=False,
        label="State",
        choices=[("", "Any"), ("waiting", "Waiting"), ("delivered", "Delivered"), ("given_up", "Given up")],
    )


class WebhookForm(IntegrationForm):
    url = forms.CharField(
        max_length=500,
        label="Address",
        help_text="With https. Private networks are refused.",
        widget=forms.URLInput({"autocomplete": "off", "spellcheck": "false", "placeholder": "https://"}),
    )
    description = forms.CharField(max_length=200, required=False, label="What it is for")
    types = forms.MultipleChoiceField(
        required=False,
        label="It is told when (none ticked: of all)",
        choices=[each for each in _OF_ONE_CUSTOMER if each[0] != "endpoint.test"],
        widget=forms.CheckboxSelectMultiple,
    )

    def __init__(self, data: Any = None, **options: Any) -> None:
        super().__init__(data, label_suffix="", **options)


class ReplayForm(forms.Form):
    after = forms.IntegerField(min_value=0, max_value=2**63 - 1, label="After revision")


# ── Lists ───────────────────────────────────────────────────────────────────
@method_decorator(never_cache, name="dispatch")
class Webhooks(LoginRequiredMixin, View):
    def get(self, request: HttpRequest, customer: str) -> HttpResponseBase:
        found, filters = visit(request, customer, READS), WebhookFilters(request.GET)
        waiting = Q(deliveries__delivered_at=None, deliveries__given_up_at=None, deliveries__isnull=False)
        rows = WebhookEndpoint.objects.filter(customer=found.customer).annotate(
            waiting=Count("deliveries", filter=waiting), last=Max("deliveries__delivered_at")
        )
        asked = filters.asked
        if "search" in asked:
            rows = rows.filter(Q(url__icontains=asked["search"]) | Q(description__icontains=asked["search"]))
        rows = rows.filter(is_active=asked["state"] == "on") if "state" in asked else rows
        table = Table(request, "webhooks", rows, _columns(found), sort="url")
        return listed(request, found, table, filters, "webhooks", may_edit=found.may(WRITES))


def _columns(found: Visit) -> list[Column]:
    def address(row: Any) -> SafeString:
        link = reverse("portal:webhook", args=[found.customer.code, row.pk])
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


def _delivery_columns(found: Visit, endpoint: WebhookEndpoint) -> list[Column]:
    def badge(row: WebhookDelivery) -> SafeString:
        return format_html('<span class="badge{}">{}</span>', _STATES[row.state], row.state.replace("_", " "))

    def answer(row: WebhookDelivery) -> str | SafeString:
        if row.status is None and not row.answer:
            return ""
        told = f"{row.status or ''} {row.answer}".strip()
        return format_html('<span class="answer small">{}</span>', told[:200])

    def again(row: WebhookDelivery) -> SafeString:
        link = reverse("portal:webhook_again", args=[found.customer.code, endpoint.pk, row.pk])
        return format_html('<a href="{}">Again…<span class="visually-hidden"> {}</span></a>', link, row.event_id)

    columns = [
        Column("event", "Event", lambda row: row.event.type, order=("event__type",), is_fixed=True),
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


# ── One ─────────────────────────────────────────────────────────────────────
@method_decorator(never_cache, name="dispatch")
class NewWebhook(LoginRequiredMixin, View):
    def get(self, request: HttpRequest, customer: str) -> HttpResponse:
        found = visit(request, customer, WRITES)
        return page(request, found, "webhook_new", form=WebhookForm(), here="New webhook")

    def post(self, request: HttpRequest, customer: str) -> HttpResponse:
        found, form = visit(request, customer, WRITES), WebhookForm(request.POST)
        if form.is_valid():
            try:
                made, secret = webhooks.create_webhook(
                    actor=found.access.actor,
                    customer=found.customer,
                    allowed=limits(),
                    at=timezone.now(),
                    **form.cleaned_data,
                )
            except (ValidationError, Refusal) as fault:
                form.refuse(fault)
            else:
                return _shown_once(request, found, made, secret)
        return page(request, found, "webhook_new", status=400, form=form, here="New webhook")


@method_decorator(never_cache, name="dispatch")
class WebhookPage(LoginRequiredMixin, View):
    """An address, whether it answers, and what became of each event."""

    def get(self, request: HttpRequest, customer: str, webhook: int) -> HttpResponseBase:
        found, filters = visit(request, customer, READS), DeliveryFilters(request.GET)
        row, asked = _endpoint(found, webhook), filters.asked
        rows = WebhookDelivery.objects.filter(endpoint=row).select_related("event").defer("event__body")
        rows = rows.filter(event__type__icontains=asked["search"]) if "search" in asked else rows
        rows = rows.by_state(asked["state"]) if "state" in asked else rows
        table = Table(request, "deliveries", rows, _delivery_columns(found, row), sort="-at")
        frame = {"webhook": row, "secrets": row.secrets.count(), "here": row.url, "may_edit": found.may(WRITES)}
        return listed(request, found, table, filters, "deliveries", name="webhook", **_crumbs(found), **frame)

    def post(self, request: HttpRequest, customer: str, webhook: int) -> HttpResponse:
        """Tests it, switches it, or retires the older of two secrets."""
        found = visit(request, customer, WRITES)
        row = _endpoint(found, webhook)
        actor, now = found.access.actor, timezone.now()
        if "test" in request.POST:
            webhooks.send_test(actor=actor, endpoint=row, at=now)
            messages.success(request, "A test is on its way. What came of it stands below as soon as it is sent.")
        elif "retire" in request.POST:
            webhooks.retire_secret(actor=actor, endpoint=row, at=now)
            messages.success(request, "The older secret is retired: it signs nothing any more.")
        elif "switch" in request.POST:
            is_active = request.POST["switch"] == "on"
            webhooks.switch_webhook(actor=actor, endpoint=row, is_active=is_active, at=now)
            told = "It is on, and gets what was still open." if is_active else "It is off: nothing is posted to it."
            messages.success(request, told)
        return redirect("portal:webhook", customer=found.customer.code, webhook=row.pk)


@method_decorator(never_cache, name="dispatch")
class EditWebhook(LoginRequiredMixin, View):
    def get(self, request: HttpRequest, customer: str, webhook: int) -> HttpResponse:
        found = visit(request, customer, WRITES)
        row = _endpoint(found, webhook)
        now = {"url": row.url, "description": row.description, "types": row.types}
        return self._asking(request, found, row, WebhookForm(initial=now))

    def post(self, request: HttpRequest, customer: str, webhook: int) -> HttpResponse:
        found, form = visit(request, customer, WRITES), WebhookForm(request.POST)
        row, actor = _endpoint(found, webhook), found.access.actor
        if form.is_valid():
            try:
                webhooks.edit_webhook(
                    actor=actor, endpoint=row, allowed=limits(), at=timezone.now(), **form.cleaned_data
                )
            except (ValidationError, Refusal) as fault:
                form.refuse(fault)
            else:
                messages.success(request, "It is saved.")
                return redirect("portal:webhook", customer=found.customer.code, webhook=row.pk)
        return self._asking(request, found, row, form, status=400)

    def _asking(
        self, request: HttpRequest, found: Visit, row: WebhookEndpoint, form: WebhookForm, status: int = 200
    ) -> HttpResponse:
        frame = {"webhook": row, "form": form, "here": "Change", **_crumbs(found, row)}
        return page(request, found, "webhook_edit", status=status, **frame)


@method_decorator(never_cache, name="dispatch")
class RotateSecret(LoginRequiredMixin, View):
    """Asks first; a POST adds a second secret, shown once."""

    def get(self, request: HttpRequest, customer: str, webhook: int) -> HttpResponse:
        found = visit(request, customer, WRITES)
        return _asked(request, found, _endpoint(found, webhook), "rotate", "New secret")

    def post(self, request: HttpRequest, customer: str, webhook: int) -> HttpResponse:
        found = visit(request, customer, WRITES)
        row = _endpoint(found, webhook)
        try:
            secret = webhooks.issue_secret(actor=found.access.actor, endpoint=row, at=timezone.now())
        except Refusal as refusal:
            messages.error(request, f"{refusal.message} {refusal.next_action}")
            return redirect("portal:webhook", customer=found.customer.code, webhook=row.pk)
        return _shown_once(request, found, row, secret)


@method_decorator(never_cache, name="dispatch")
class ReplayPage(LoginRequiredMixin, View):
    """Says how many users a replay tells of; a POST that confirms sends it."""

    def get(self, request: HttpRequest, customer: str, webhook: int) -> HttpResponse:
        found = visit(request, customer, WRITES)
        row = _endpoint(found, webhook)
        form = ReplayForm(request.GET if "after" in request.GET else None, label_suffix="")
        frame: dict[str, Any] = {"form": form}
        if form.is_bound and form.is_valid():
            frame |= {
                "after": form.cleaned_data["after"],
                "told": reached_by(found.customer, form.cleaned_data["after"]),
            }
        return page(request, found, "replay", webhook=row, here="Replay", **_crumbs(found, row), **frame)

    def post(self, request: HttpRequest, customer: str, webhook: int) -> HttpResponse:
        found, form = visit(request, customer, WRITES), ReplayForm(request.POST, label_suffix="")
        row, status = _endpoint(found, webhook), 400
        if form.is_valid():
            try:
                replay(
                    actor=found.access.actor,
                    endpoint=row,
                    customer=found.customer,
                    after=form.cleaned_data["after"],
                )
            except Refusal as refusal:
                form.add_error("after", f"{refusal.message} {refusal.next_action}")
                status = refusal.status
            else:
                messages.success(request, "The present state is on its way to this address.")
                return redirect("portal:webhook", customer=found.customer.code, webhook=row.pk)
        return page(
            request, found, "replay", status=status, webhook=row, form=form, here="Replay", **_crumbs(found, row)
        )


@method_decorator(never_cache, name="dispatch")
class SendAgain(LoginRequiredMixin, View):
    """Shows what is sent again; a POST sends it."""

    def get(self, request: HttpRequest, customer: str, webhook: int, delivery: int) -> HttpResponse:
        found = visit(request, customer, WRITES)
        row = _endpoint(found, webhook)
        return _asked(request, found, row, "again", "Send again", delivery=_delivery(row, delivery))

    def post(self, request: HttpRequest, customer: str, webhook: int, delivery: int) -> HttpResponse:
        found = visit(request, customer, WRITES)
        row = _endpoint(found, webhook)
        webhooks.send_again(actor=found.access.actor, delivery=_delivery(row, delivery), at=timezone.now())
        messages.success(request, "It is on its way again, under the same webhook-id.")
        return redirect("portal:webhook", customer=found.customer.code, webhook=row.pk)


@method_decorator(never_cache, name="dispatch")
class DeleteWebhook(LoginRequiredMixin, View):
    """Asks first; a POST deletes."""

    def get(self, request: HttpRequest, customer: str, webhook: int) -> HttpResponse:
        found = visit(request, customer, WRITES)
        return _asked(request, found, _endpoint(found, webhook), "webhook_delete", "Delete")

    def post(self, request: HttpRequest, customer: str, webhook: int) -> HttpResponse:
        found = visit(request, customer, WRITES)
        row = _endpoint(found, webhook)
        webhooks.delete_webhook(actor=found.access.actor, endpoint=row, at=timezone.now())
        messages.success(request, f"{row.url} is told nothing any more.")
        return redirect("portal:webhooks", customer=found.customer.code)


# ── What they share ─────────────────────────────────────────────────────────
def _endpoint(found: Visit, webhook: int) -> WebhookEndpoint:
    row: WebhookEndpoint | None = WebhookEndpoint.objects.filter(customer=found.customer, pk=webhook).first()
    if row is None:
        raise NotFound("webhook", str(webhook))
    return row


def _delivery(endpoint: WebhookEndpoint, number: int) -> WebhookDelivery:
    rows = WebhookDelivery.objects.filter(endpoint=endpoint).select_related("event", "endpoint")
    row: WebhookDelivery | None = rows.filter(pk=number).first()
    if row is None:
        raise NotFound("delivery", str(number))
    return row


def _crumbs(found: Visit, row: WebhookEndpoint | None = None) -> dict[str, Any]:
    code = found.customer.code
    crumbs = [*found.crumbs, ("Webhooks", reverse("portal:webhooks", args=[code]))]
    one = [] if row is None else [(row.url, reverse("portal:webhook", args=[code, row.pk]))]
    return {"crumbs": [*crumbs, *one]}


def _asked(
    request: HttpRequest, found: Visit, row: WebhookEndpoint, name: str, here: str, **context: Any
) -> HttpResponse:
    return page(request, found, name, webhook=row, here=here, **_crumbs(found, row), **context)


def _shown_once(request: HttpRequest, found: Visit, row: WebhookEndpoint, secret: str) -> HttpResponse:
    """Shows the secret on the page itself: a message would wait in a cookie."""
    back = reverse("portal:webhook", args=[found.customer.code, row.pk])
    frame: dict[str, Any] = {
        "of": row.url,
        "secret": secret,
        "back": back,
        "title": "A new secret",
        "here": "A new secret",
    }
    return page(request, found, "secret", **_crumbs(found), **frame)
