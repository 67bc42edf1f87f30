"""Why an answer is what it is: `resolve` again on the recorded facts, told with every source, seat and override."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from customers.models import Customer, CustomerUser
from licensing.facts import CustomerFacts, HolderKind, Holding, Mode
from licensing.models import Override, Seat
from licensing.resolution import Considered, Decision, Outcome, Step, resolve, resolve_feature
from licensing.selectors import holding_fact, is_in_force, load_timeline, period_at, seats_held

WORDS = {
    Outcome.COUNTS: "It counts.",
    Outcome.OUTRANKED: "It would count, but another source decides.",
    Outcome.NO_SEAT: "The user does not hold {module}.",
    Outcome.MODULE_NOT_HELD: "The user does not hold {needed}.",
    Outcome.STOPPED: "The package of {owner} has stopped.",
}


def facts_at(customer: Customer, user: CustomerUser | None, at: datetime) -> tuple[CustomerFacts, Holding] | None:
    """Returns what `resolve` was told of a user (none: of the customer) at `at`; none where nothing is recorded."""
    facts = load_timeline(customer, at).facts(at)
    if user is None:
        return facts, Holding(HolderKind.CUSTOMER)
    period = period_at(user, at)
    return None if period is None else (facts, holding_fact(period.holding))


def content_at(customer: Customer, user: CustomerUser | None, at: datetime) -> dict[str, Any] | None:
    """Returns the entitlement set worked out anew for `at`; it equals the stored one."""
    known = facts_at(customer, user, at)
    return None if known is None else resolve(*known).content()


def explain(customer: Customer, user: CustomerUser | None, feature: str, at: datetime) -> dict[str, Any]:
    """Returns the whole trace of one answer: sources with their versions, rule, losing values, seats, overrides."""
    known = facts_at(customer, user, at)
    decision = None if known is None else resolve_feature(*known, feature)
    seats = seats_held([user], at)[user.pk] if user is not None else {}
    if decision is None:
        inactive = known is not None and known[1].kind is HolderKind.INACTIVE
        because = "A former employee, or somebody who can't log in, may do nothing." if inactive else ""
        return {
            "because": because or f"No plan, add-on or override at {customer.name} names it.",
            "rule": None,
            "merged": None,
            "sources": [],
            "overrides": [],
        }
    return {
        "because": _because(decision),
        "rule": decision.feature.rule,
        "merged": None if decision.merged is None else decision.feature.behaviour.as_json(decision.merged),
        "sources": [_source(considered, seats) for considered in decision.considered],
        "overrides": _steps(customer, user, decision, at),
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
