"""What the pages about previews and change sets show of a row, of seats and of features."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from customers.models import Customer
from customers.tables import Column
from licensing.models import ChangePreviewRow
from licensing.portal.links import user_link
from licensing.portal.words import with_names

_LEVELS: Final = {"changes": "badge-good", "blocked": "badge-bad", "unchanged": ""}
Names = Mapping[str, str]


def preview_columns(customer: Customer, names: Names, *, is_applied: bool) -> tuple[Column, ...]:
    """Returns what is shown of a `ChangePreviewRow`."""

    def who(row: ChangePreviewRow) -> Any:
        if row.user is None:
            return row.user_code
        return format_html('{} <span class="small quiet">{}</span>', user_link(customer, row.user), row.user.code)

    def why(row: ChangePreviewRow) -> str:
        return with_names(f"{row.message} {row.next_action}".strip(), names)

    def outcome(row: ChangePreviewRow) -> str:
        return outcome_words(row, is_applied=is_applied)

    return (
        Column("user", "User", lambda row: row.user_code, who, order=("user_code",), is_fixed=True),
        Column("row", "Row", lambda row: row.position, order=("position",)),
        Column("outcome", "Outcome", outcome, _badge(outcome), order=("outcome",)),
        Column("assigned", "Assigned", lambda row: named(row.assigned, names)),
        Column("released", "Released", lambda row: named(row.released, names)),
        Column("why", "Why", why, order=("code",)),
        Column("gains", "Gains", lambda row: _features(row.gains), lambda row: _more(row.gains)),
        Column("losses", "Loses", lambda row: _features(row.losses), lambda row: _more(row.losses)),
        Column("before", "Before", lambda row: named(row.before, names), is_shown=False),
        Column("after", "After", lambda row: named(row.after, names), is_shown=False),
        Column("name", "Name", lambda row: row.user.name if row.user else "", is_shown=False),
        Column("email", "E-mail", lambda row: row.user.email if row.user else "", is_shown=False),
    )


def outcome_words(row: ChangePreviewRow, *, is_applied: bool) -> str:
    if row.outcome == ChangePreviewRow.Outcome.CHANGES:
        if row.creates:
            return "Created" if is_applied else "Is created"
        return "Changed" if is_applied else "Changes"
    return "Blocked" if row.outcome == ChangePreviewRow.Outcome.BLOCKED else "Stays as it is"


def named(modules: Iterable[str], names: Names) -> str:
    """Returns modules by their names, in a line."""
    return ", ".join(names.get(module, module) for module in modules)


def _badge(words: Callable[[ChangePreviewRow], str]) -> Callable[[ChangePreviewRow], SafeString]:
    return lambda row: format_html('<span class="badge {}">{}</span>', _LEVELS[row.outcome], words(row))


def _features(effects: Sequence[Mapping[str, str]]) -> str:
    return ", ".join(_feature(effect) for effect in effects)


def _feature(effect: Mapping[str, str]) -> str:
    if effect["effect"] in ("raised", "lowered"):
        return f"{effect['name']} ({effect['before']} → {effect['after']})"
    return effect["name"]


def _more(effects: Sequence[Mapping[str, str]]) -> Any:
    """Returns features in a cell: their number, and below it which."""
    if not effects:
        return ""
    count = "1 feature" if len(effects) == 1 else f"{len(effects)} features"
    items = format_html_join("", "<li>{}</li>", ((_feature(effect),) for effect in effects))
    return format_html('<details><summary>{}</summary><ul class="plain small">{}</ul></details>', count, items)


# ── Seats ───────────────────────────────────────────────────────────────────
@dataclass(frozen=True, slots=True)
class Delta:
    """How many seats of a module are held before and after. `total` says nothing where it is unlimited."""

    name: str
    before: int
    after: int
    total: int
    unlimited: bool

    @property
    def change(self) -> str:
        """With its sign: "+3", "−2", "±0" where some give and others take."""
        by = self.after - self.before
        return f"+{by}" if by > 0 else f"−{-by}" if by < 0 else "±0"

    @property
    def state(self) -> str:
        return "full" if not self.unlimited and self.after >= self.total else "ok"


def delta_meters(deltas: Iterable[Mapping[str, Any]], names: Names) -> list[Delta]:
    """Returns the seats of every module that a preview is about."""
    return [
        Delta(
            names.get(each["module"], each["module"]),
            each["before"],
            each["after"],
            each["total"] or 0,
            each["unrestricted"],
        )
        for each in deltas
    ]


# ── What moved ──────────────────────────────────────────────────────────────
def difference_lines(difference: Mapping[str, Any], names: Names) -> list[tuple[str, str, str]]:
    """Returns (user, how it was previewed, how it comes out now) of the rows that differ."""
    return [(row["user"], _said(row["was"], names), _said(row["now"], names)) for row in difference.get("rows", ())]


def _said(row: Mapping[str, Any], names: Names) -> str:
    if not row:
        return "–"
    if row["outcome"] == ChangePreviewRow.Outcome.BLOCKED:
        return f"blocked: {row['code'].replace('_', ' ')}"
    before, after = named(row["before"], names) or "nothing", named(row["after"], names) or "nothing"
    return f"holds {after}" if before == after else f"{before} → {after}"
