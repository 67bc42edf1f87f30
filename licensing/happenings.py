"""What happened at given instants that may have made an answer another one: seats, a user's life, overrides, packages,
and date states; each with who and why, as far as somebody did it (rule W-2).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Final

from django.db.models import Q

from customers.models import AuditEvent, Customer, CustomerUser
from licensing.facts import DateState
from licensing.models import ChangeSet, ModuleLicense, Override, Package, Seat
from licensing.overriding import override_in_words

# What the trail calls a deed at a customer that packages follow from; who did it, and why, stands there.
_CONTRACT: Final = ("subscription", "package", "license")
_SAY_WHO: Final = ("seats", "override")
_DATES: Final[Mapping[DateState, str]] = {
    DateState.WARNING: "will end soon",
    DateState.GRACE: "has expired; everything still works",
    DateState.STOPPED: "has stopped; what was bought can only be looked at",
}
_LIFE: Final[Mapping[tuple[str, str], str]] = {
    ("can_log_in", "False"): "Can’t log in any more",
    ("can_log_in", "True"): "Can log in again",
    ("is_former_employee", "True"): "Became a former employee",
    ("is_former_employee", "False"): "Is no longer a former employee",
}


@dataclass(frozen=True, slots=True)
class Happening:
    """One thing that happened. `kind`: seats, user, override, package or dates; `words` say what.

    `gained` and `lost` are seats, as `owner.module`; `change_set` is its number, `package` is `OWNER #number`.
    """

    at: datetime
    kind: str
    words: str
    actor: str = ""
    reason: str = ""
    gained: tuple[str, ...] = ()
    lost: tuple[str, ...] = ()
    change_set: int | None = None
    package: str = ""

    def as_json(self) -> dict[str, Any]:
        """Returns it as the API tells it."""
        return {
            "kind": self.kind,
            "words": self.words,
            "actor": self.actor,
            "reason": self.reason,
            "seats_gained": list(self.gained),
            "seats_lost": list(self.lost),
            "change_set": self.change_set,
            "package": self.package or None,
        }


@dataclass
class _Trail:
    """Who did what then, by the trail: of contracts and packages, of the user, of overrides."""

    events: Sequence[AuditEvent]
    of_contract: dict[datetime, list[AuditEvent]] = field(init=False)

    def __post_init__(self) -> None:
        self.of_contract = defaultdict(list)
        for event in self.events:
            if event.object_type in _CONTRACT:
                self.of_contract[event.at].append(event)

    def contract(self, at: datetime) -> tuple[str, str]:
        """Who did what a package came from, and why: a deed with a reason before one without."""
        found = sorted(self.of_contract[at], key=lambda event: (not event.reason, event.object_type != "subscription"))
        return (found[0].actor, found[0].reason) if found else ("", "")

    def ended(self, override: Override) -> AuditEvent | None:
        named = f"{override.feature.code} {override.mode}"
        whose = override.user.code if override.user is not None else None
        for event in self.events:
            told = (event.at, event.action, event.object_code, event.changes.get("user"))
            if told == (override.ended_at, "override.ended", named, whose):
                return event
        return None


def happenings(
    customer: Customer, user: CustomerUser | None, instants: Collection[datetime], *, tells_who: bool = True
) -> dict[datetime, list[Happening]]:
    """Returns by instant what happened then to the user, or to the customer with all its users. Five queries.

    Without `tells_who`, whom the audit trail alone names, and why they did it, is left out; what change sets and
    overrides say stays.
    """
    trail = _Trail(list(_events(customer, user, instants)))
    found: dict[datetime, list[Happening]] = defaultdict(list)
    told = [
        *_seats(user, instants),
        *(told for event in trail.events if event.object_type == "user" for told in _life(event)),
        *(told for override in _overrides(customer, user, instants) for told in _override(override, trail)),
        *_packages(customer, instants, trail),
    ]
    for each in told:
        if each.at in instants:
            found[each.at].append(each if tells_who or each.kind in _SAY_WHO else replace(each, actor="", reason=""))
    return found


def known_to_trail(user: CustomerUser, customer: Customer) -> str:
    """Returns the name under which the audit trail knows a user."""
    return f"{customer.code}/{user.code}"


def _events(customer: Customer, user: CustomerUser | None, instants: Collection[datetime]) -> Any:
    asked = Q(object_type__in=(*_CONTRACT, "override"))
    if user is not None:
        asked |= Q(object_type="user", object_code=known_to_trail(user, customer))
    return AuditEvent.objects.filter(asked, customer=customer, at__in=instants).order_by("pk")


def _seats(user: CustomerUser | None, instants: Collection[datetime]) -> Iterator[Happening]:
    """Yields the user's seats that came and went then: a change set worked off in batches has several instants."""
    if user is None:
        return
    when = Q(assigned_at__in=instants) | Q(released_at__in=instants) | Q(released_at=None, leaves_at__in=instants)
    moved: dict[tuple[datetime, ChangeSet | None], tuple[set[str], set[str]]] = defaultdict(lambda: (set(), set()))
    seats = Seat.objects.filter(when, user=user).select_related("owner", "assigned_in", "released_in")
    for seat in seats.order_by("pk"):
        moved[seat.assigned_at, seat.assigned_in][0].add(seat.full_name)
        if seat.released_at is not None:
            moved[seat.released_at, seat.released_in][1].add(seat.full_name)
        elif seat.leaves_at is not None:
            moved[seat.leaves_at, None][1].add(seat.full_name)
    for (at, change), (gained, lost) in moved.items():
        if change is None:
            yield Happening(at, "seats", "Leaves with the package that comes into force", lost=tuple(sorted(lost)))
        else:
            told = (f"Change set {change.number}", change.actor, change.reason)
            yield Happening(at, "seats", *told, tuple(sorted(gained)), tuple(sorted(lost)), change.number)


def _life(event: AuditEvent) -> Iterator[Happening]:
    if event.action != "user.edited":  # created, erased
        yield Happening(event.at, "user", event.action.partition(".")[2].capitalize(), event.actor, event.reason)
        return
    others = []
    for name, change in event.changes.items():
        words = _LIFE.get((name, str(change[1]))) if isinstance(change, list) and len(change) == 2 else None
        if words is not None:
            yield Happening(event.at, "user", words, event.actor, event.reason)
        else:
            others.append(name.replace("_", " "))
    if others:
        yield Happening(event.at, "user", f"Edited: {', '.join(others)}", event.actor, event.reason)


def _overrides(customer: Customer, user: CustomerUser | None, instants: Collection[datetime]) -> Iterable[Override]:
    whose = Q(user=None) if user is None else Q(user=None) | Q(user=user)
    when = Q()
    for name in ("created_at", "starts_at", "ends_at", "ended_at"):
        when |= Q(**{f"{name}__in": instants})
    found: Iterable[Override] = Override.objects.filter(whose, when, customer=customer).select_related(
        "feature", "user"
    )
    return found


def _override(override: Override, trail: _Trail) -> Iterator[Happening]:
    whose = "" if override.user_id else ", for everybody"
    named = f"{override.feature.name}: {override_in_words(override).lower()}{whose}"
    by, why = override.created_by, override.reason
    begins = "granted" if override.starts_at <= override.created_at else "planned"
    yield Happening(override.created_at, "override", f"Override {begins}. {named}", by, why)
    if override.starts_at > override.created_at:
        yield Happening(override.starts_at, "override", f"Override began. {named}", by, why)
    if override.ended_at is not None and override.ended_at == override.stops_at:
        event = trail.ended(override)
        actor = event.actor if event is not None else ""
        yield Happening(override.ended_at, "override", f"Override ended before its time. {named}", actor)
    elif override.ends_at is not None:
        yield Happening(override.ends_at, "override", f"Override over. {named}", by, why)


def _packages(customer: Customer, instants: Collection[datetime], trail: _Trail) -> Iterator[Happening]:
    when = Q()
    for name in ("activated_at", "ended_at", "warning_at", "expires_at", "grace_until"):
        when |= Q(**{f"{name}__in": instants})
    found = list(
        Package.objects.filter(when, customer=customer, activated_at__isnull=False)
        .select_related("owner")
        .order_by("owner__code", "activated_at")
    )
    sold = _sold([package for package in found if {package.activated_at, package.ended_at} & set(instants)])
    for package in found:
        yield from _dates(package)
        if package.activated_at is None:
            continue
        by, why = trail.contract(package.activated_at)
        before = [p for p in found if p.owner_id == package.owner_id and p.ended_at == package.activated_at]
        changes = _changed(sold.get(before[0].pk, {}) if before else {}, sold.get(package.pk, {}))
        words = f"Package {package} came into force{': ' if changes else ''}{', '.join(changes)}"
        yield Happening(package.activated_at, "package", words, by, why, package=str(package))
    begun = {(package.owner_id, package.activated_at) for package in found}
    for package in found:
        if package.ended_at is not None and (package.owner_id, package.ended_at) not in begun:
            by, why = trail.contract(package.ended_at)
            yield Happening(
                package.ended_at, "package", f"Package {package} was removed", by, why, package=str(package)
            )


def _dates(package: Package) -> Iterator[Happening]:
    """Yields what the clock made of a package while it was in force."""
    for at in (package.warning_at, package.expires_at, package.grace_until):
        if at is not None and package.is_in_force(at):
            words = f"Package {package} {_DATES.get(package.state_at(at), 'is active')}"
            yield Happening(at, "dates", words, package=str(package))


Sold = dict[str, tuple[str, int | None, int]]  # module name → name, version, quantity


def _sold(packages: Sequence[Package]) -> dict[int, Sold]:
    """Returns what each package sells, in one query."""
    rows = ModuleLicense.objects.filter(package__in=packages).exclude(offer_code="", is_plan=False)
    found: dict[int, Sold] = defaultdict(dict)
    for pk, module, *told in rows.order_by("sort_order").values_list(
        "package", "module_name", "module_description", "version_number", "license_number"
    ):
        found[pk][module] = (told[0], told[1], told[2])
    return found


def _changed(before: Sold, after: Sold) -> list[str]:
    """Returns in words what one package sells otherwise than the one before it."""
    words = []
    for module in dict.fromkeys([*after, *before]):
        was, now = before.get(module), after.get(module)
        if was is None and now is not None:
            words.append(f"{_versioned(now)} added")
        elif now is None and was is not None:
            words.append(f"{_versioned(was)} gone")
        elif was is not None and now is not None and was[1] != now[1]:
            words.append(f"{now[0]} v{was[1]} → v{now[1]}")
        elif was is not None and now is not None and was[2] != now[2]:
            words.append(f"{now[0]} {was[2]} → {now[2]}")
    return words


def _versioned(sold: tuple[str, int | None, int]) -> str:
    return sold[0] if sold[1] is None else f"{sold[0]} v{sold[1]}"
