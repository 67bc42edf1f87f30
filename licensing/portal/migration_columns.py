"""What the lists of migrations, and of the customers in one, show."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from operator import attrgetter
from typing import Any, Final

from django.urls import reverse
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.html import format_html
from django.utils.safestring import SafeString

from customers.tables import Column
from licensing.models import Migration, MigrationCustomer
from licensing.portal.links import customer_link

LEVELS: Final[Mapping[str, str]] = {
    Migration.State.PROPOSED: "badge-warn",
    Migration.State.RUNNING: "badge-dot",
    Migration.State.PAUSED: "badge-warn",
    Migration.State.DONE: "badge-good",
    MigrationCustomer.State.BLOCKED: "badge-warn",
    MigrationCustomer.State.OVERDUE: "badge-bad",
    MigrationCustomer.State.FAILED: "badge-bad",
    MigrationCustomer.State.MOVED: "badge-good",
}


def when(migration: Migration) -> str:
    """Returns when its customers move, in words."""
    return f"on {_day(migration.moves_at)}" if migration.moves_at else migration.get_moment_display()


def _badge(row: Any) -> SafeString:
    return format_html('<span class="badge {}">{}</span>', LEVELS.get(row.state, ""), row.get_state_display())


def _link(row: Migration) -> SafeString:
    name = f"{row.offer.name} to v{row.target.number}"
    return format_html('<a href="{}">{}</a>', reverse("migrations:migration", args=[row.pk]), name)


def _moved_of(row: Any) -> str:
    return f"{row.moved} of {row.size}" if row.size else ""


def _day(at: datetime | None) -> str:
    return date_format(timezone.localtime(at), "j M Y") if at else ""


def _instant(key: str, title: str, *, field: str, is_shown: bool = True) -> Column:
    """Returns the column of an instant: a day on the page, exact in CSV."""
    of = attrgetter(field)
    return Column(key, title, of, show=lambda row: _day(of(row)), order=(field,), is_shown=is_shown)


def _proposer(row: Migration) -> str:
    return row.proposed_by.get_full_name() if row.proposed_by is not None else "the system"


def _state(row: Any) -> str:
    return str(row.get_state_display())


MIGRATIONS: Final = (
    Column("target", "To", lambda m: str(m.target), show=_link, order=("offer__name", "target__number"), is_fixed=True),
    Column("cohort", "Customers", lambda row: row.cohort.words),
    Column("state", "State", _state, show=_badge, order=("state",)),
    Column("moved", "Moved", _moved_of, order=("moved",), is_number=True),
    Column("when", "When", when, order=("moment", "moves_at")),
    _instant("deadline", "Deadline", field="deadline"),
    Column("reason", "Why", attrgetter("reason"), is_shown=False),
    Column("by", "Proposed by", _proposer, order=("proposed_by__name",)),
    _instant("proposed", "Proposed", field="proposed_at"),
)
_OF_CUSTOMERS: Final = (
    Column(
        "customer",
        "Customer",
        lambda row: row.customer.name,
        show=lambda row: customer_link(row.customer),
        order=("customer__name",),
        is_fixed=True,
    ),
    Column("code", "Code", attrgetter("customer.code"), order=("customer__code",), is_shown=False),
    Column("state", "State", _state, show=_badge, order=("state",)),
    _instant("due", "Due", field="due_at"),
    _instant("next", "Tried next", field="try_at", is_shown=False),
    Column("was", "Was on", lambda row: f"v{row.was.number}" if row.was else "", order=("was__number",)),
    _instant("moved", "Moved", field="moved_at"),
    _instant("returned", "Rolled back", field="returned_at", is_shown=False),
    Column("why", "What is in the way", attrgetter("why")),
)


def _can_go_back(row: MigrationCustomer) -> str:
    return "can go back" if row.state == MigrationCustomer.State.MOVED else ""


def _back_button(row: MigrationCustomer) -> str:
    if not _can_go_back(row):
        return ""
    address = reverse("migrations:roll_back_one", args=[row.migration_id, row.customer.code])
    words = '<a class="button" href="{}">Roll back<span class="visually-hidden">: {}</span></a>'
    return format_html(words, address, row.customer)


def customer_columns(may_run: bool) -> tuple[Column, ...]:
    """Returns the columns of a migration's customers; whoever may run it can send each one back."""
    act = Column("act", "Act", _can_go_back, show=_back_button)
    return (*_OF_CUSTOMERS, act) if may_run else _OF_CUSTOMERS
