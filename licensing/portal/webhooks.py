"""The addresses that events of a customer, or of all, are posted to: made, tested, switched; what became of each."""

from __future__ import annotations

import json
from typing import Any, Final, cast

from django import forms
from django.contrib import messages
from django.contrib.auth.mixins import LoginRequiredMixin
from django.core.exceptions import ValidationError
from django.db.models import Count, Max, Q
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.decorators import method_decorator
from django.views import View
from django.views.decorators.cache import never_cache

from customers.access import get_customer
from customers.delivering import limits, message_id
from customers.errors import NotFound, Refusal
from customers.events import OF_ALL_ALONE, TYPES
from customers.models import Customer, WebhookDelivery, WebhookEndpoint
from customers.services import webhooks
from customers.tables import Table
from licensing.portal.asking import Filters
from licensing.portal.clients import IntegrationForm
from licensing.portal.listening import Listening, listening
from licensing.portal.webhook_tables import WRITES, columns, delivery_columns
from licensing.services.replaying import replay, would_tell

READS: Final = "webhooks:read"
_SHOWN: Final = 20_000  # characters of a body; that of a thousand users is longer


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
        widget=forms.CheckboxSelectMultiple,
    )

    def __init__(self, found: Listening, data: Any = None, **options: Any) -> None:
        super().__init__(data, label_suffix="", **options)
        never = {"endpoint.test"} if found.customer is None else {"endpoint.test", OF_ALL_ALONE}
        choices = [each for each in TYPES.items() if each[0] not in never]
        cast(forms.MultipleChoiceField, self.fields["types"]).choices = choices


class ReplayForm(forms.Form):
    """From which revision on, and, at an address for all customers, of whom."""

    customer = forms.CharField(max_length=64, label="Customer", help_text="Its code.")
    after = forms.IntegerField(
        min_value=0,
        max_value=2**63 - 1,
        label="After revision",
        help_text="The last revision that your app knows; 0 tells of everybody.",
    )

    def __init__(self, found: Listening, data: Any = None) -> None:
        super().__init__(data, label_suffix="")
        self._found = found
        if found.customer is not None:
            del self.fields["customer"]

    def clean_customer(self) -> Customer:
        """Returns the customer with this code."""
        try:
            return get_customer(self._found.access, self.cleaned_data["customer"], WRITES)
        except Refusal as refusal:
            raise ValidationError(refusal.message) from refusal

    @property
    def whose(self) -> Customer:
        """The customer, once the form is valid."""
        whose: Customer = self._found.customer or self.cleaned_data["customer"]
        return whose


# ── Lists ───────────────────────────────────────────────────────────────────
@method_decorator(never_cache, name="dispatch")
class Webhooks(LoginRequiredMixin, View):
    def get(self, request: HttpRequest, customer: str = "") -> HttpResponseBase:
        found, filters = listening(request, customer, READS), WebhookFilters(request.GET)
        waiting = Q(deliveries__delivered_at=None, deliveries__given_up_at=None, deliveries__isnull=False)
        rows = WebhookEndpoint.objects.filter(customer=found.customer).annotate(
            waiting=Count("deliveries", filter=waiting), last=Max("deliveries__delivered_at")
        )
        asked = filters.asked
        if "search" in asked:
            rows = rows.filter(Q(url__icontains=asked["search"]) | Q(description__icontains=asked["search"]))
        rows = rows.filter(is_active=asked["state"] == "on") if "state" in asked else rows
        table = Table(request, "webhooks", rows, columns(found), sort="url")
        if table.wants_csv:
            return table.csv()
        here = "Webhooks" if found.customer is None else "Integrations"
        frame: dict[str, Any] = {"table": table, "search": filters, "what": "webhooks", "may_edit": found.may(WRITES)}
        return table.remember(_page(request, found, "webhooks", here, crumbs=found.crumbs, **frame))


# ── One ─────────────────────────────────────────────────────────────────────
@method_decorator(never_cache, name="dispatch")
class NewWebhook(LoginRequiredMixin, View):
    def get(self, request: HttpRequest, customer: str = "") -> HttpResponse:
        found = listening(request, customer, WRITES)
        return _page(request, found, "webhook_new", "New webhook", form=WebhookForm(found))

    def post(self, request: HttpRequest, customer: str = "") -> HttpResponse:
        found = listening(request, customer, WRITES)
        form = WebhookForm(found, request.POST)
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
        return _page(request, found, "webhook_new", "New webhook", status=400, form=form)


@method_decorator(never_cache, name="dispatch")
class WebhookPage(LoginRequiredMixin, View):
    """An address, whether it answers, and what became of each event."""

    def get(self, request: HttpRequest, webhook: int, customer: str = "") -> HttpResponseBase:
        found, filters = listening(request, customer, READS), DeliveryFilters(request.GET)
        row, asked = _endpoint(found, webhook), filters.asked
        rows = WebhookDelivery.objects.filter(endpoint=row).select_related("event", "customer").defer("event__body")
        if "search" in asked:
            of_one = Q(event__type__icontains=asked["search"])
            rows = rows.filter(of_one | Q(customer__code__iexact=asked["search"]) if found.customer is None else of_one)
        rows = rows.by_state(asked["state"]) if "state" in asked else rows
        table = Table(request, "deliveries", rows, delivery_columns(found, row), sort="-at")
        if table.wants_csv:
            return table.csv()
        frame: dict[str, Any] = {
            "table": table,
            "search": filters,
            "secrets": row.secrets.count(),
            "may_edit": found.may(WRITES),
        }
        return table.remember(_page(request, found, "webhook", row.url, row, **frame))

    def post(self, request: HttpRequest, webhook: int, customer: str = "") -> HttpResponse:
        """Tests it, switches it, or retires the older of two secrets."""
        found = listening(request, customer, WRITES)
        row = _endpoint(found, webhook)
        actor, now = found.access.actor, timezone.now()
        if "test" in request.POST:
            try:
                webhooks.send_test(actor=actor, endpoint=row, at=now)
            except Refusal as refusal:
                messages.error(request, f"{refusal.message} {refusal.next_action}")
            else:
                messages.success(request, "A test is on its way. What came of it stands below as soon as it is sent.")
        elif "retire" in request.POST:
            webhooks.retire_secret(actor=actor, endpoint=row, at=now)
            messages.success(request, "The older secret is retired: it signs nothing any more.")
        elif "switch" in request.POST:
            is_active = request.POST["switch"] == "on"
            webhooks.switch_webhook(actor=actor, endpoint=row, is_active=is_active, at=now)
            told = "It is on, and gets what was still open." if is_active else "It is off: nothing is posted to it."
            messages.success(request, told)
        return redirect(found.address("webhook", row.pk))


@method_decorator(never_cache, name="dispatch")
class EditWebhook(LoginRequiredMixin, View):
    def get(self, request: HttpRequest, webhook: int, customer: str = "") -> HttpResponse:
        found = listening(request, customer, WRITES)
        row = _endpoint(found, webhook)
        now = {"url": row.url, "description": row.description, "types": row.types}
        return self._asking(request, found, row, WebhookForm(found, initial=now))

    def post(self, request: HttpRequest, webhook: int, customer: str = "") -> HttpResponse:
        found = listening(request, customer, WRITES)
        form = WebhookForm(found, request.POST)
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
                return redirect(found.address("webhook", row.pk))
        return self._asking(request, found, row, form, status=400)

    def _asking(
        self, request: HttpRequest, found: Listening, row: WebhookEndpoint, form: WebhookForm, status: int = 200
    ) -> HttpResponse:
        return _page(request, found, "webhook_edit", "Change", row, status=status, form=form)


@method_decorator(never_cache, name="dispatch")
class RotateSecret(LoginRequiredMixin, View):
    """Asks first; a POST adds a second secret, shown once."""

    def get(self, request: HttpRequest, webhook: int, customer: str = "") -> HttpResponse:
        found = listening(request, customer, WRITES)
        return _page(request, found, "rotate", "New secret", _endpoint(found, webhook))

    def post(self, request: HttpRequest, webhook: int, customer: str = "") -> HttpResponse:
        found = listening(request, customer, WRITES)
        row = _endpoint(found, webhook)
        try:
            secret = webhooks.issue_secret(actor=found.access.actor, endpoint=row, at=timezone.now())
        except Refusal as refusal:
            messages.error(request, f"{refusal.message} {refusal.next_action}")
            return redirect(found.address("webhook", row.pk))
        return _shown_once(request, found, row, secret)


@method_decorator(never_cache, name="dispatch")
class ReplayPage(LoginRequiredMixin, View):
    """Says how many users of one customer a replay tells of; a POST that confirms sends it."""

    def get(self, request: HttpRequest, webhook: int, customer: str = "") -> HttpResponse:
        found = listening(request, customer, WRITES)
        form = ReplayForm(found, request.GET if "after" in request.GET else None)
        frame: dict[str, Any] = {"form": form}
        if form.is_valid():
            after = form.cleaned_data["after"]
            try:
                frame |= {"after": after, "of": form.whose, "told": would_tell(customer=form.whose, after=after)}
            except Refusal as refusal:
                form.add_error("after", f"{refusal.message} {refusal.next_action}")
        return _page(request, found, "replay", "Replay", _endpoint(found, webhook), **frame)

    def post(self, request: HttpRequest, webhook: int, customer: str = "") -> HttpResponse:
        found, status = listening(request, customer, WRITES), 400
        row, form = _endpoint(found, webhook), ReplayForm(found, request.POST)
        if form.is_valid():
            after = form.cleaned_data["after"]
            try:
                replay(actor=found.access.actor, endpoint=row, customer=form.whose, after=after)
            except Refusal as refusal:
                form.add_error("after", f"{refusal.message} {refusal.next_action}")
                status = refusal.status
            else:
                messages.success(request, "The present state is on its way to this address.")
                return redirect(found.address("webhook", row.pk))
        return _page(request, found, "replay", "Replay", row, status=status, form=form)


@method_decorator(never_cache, name="dispatch")
class DeliveryPage(LoginRequiredMixin, View):
    """One event on its way to one address: what is posted, and what was answered each time."""

    def get(self, request: HttpRequest, webhook: int, delivery: int, customer: str = "") -> HttpResponse:
        found = listening(request, customer, READS)
        row = _endpoint(found, webhook)
        sent = webhooks.delivery_of(row, delivery)
        body = json.dumps(json.loads(sent.event.body), indent=2, ensure_ascii=False)
        frame: dict[str, Any] = {
            "delivery": sent,
            "message": message_id(sent.event),
            "body": body[:_SHOWN],
            "left_out": max(0, len(body) - _SHOWN),
            "tries": webhooks.tries_of(sent),
            "may_edit": found.may(WRITES),
            "again": found.address("webhook_again", row.pk, sent.pk),
        }
        return _page(request, found, "delivery", sent.event.type, row, **frame)


@method_decorator(never_cache, name="dispatch")
class SendAgain(LoginRequiredMixin, View):
    """Shows what is sent again; a POST sends it."""

    def get(self, request: HttpRequest, webhook: int, delivery: int, customer: str = "") -> HttpResponse:
        found = listening(request, customer, WRITES)
        row = _endpoint(found, webhook)
        return _page(request, found, "again", "Send again", row, delivery=webhooks.delivery_of(row, delivery))

    def post(self, request: HttpRequest, webhook: int, delivery: int, customer: str = "") -> HttpResponse:
        found = listening(request, customer, WRITES)
        row = _endpoint(found, webhook)
        sent = webhooks.delivery_of(row, delivery)
        try:
            webhooks.send_again(actor=found.access.actor, delivery=sent, at=timezone.now())
        except Refusal as refusal:
            messages.error(request, f"{refusal.message} {refusal.next_action}")
        else:
            messages.success(request, "It is on its way again, under the same webhook-id.")
        return redirect(found.address("webhook", row.pk))


@method_decorator(never_cache, name="dispatch")
class DeleteWebhook(LoginRequiredMixin, View):
    """Asks first; a POST deletes."""

    def get(self, request: HttpRequest, webhook: int, customer: str = "") -> HttpResponse:
        found = listening(request, customer, WRITES)
        return _page(request, found, "webhook_delete", "Delete", _endpoint(found, webhook))

    def post(self, request: HttpRequest, webhook: int, customer: str = "") -> HttpResponse:
        found = listening(request, customer, WRITES)
        row = _endpoint(found, webhook)
        webhooks.delete_webhook(actor=found.access.actor, endpoint=row, at=timezone.now())
        messages.success(request, f"{row.url} is told nothing any more.")
        return redirect(found.address("webhooks"))


# ── What they share ─────────────────────────────────────────────────────────
def _endpoint(found: Listening, webhook: int) -> WebhookEndpoint:
    row: WebhookEndpoint | None = WebhookEndpoint.objects.filter(customer=found.customer, pk=webhook).first()
    if row is None:
        raise NotFound("webhook", str(webhook))
    return row


def _page(
    request: HttpRequest,
    found: Listening,
    name: str,
    here: str,
    row: WebhookEndpoint | None = None,
    *,
    status: int = 200,
    **context: Any,
) -> HttpResponse:
    """Returns a page about webhooks, or about the one that `row` is."""
    crumbs = [*found.crumbs, ("Webhooks", found.address("webhooks"))]
    if row is not None and here != row.url:
        crumbs.append((row.url, found.address("webhook", row.pk)))
    frame: dict[str, Any] = {
        "customer": found.customer,
        "whose": found.whose,
        "links": found.links(row),
        "webhook": row,
    }
    frame |= {"crumbs": crumbs, "here": here, **context}
    return render(request, f"licensing/portal/integrations/{name}.html", frame, status=status)


def _shown_once(request: HttpRequest, found: Listening, row: WebhookEndpoint, secret: str) -> HttpResponse:
    """Shows the secret on the page itself: a message would wait in a cookie."""
    title = "A new secret"
    shown: dict[str, Any] = {"of": row.url, "secret": secret, "back": found.address("webhook", row.pk), "title": title}
    return _page(request, found, "secret", title, row, **shown)
