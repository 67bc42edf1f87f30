"""Why an answer is what it is: `resolve` again on the recorded facts, told with every source, seat and override."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from customers.access import Access
from customers.models import Customer, CustomerUser
from licensing.facts import CustomerFacts, HolderKind, Holding, Mode
from licensing.giving import Way, would_give
from licensing.happenings import happenings
from licensing.models import Override, RevisionEntry, Seat
from licensing.resolution import Considered, Decision, Outcome, Step, resolve, resolve_feature
from licensing.selectors import Timeline, holding_fact, is_in_force, load_timeline, period_at, seats_held
from licensing.stretches import last_change, stretches_of

WORDS = {
    Outcome.COUNTS: "It counts.",
    Outcome.OUTRANKED: "It would count, but another source decides.",
    Outcome.NO_SEAT: "The user does not hold {module}.",
    Outcome.MODULE_NOT_HELD: "The user does not hold {needed}.",
    Outcome.STOPPED: "The package of {owner} has stopped.",
}


def may_know_who(access: Access, customer_id: int) -> bool:
    """Whether the caller may be told who did what, and why, where only the audit trail says so."""
    return access.allows("audit:read", customer_id) or access.allows("customers:read")


def facts_at(customer: Customer, user: CustomerUser | None, at: datetime) -> tuple[CustomerFacts, Holding] | None:
    """Returns what `resolve` was told of a user (none: of the customer) at `at`; none where nothing is recorded."""
    known = _known_at(customer, user, at)
    return None if known is None else (known[0].facts(at), known[1])


def _known_at(customer: Customer, user: CustomerUser | None, at: datetime) -> tuple[Timeline, Holding] | None:
    timeline = load_timeline(customer, at)
    if user is None:
        return timeline, Holding(HolderKind.CUSTOMER)
    period = period_at(user, at)
    return None if period is None else (timeline, holding_fact(period.holding))


def ways_at(customer: Customer, user: CustomerUser | None, feature: str, at: datetime) -> list[Way]:
    """Returns what else would give a user (none: the customer) the feature, or more of it, at `at` (W-3)."""
    known = _known_at(customer, user, at)
    return [] if known is None else would_give(customer, *known, feature, at)


def content_at(customer: Customer, user: CustomerUser | None, at: datetime) -> dict[str, Any] | None:
    """Returns the entitlement set worked out anew for `at`; it equals the stored one."""
    known = facts_at(customer, user, at)
    return None if known is None else resolve(*known).content()


def explain(
    customer: Customer, user: CustomerUser | None, feature: str, at: datetime, *, tells_who: bool = True
) -> dict[str, Any]:
    """Returns the whole trace of one answer: sources with their versions, rule, losing values, seats, overrides; what
    else would give it, and what changed it last (W-1 to W-3).

    Without `tells_who`, who did what only the audit trail tells is left out. Queries do not grow with users.
    """
    known = _known_at(customer, user, at)
    if known is None:
        return _nothing("Nothing is recorded for that time.") | {"would_give": [], "changed_last": None}
    timeline, holding = known
    ways = would_give(customer, timeline, holding, feature, at)
    return _trace(customer, user, resolve_feature(timeline.facts(at), holding, feature), holding, at) | {
        "would_give": [way.as_json() for way in ways],
        "changed_last": changed_last(customer, user, feature, at, tells_who=tells_who),
    }


def _trace(
    customer: Customer, user: CustomerUser | None, decision: Decision | None, holding: Holding, at: datetime
) -> dict[str, Any]:
    if decision is None:
        inactive = holding.kind is HolderKind.INACTIVE
        because = "A former employee, or somebody who can't log in, may do nothing." if inactive else ""
        return _nothing(because or f"No plan, add-on or override at {customer.name} names it.")
    seats = seats_held([user], at)[user.pk] if user is not None else {}
    return {
        "because": _because(decision),
        "rule": decision.feature.rule,
        "merged": None if decision.merged is None else decision.feature.behaviour.as_json(decision.merged),
        "sources": [_source(considered, seats) for considered in decision.considered],
        "overrides": _steps(customer, user, decision, at),
    }


def _nothing(because: str) -> dict[str, Any]:
    return {"because": because, "rule": None, "merged": None, "sources": [], "overrides": []}


def changed_last(
    customer: Customer, user: CustomerUser | None, feature: str, at: datetime, *, tells_who: bool = True
) -> dict[str, Any] | None:
    """Returns when the answer became what it is at `at`: from what, to what, and by what; none where nothing is known.

    `before` is none where nothing was recorded before: the user, or the customer, was created then.
    """
    change = last_change(stretches_of(customer, user), feature, at)
    if change is None:
        return None
    entries = RevisionEntry.objects.filter(customer=customer, at__lte=change.at).order_by("-at")
    causes = happenings(customer, user, {change.at}, tells_who=tells_who)[change.at]
    return {
        "at": change.at,
        "revision": entries.values_list("number", flat=True).first() or 0,
        "before": change.before,
        "after": change.after,
        "causes": [cause.as_json() for cause in causes],
    }


def _because(decision: Decision) -> str:
    """Returns the answer in one sentence for people."""
    feature = decision.feature
    names = {choice.code: choice.name for choice in feature.choices}
    if decision.access.word == "edit" and decision.value is not None:
        shown = feature.behaviour.show(decision.value, names, feature.unit)
        changing = [step for step in decision.steps if step.after != step.before]
        if changing:
            return f"{shown}, by an override: {changing[-1].override.mode.value.replace('_', ' ')}."
        deciding = [c.source.code for c in decision.considered if c.outcome is Outcome.COUNTS]
        return f"{shown}, from {', '.join(dict.fromkeys(deciding))}."
    is_view = decision.access.word == "view"
    so = "To look at only" if is_view else "Not there"
    would_edit = decision.merged is not None and feature.behaviour.grants(decision.merged)
    if would_edit or any(step.override.mode is Mode.DENY for step in decision.steps):
        return f"{so}: an override takes {'editing' if is_view else 'it'} away."
    if Outcome.STOPPED in {c.outcome for c in decision.considered}:
        return f"{so}: the package that gives it has stopped."
    if is_view:
        return f"{so}: the customer has it, the user holds nothing that lets them edit it."
    return "Not there: the customer has it, but the user holds nothing that gives it."


def _source(considered: Considered, seats: Mapping[str, Seat]) -> dict[str, Any]:
    source, grant = considered.source, considered.grant
    seat = seats.get(source.module)
    kind = grant.feature.behaviour
    carrier = seats.get(grant.feature.user_module or "")
    words = WORDS[considered.outcome].format(
        module=source.module, needed=grant.feature.user_module or "the module of any choice", owner=source.owner
    )
    return {
        "code": source.code,
        "type": "plan" if source.is_plan else "add_on",
        "version": source.version,
        "defined_by": grant.origin,
        "module": source.module,
        "gives": kind.as_json(grant.value),
        "counts_as": None if considered.value is None else kind.as_json(considered.value),
        "quantity": source.quantity if not source.is_seat else 1,
        "outcome": considered.outcome.value,
        "words": words,
        "seat": None if seat is None else seat_json(seat),
        "user_module": grant.feature.user_module,
        "user_module_seat": None if carrier is None else seat_json(carrier),
    }


def seat_json(seat: Seat) -> dict[str, Any]:
    """Returns who gave a seat, and when."""
    return {
        "assigned_at": seat.assigned_at,
        "assigned_by": seat.assigned_in.actor,
        "change_set": seat.assigned_in.number,
        "reason": seat.assigned_in.reason,
    }


def _steps(customer: Customer, user: CustomerUser | None, decision: Decision, at: datetime) -> list[dict[str, Any]]:
    """Returns the overrides in the order they were applied, each with who granted it and why."""
    if not decision.steps:
        return []
    recorded = Override.objects.filter(customer=customer, feature__code=decision.feature.code, created_at__lte=at)
    by_kind = {
        ("user" if o.user_id else "customer", o.mode): o
        for o in recorded.not_over(at)
        if o.user_id in (None, user.pk if user else None) and is_in_force(o, at)
    }
    return [
        _step(step, decision, by_kind.get((step.override.subject, step.override.mode.value))) for step in decision.steps
    ]


def _step(step: Step, decision: Decision, recorded: Override | None) -> dict[str, Any]:
    kind = decision.feature.behaviour
    return {
        "subject": step.override.subject,
        "mode": step.override.mode.value,
        "value": None if step.override.value is None else kind.as_json(step.override.value),
        "before": None if step.before is None else kind.as_json(step.before),
        "after": None if step.after is None else kind.as_json(step.after),
        "reason": recorded.reason if recorded else "",
        "granted_by": recorded.created_by if recorded else "",
        "granted_at": recorded.created_at if recorded else None,
        "ends_at": recorded.ends_at if recorded else None,
    }
