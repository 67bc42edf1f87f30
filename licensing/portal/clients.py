"""The API clients of a customer: made, changed, their keys issued, rotated and revoked. A key is shown once."""

from __future__ import annotations

from datetime import UTC, datetime, time
from typing import Any, Final, cast

from django import forms
from django.contrib import messages
from django.contrib.auth.mixins import LoginRequiredMixin
from django.core.exceptions import ValidationError
from django.db.models import Count, Max, Q
from django.db.models.functions import Lower
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.decorators import method_decorator
from django.utils.formats import date_format
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.views import View
from django.views.decorators.cache import never_cache

from customers.errors import NotFound, Refusal
from customers.models import ApiClient, ApiKey
from customers.scopes import SCOPES, lendable
from customers.services import keys
from customers.tables import Column, Table
from licensing.portal.asking import Filters
from licensing.portal.gate import Visit, visit

READS: Final = "clients:read"
WRITES: Final = "clients:write"
_MOST_CALLS: Final = 2_147_483_647
_OF_CLIENT: Final = ("name", "scopes", "calls_per_minute")


class ClientFilters(Filters):
    state = forms.ChoiceField(required=False, label="State", choices=[("", "Any"), ("on", "On"), ("off", "Off")])


class IntegrationForm(forms.Form):
    """A form whose fields are told what the service refused of them; what is about none of them, `blamed`."""

    blamed: str | None = None

    def refuse(self, fault: ValidationError | Refusal) -> None:
        """Says what the service refused, beside its field where it has one."""
        if isinstance(fault, ValidationError):
            for field, errors in fault.message_dict.items():
                self.add_error(field if field in self.fields else self.blamed, errors)
            return
        for each in fault.details.get("faults") or [{"field": "", "message": f"{fault.message} {fault.next_action}"}]:
            self.add_error(each["field"] if each["field"] in self.fields else None, each["message"])


class ClientForm(IntegrationForm):
    blamed = "name"  # whose uniqueness is of the customer

    name = forms.CharField(
        max_length=100,
        label="Name",
        help_text="Which app it is, as the history will name it.",
        widget=forms.TextInput({"autocomplete": "off"}),
    )
    scopes = forms.MultipleChoiceField(label="It may", widget=forms.CheckboxSelectMultiple)
    calls_per_minute = forms.IntegerField(
        required=False,
        min_value=1,
        max_value=_MOST_CALLS,
        label="Calls a minute",
        help_text="Empty: as everybody. Beyond, it is asked to wait.",
    )

    def __init__(self, scopes: set[str], data: Any = None, **options: Any) -> None:
        """`scopes` are those to choose from."""
        super().__init__(data, label_suffix="", **options)
        choices = [(scope, words) for scope, words in SCOPES.items() if scope in scopes]
        cast(forms.MultipleChoiceField, self.fields["scopes"]).choices = choices


class KeyForm(forms.Form):
    expires = forms.DateField(
        required=False,
        label="Works until",
        help_text="Empty: until it is revoked.",
        widget=forms.DateInput({"type": "date"}),
    )

    def clean_expires(self) -> datetime | None:
        """Returns the end of the day."""
        day = self.cleaned_data["expires"]
        return None if day is None else datetime.combine(day, time.max, tzinfo=UTC)


# ── Lists ───────────────────────────────────────────────────────────────────
@method_decorator(never_cache, name="dispatch")
class Clients(LoginRequiredMixin, View):
    def get(self, request: HttpRequest, customer: str) -> HttpResponseBase:
        found, filters = visit(request, customer, READS), ClientFilters(request.GET)
        now, asked = timezone.now(), filters.asked
        live = Q(keys__revoked_at=None) & (Q(keys__expires_at=None) | Q(keys__expires_at__gt=now))
        rows = ApiClient.objects.filter(customer=found.customer).annotate(
            used=Max("keys__last_used_at"), live=Count("keys", filter=live & Q(keys__isnull=False))
        )
        rows = rows.filter(name__icontains=asked["search"]) if "search" in asked else rows
        rows = rows.filter(is_active=asked["state"] == "on") if "state" in asked else rows
        table = Table(request, "clients", rows, _columns(found), sort="name")
        if table.wants_csv:
            return table.csv()
        frame: dict[str, Any] = {"table": table, "search": filters, "what": "clients", "may_edit": found.may(WRITES)}
        return table.remember(_page(request, found, "clients", crumbs=found.crumbs, here="Integrations", **frame))


def _columns(found: Visit) -> list[Column]:
    def named(row: Any) -> SafeString:
        return format_html(
            '<a href="{}">{}</a>', reverse("portal:client", args=[found.customer.code, row.pk]), row.name
        )

    def used(row: Any) -> str:
        return date_format(row.used, "j M Y, H:i") if row.used else "never"

    return [
        Column("name", "Name", lambda row: row.name, named, order=(Lower("name"),), is_fixed=True),
        Column("scopes", "May", lambda row: ", ".join(row.scopes), lambda row: _some(row.scopes)),
        Column("rate", "Calls a minute", lambda row: row.calls_per_minute or "as everybody", is_number=True),
        Column("keys", "Live keys", lambda row: row.live, order=("live",), is_number=True),
        Column("used", "Last used", lambda row: row.used, used, order=("used",)),
        Column("state", "State", lambda row: "on" if row.is_active else "off", _state, order=("is_active",)),
    ]


def _some(scopes: list[str]) -> str:
    more = len(scopes) - 2
    return ", ".join(scopes[:2]) + (f" and {more} more" if more > 0 else "")


def _state(row: Any) -> SafeString:
    level, word = (" badge-good badge-dot", "On") if row.is_active else ("", "Off")
    return format_html('<span class="badge{}">{}</span>', level, word)


# ── One ─────────────────────────────────────────────────────────────────────
@method_decorator(never_cache, name="dispatch")
class NewClient(LoginRequiredMixin, View):
    """Makes a client and its first key."""

    def get(self, request: HttpRequest, customer: str) -> HttpResponse:
        found = visit(request, customer, WRITES)
        return self._asking(request, found, ClientForm(_lendable(found), initial={"scopes": ["entitlements:read"]}))

    def post(self, request: HttpRequest, customer: str) -> HttpResponse:
        found = visit(request, customer, WRITES)
        form, actor, now = ClientForm(_lendable(found), request.POST), found.access.actor, timezone.now()
        if form.is_valid():
            try:
                made = keys.create_client(
                    actor=actor, customer=found.customer, held=_held(found), at=now, **form.cleaned_data
                )
            except (ValidationError, Refusal) as fault:
                form.refuse(fault)
            else:
                key, token = keys.issue_key(actor=actor, client=made, at=now)
                return _shown_once(request, found, made, key, token)
        return self._asking(request, found, form, status=400)

    def _asking(self, request: HttpRequest, found: Visit, form: ClientForm, status: int = 200) -> HttpResponse:
        return _page(request, found, "client_new", status=status, form=form, here="New client")


@method_decorator(never_cache, name="dispatch")
class ClientPage(LoginRequiredMixin, View):
    """What a client may do, and its keys."""

    def get(self, request: HttpRequest, customer: str, client: int) -> HttpResponse:
        found = visit(request, customer, READS)
        row = client_of(found, client)
        form = ClientForm(_lendable(found) | set(row.scopes), initial={name: getattr(row, name) for name in _OF_CLIENT})
        return _client_page(request, found, row, form)

    def post(self, request: HttpRequest, customer: str, client: int) -> HttpResponse:
        found = visit(request, customer, WRITES)
        row = client_of(found, client)
        actor, now = found.access.actor, timezone.now()
        if "switch" in request.POST:
            keys.edit_client(actor=actor, client=row, at=now, is_active=request.POST["switch"] == "on")
            told = f"{row.name} is on." if row.is_active else f"{row.name} is off: its keys open nothing any more."
            messages.success(request, told)
            return redirect("portal:client", customer=found.customer.code, client=row.pk)
        form = ClientForm(_lendable(found) | set(row.scopes), request.POST)
        if form.is_valid():
            try:
                keys.edit_client(actor=actor, client=row, held=_held(found), at=now, **form.cleaned_data)
            except (ValidationError, Refusal) as fault:
                form.refuse(fault)
                row.refresh_from_db()
            else:
                messages.success(request, f"{row.name} is saved. Within a second it counts everywhere.")
                return redirect("portal:client", customer=found.customer.code, client=row.pk)
        return _client_page(request, found, row, form, status=400)


@method_decorator(never_cache, name="dispatch")
class IssueKey(LoginRequiredMixin, View):
    """Issues a key beside the one that is live, so that one can take over from the other."""

    def get(self, request: HttpRequest, customer: str, client: int) -> HttpResponse:
        found = visit(request, customer, WRITES)
        return self._asking(request, found, client_of(found, client), KeyForm(label_suffix=""))

    def post(self, request: HttpRequest, customer: str, client: int) -> HttpResponse:
        found, form = visit(request, customer, WRITES), KeyForm(request.POST, label_suffix="")
        row, status = client_of(found, client), 400
        if form.is_valid():
            try:
                key, token = keys.issue_key(
                    actor=found.access.actor,
                    client=row,
                    held=_held(found),
                    at=timezone.now(),
                    expires_at=form.cleaned_data["expires"],
                )
            except Refusal as refusal:
                status = refusal.status
                faults = refusal.details.get("faults")
                told = faults[0]["message"] if faults else f"{refusal.message} {refusal.next_action}"
                form.add_error("expires" if faults and faults[0]["field"] == "expires_at" else None, told)
            else:
                return _shown_once(request, found, row, key, token)
        return self._asking(request, found, row, form, status)

    def _asking(
        self, request: HttpRequest, found: Visit, row: ApiClient, form: KeyForm, status: int = 200
    ) -> HttpResponse:
        return _page(request, found, "key_new", status=status, form=form, client=row, here="New key")


@method_decorator(never_cache, name="dispatch")
class RevokeKey(LoginRequiredMixin, View):
    """Asks first; a POST revokes."""

    def get(self, request: HttpRequest, customer: str, client: int, number: int) -> HttpResponse:
        found = visit(request, customer, WRITES)
        row = client_of(found, client)
        return _page(request, found, "key_revoke", client=row, key=_key_of(row, number), here="Revoke a key")

    def post(self, request: HttpRequest, customer: str, client: int, number: int) -> HttpResponse:
        found = visit(request, customer, WRITES)
        row = client_of(found, client)
        key = keys.revoke_key(actor=found.access.actor, key=_key_of(row, number), at=timezone.now())
        messages.success(request, f"The key {key.prefix} is revoked. Within a second it opens nothing anywhere.")
        return redirect("portal:client", customer=found.customer.code, client=row.pk)


# ── What they share ─────────────────────────────────────────────────────────
def client_of(found: Visit, client: int) -> ApiClient:
    """Returns a client that is bound to the customer. Raises NotFound."""
    row = ApiClient.objects.filter(customer=found.customer, pk=client).first()
    if row is None:
        raise NotFound("client", str(client))
    return row


def _page(request: HttpRequest, found: Visit, name: str, *, status: int = 200, **context: Any) -> HttpResponse:
    """Returns a page of the customer's integrations."""
    code = found.customer.code
    crumbs = [*found.crumbs, ("Integrations", reverse("portal:clients", args=[code]))]
    frame: dict[str, Any] = {"customer": found.customer, "crumbs": crumbs, **context}
    return render(request, f"licensing/portal/integrations/{name}.html", frame, status=status)


def _held(found: Visit) -> frozenset[str]:
    return found.access.scopes_in(found.customer.pk)


def _lendable(found: Visit) -> set[str]:
    return set(lendable(_held(found)))


def _key_of(client: ApiClient, number: int) -> ApiKey:
    key = client.keys.filter(pk=number).first()
    if key is None:
        raise NotFound("key", str(number))
    return key


def _client_page(
    request: HttpRequest, found: Visit, row: ApiClient, form: ClientForm, status: int = 200
) -> HttpResponse:
    now = timezone.now()
    newest = list(row.keys.order_by("-pk")[:10])
    live = [key for key in newest if key.revoked_at is None and (key.expires_at is None or now < key.expires_at)]
    context = {
        "client": row,
        "form": form,
        "live": live,
        "over": [key for key in newest if key not in live],
        "may_edit": found.may(WRITES),
        "may_do": [(scope, SCOPES.get(scope, "")) for scope in row.scopes],
        "here": row.name,
    }
    return _page(request, found, "client", status=status, **context)


def _shown_once(request: HttpRequest, found: Visit, row: ApiClient, key: ApiKey, token: str) -> HttpResponse:
    """Shows the key on the page itself: a message would wait in a cookie."""
    back = reverse("portal:client", args=[found.customer.code, row.pk])
    context: dict[str, Any] = {
        "of": row.name,
        "secret": token,
        "known_by": key.prefix,
        "until": key.expires_at,
        "back": back,
    }
    return _page(request, found, "secret", title="A new key", here="A new key", **context)
