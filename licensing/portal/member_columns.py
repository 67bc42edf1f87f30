"""What the lists of members and of invitations show."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from operator import attrgetter
from typing import Any

from allauth.mfa.models import Authenticator
from django.db.models import Value
from django.db.models.functions import Coalesce, Lower, NullIf
from django.urls import reverse
from django.utils.formats import date_format
from django.utils.html import format_html
from django.utils.safestring import SafeString

from customers.models import Account, Customer
from customers.second_step import STEPS
from customers.tables import Column

_NAME = Lower(Coalesce(NullIf("account__name", Value("")), "account__email"))


def with_steps(rows: Sequence[Any]) -> list[Any]:
    """Returns the members, each with `has_second_step`; one query for all of them."""
    accounts = {row.account_id for row in rows}
    held = set(Authenticator.objects.filter(user__in=accounts, type__in=STEPS).values_list("user", flat=True))
    for row in rows:
        row.has_second_step = row.account_id in held
    return list(rows)


def member_columns(visitor: Account | None, *, may_edit: bool, is_csv: bool) -> list[Column]:
    """Returns what is shown of a Membership; second steps and links to those who may change something."""
    columns = [
        Column("name", "Name", lambda row: row.account.get_full_name(), _named(visitor), order=(_NAME,), is_fixed=True),
        Column("email", "E-mail", attrgetter("account.email"), order=(Lower("account__email"),)),
        Column("role", "Role", lambda row: row.get_role_display(), order=("role",)),
        Column("seen", "Last signed in", attrgetter("account.last_login"), _day, ("account__last_login",)),
    ]
    if may_edit:
        columns.append(Column("step", "Second step", lambda row: row.has_second_step, _step))
    if may_edit and not is_csv:
        columns.append(Column("change", "Change", lambda row: "", _change))
    return columns


def invitation_columns(customer: Customer, at: datetime, *, may_edit: bool) -> list[Column]:
    """Returns what is shown of an open Invitation; links to those who may send it again or withdraw it."""

    def state(row: Any) -> str:
        return "waits" if row.is_usable(at) else "link too old"

    def badge(row: Any) -> SafeString:
        level = "" if row.is_usable(at) else " badge-warn"
        return format_html('<span class="badge{} badge-dot">{}</span>', level, state(row))

    def manage(row: Any) -> SafeString:
        address = reverse("portal:invitation", args=[customer.code, row.pk])
        return format_html(
            '<a href="{}">Send again or withdraw<span class="visually-hidden">: {}</span></a>', address, row.email
        )

    columns = [
        Column("email", "E-mail", attrgetter("email"), order=(Lower("email"),), is_fixed=True),
        Column("role", "Role", lambda row: row.get_role_display(), order=("role",)),
        Column("inviter", "Invited by", attrgetter("inviter"), order=("inviter",)),
        Column("sent", "Sent", attrgetter("sent_at"), _of("sent_at"), ("sent_at",)),
        Column(
            "expires", "Link works until", attrgetter("expires_at"), lambda row: _date(row.expires_at), ("expires_at",)
        ),
        Column("state", "State", state, badge),
    ]
    return [*columns, Column("manage", "Manage", lambda row: "", manage)] if may_edit else columns


def _named(visitor: Account | None) -> Any:
    def named(row: Any) -> SafeString | str:
        name = row.account.get_full_name()
        name = format_html('{} <span class="badge">You</span>', name) if row.account == visitor else name
        closed = "" if row.account.is_active else format_html(' <span class="badge badge-warn">Closed</span>')
        return format_html("{}{}", name, closed)

    return named


def _day(row: Any) -> str:
    return _date(row.account.last_login) if row.account.last_login else "never"


def _step(row: Any) -> SafeString:
    level, word = (" badge-good badge-dot", "on") if row.has_second_step else ("", "off")
    return format_html('<span class="badge{}">{}</span>', level, word)


def _change(row: Any) -> SafeString:
    address = reverse("portal:member", args=[row.customer.code, row.pk])
    return format_html(
        '<a href="{}">Change<span class="visually-hidden"> {}</span></a>', address, row.account.get_full_name()
    )


def _date(instant: datetime) -> str:
    return date_format(instant, "j M Y, H:i")


def _of(field: str) -> Any:
    return lambda row: _date(getattr(row, field))
