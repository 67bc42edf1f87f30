"""An explained answer as people read it, and as somebody pastes it into a ticket: names instead of licence names."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any
from urllib.parse import urlencode

from django.urls import reverse
from django.utils.formats import date_format

from catalog.models import Feature
from customers.models import Customer, CustomerUser
from licensing.answers import NOTHING, Named, answer_in_words
from licensing.explaining import explain, may_know_who
from licensing.models import ModuleLicense, RevisionEntry
from licensing.portal.gate import Visit
from licensing.portal.instants import spelled
from licensing.portal.words import with_names

_OFFERED = {"seat": "A seat", "version": "A newer version", "more": "One more", "sale": "On sale"}


def module_names(customer: Customer) -> dict[str, str]:
    """Returns what people call the user modules of the customer's packages, by `owner.module`; the newest counts."""
    rows = ModuleLicense.objects.filter(customer=customer, license_type=ModuleLicense.Type.USER)
    named = rows.order_by("package__number").values_list("package__owner__code", "module_name", "module_description")
    return {f"{owner.lower()}.{module}": name for owner, module, name in named}


def known_feature(code: str) -> Feature | None:
    """Returns a feature that any published version names, case ignored, with its choices."""
    found: Feature | None = Feature.objects.published().named(code).prefetch_related("choices").first()
    return found


def named_of(feature: Feature) -> Named:
    """Returns how a feature's answers are said; its `choices` are to be at hand."""
    return Named(feature.name, feature.unit, {choice.code: choice.name for choice in feature.choices.all()})


def explain_address(
    customer: Customer, *, user: str = "", feature: str = "", at: datetime | None = None, **more: str
) -> str:
    """Returns the address of the page that explains; without a feature it lists them all."""
    asked = {"user": user, "feature": feature, "at": "" if at is None else spelled(at), **more}
    said = urlencode({name: value for name, value in asked.items() if value})
    return f"{reverse('portal:explain', args=[customer.code])}{'?' if said else ''}{said}"


@dataclass
class Explained:
    """The answer to one feature for one user (none: for the customer as a whole) at an instant, and all of why."""

    visit: Visit
    user: CustomerUser | None
    feature: Feature
    at: datetime
    names: Mapping[str, str]

    @property
    def customer(self) -> Customer:
        return self.visit.customer

    @property
    def code(self) -> str:
        return str(self.feature.code)

    @property
    def name(self) -> str:
        return str(self.feature.name)

    @property
    def subject(self) -> str:
        """Whose answer it is."""
        return f"{self.customer.name} as a whole" if self.user is None else str(self.user.name)

    @cached_property
    def trace(self) -> dict[str, Any]:
        tells_who = may_know_who(self.visit.access, self.customer.pk)
        return explain(self.customer, self.user, self.code, self.at, tells_who=tells_who)

    # ── The answer ──────────────────────────────────────────────────────────
    @property
    def is_recorded(self) -> bool:
        return self.trace["changed_last"] is not None

    @property
    def answer(self) -> Mapping[str, Any]:
        """The answer as it was stored, and read."""
        changed = self.trace["changed_last"]
        return NOTHING if changed is None else changed["after"]

    @property
    def access(self) -> str:
        return str(self.answer["access"])

    @property
    def value(self) -> str:
        return self._said(self.answer)

    @property
    def because(self) -> str:
        return self._named(self.trace["because"])

    @property
    def rule(self) -> str:
        return str(self.trace["rule"] or "")

    @cached_property
    def sources(self) -> list[dict[str, Any]]:
        return [
            source | {"gives": given(source["gives"]), "words": self._named(source["words"]), "seats": _seats(source)}
            for source in self.trace["sources"]
        ]

    @cached_property
    def overrides(self) -> list[dict[str, Any]]:
        return [
            step | {"before": given(step["before"]), "after": given(step["after"])} for step in self.trace["overrides"]
        ]

    # ── What else would give it ─────────────────────────────────────────────
    @cached_property
    def ways(self) -> list[dict[str, Any]]:
        return [
            way
            | {
                "label": _OFFERED[way["how"]],
                "answer": self._said(way["gives"]),
                "room": _room(way),
                "releases": [self.names.get(module, module) for module in way["releases"]],
                "needs": self.names.get(way["needs"], way["needs"]) if way["needs"] else "",
            }
            for way in self.trace["would_give"]
        ]

    # ── What changed last ───────────────────────────────────────────────────
    @cached_property
    def changed(self) -> dict[str, Any] | None:
        changed: dict[str, Any] | None = self.trace["changed_last"]
        if changed is None:
            return None
        causes = [cause | self._seats_named(cause) for cause in changed["causes"]]
        said = {"before": self._said(changed["before"]), "after": self._said(changed["after"])}
        return changed | said | {"causes": causes, "is_first": changed["before"] is None}

    def _seats_named(self, cause: Mapping[str, Any]) -> dict[str, list[str]]:
        return {key: [self.names.get(m, m) for m in cause[key]] for key in ("seats_gained", "seats_lost")}

    # ── For a ticket ────────────────────────────────────────────────────────
    @cached_property
    def revision(self) -> int:
        entries = RevisionEntry.objects.filter(customer=self.customer, at__lte=self.at).order_by("-at")
        return int(entries.values_list("number", flat=True).first() or 0)

    @property
    def address(self) -> str:
        """The address of this very answer, for good."""
        user = "" if self.user is None else self.user.code
        return explain_address(self.customer, user=user, feature=self.code, at=self.at)

    def text(self, root: str) -> str:
        """Returns all of it as plain text; `root` is the site's address, `https://…/`."""
        return "\n".join([*self._lines(), f"Link: {root.rstrip('/')}{self.address}"])

    def _lines(self) -> Iterator[str]:
        yield f"Customer: {self.customer.name} ({self.customer.code})"
        yield "User: the customer as a whole" if self.user is None else f"User: {self.user.name} ({self.user.code})"
        yield f"Feature: {self.name} ({self.code})"
        yield f"At: {spelled(self.at)}, revision {self.revision}"
        yield f"Answer: {self.access}. {self.value}"
        yield f"Why: {self.because}"
        yield from _listed("What could give it", (_source_line(source) for source in self.sources))
        yield from _listed("Overrides", (_step_line(step) for step in self.overrides))
        yield from _listed("What else would give it", (self._named(way["words"]) for way in self.trace["would_give"]))
        if self.changed is not None:
            yield from self._change_lines(self.changed)

    def _change_lines(self, changed: Mapping[str, Any]) -> Iterator[str]:
        from_what = "" if changed["is_first"] else f"{changed['before']} → "
        yield f"Changed last: {spelled(changed['at'])}, revision {changed['revision']}: {from_what}{changed['after']}"
        for cause in changed["causes"]:
            seats = [*(f"+ {name}" for name in cause["seats_gained"]), *(f"− {name}" for name in cause["seats_lost"])]
            who = f" by {cause['actor']}" if cause["actor"] else ""
            why = f". {cause['reason']}" if cause["reason"] else ""
            yield f"- {cause['words']}{who}{': ' if seats else ''}{', '.join(seats)}{why}"

    def _said(self, answer: Mapping[str, Any] | None) -> str:
        return answer_in_words(answer, named_of(self.feature))

    def _named(self, text: str) -> str:
        return with_names(text, self.names)


def given(shown: Mapping[str, Any] | None) -> str:
    """Returns a value as the trace spells it, in words."""
    if shown is None:
        return "nothing"
    if shown.get("unlimited"):
        return "unlimited"
    value = shown["value"]
    return {True: "yes", False: "no"}.get(value, str(value)) if isinstance(value, bool) else str(value)


def _seats(source: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Returns the seats behind a source: its own, and that of the module it is used with."""
    return [seat for seat in (source["seat"], source["user_module_seat"]) if seat is not None]


def _room(way: Mapping[str, Any]) -> str:
    seats = way["seats"]
    if seats is None:
        return ""
    if seats["unrestricted"]:
        return "unlimited"
    return f"{seats['free']} of {seats['total']} free" if seats["free"] else f"full: {seats['total']} taken"


def _listed(title: str, lines: Iterable[str]) -> Iterator[str]:
    found = list(lines)
    if found:
        yield f"{title}:"
        yield from (f"- {line}" for line in found)


def _source_line(source: Mapping[str, Any]) -> str:
    version = f" v{source['version']}" if source["version"] else ""
    origin = source["defined_by"]
    defined = f" (from {origin})" if origin and origin != source["code"] else ""
    return " ".join([f"{source['code']}{version}: {source['gives']}{defined}. {source['words']}", *_given_by(source)])


def _given_by(source: Mapping[str, Any]) -> Iterator[str]:
    for seat in source["seats"]:
        why = f": {seat['reason']}" if seat["reason"] else ""
        day = date_format(seat["assigned_at"], "j M Y, H:i")
        yield f"Seat given by {seat['assigned_by']} on {day} UTC (change set {seat['change_set']}){why}."


def _step_line(step: Mapping[str, Any]) -> str:
    until = f", until {spelled(step['ends_at'])}" if step["ends_at"] else ""
    said = f"{step['mode'].replace('_', ' ')} for the {step['subject']}: {step['before']} → {step['after']}"
    return f"{said}. By {step['granted_by']}{until}: {step['reason']}"
