"""Facts without a database: what the tests of the pure core tell their stories with.

Fjordlys runs on packages of SUPEROFFICE, and has one of a partner, ACME. Module names are bare for our own, and
`acme.name` for the partner's.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from catalog.kinds import Value
from licensing.facts import (
    Access,
    Choice,
    CustomerFacts,
    DateState,
    FeatureDef,
    Grant,
    HolderKind,
    Holding,
    Mode,
    Override,
    Source,
    full_name,
    owner_of,
)
from licensing.resolution import Decision, resolve

OWN = "SUPEROFFICE"
PARTNER = "ACME"


def full(name: str) -> str:
    """Returns `owner.module`; a bare name is one of our own."""
    return name if "." in name else full_name(OWN, name)


def maybe(name: str | None) -> str | None:
    return None if name is None else full(name)


def switch(code: str, site: str | None = None, user: str | None = None, **fields: Any) -> FeatureDef:
    """Returns a feature carried by a site and a user module, if they are named."""
    given: dict[str, Any] = {"kind": "switch", "rule": "any", **fields}
    return FeatureDef(code=code, site_module=maybe(site), user_module=maybe(user), **given)


def limit(code: str, rule: str = "max", site: str | None = None, user: str | None = None, **fields: Any) -> FeatureDef:
    return switch(code, site, user, kind="limit", rule=rule, counts="call", **fields)


def level(
    code: str, *choices: str | Choice, site: str | None = None, user: str | None = None, **fields: Any
) -> FeatureDef:
    steps = tuple(c if isinstance(c, Choice) else Choice(c) for c in choices)
    return switch(code, site, user, kind="level", rule="highest", choices=steps, **fields)


def choice(code: str, site: str | None = None, user: str | None = None) -> Choice:
    return Choice(code, "", maybe(site), maybe(user))


@dataclass(frozen=True, slots=True)
class Sold:
    """A row of a package, and what its `set=` switches on."""

    source: Source
    switches_on: tuple[str, ...] = ()


Gives = Mapping[FeatureDef, Value]


def plan(
    module: str,
    gives: Gives,
    *,
    switches_on: Iterable[str] = (),
    origin: str | None = None,
    version: int | None = 1,
    tier: str | None = None,
    solutions: tuple[str, ...] = ("sales",),
    quantity: int = 1,
) -> Sold:
    """Returns a plan's row. Its code is its module's name; `origin` is who defined its grants (none: the plan)."""
    code = full(module).partition(".")[2]
    return Sold(
        Source(
            code=code,
            module=full(module),
            owner=owner_of(full(module)),
            grants=_grants(gives, origin or code),
            version=version,
            tier=tier,
            solutions=solutions,
            quantity=quantity,
        ),
        tuple(full(name) for name in switches_on),
    )


def add_on(module: str, gives: Gives, *, per_user: bool = False, quantity: int = 1, origin: str | None = None) -> Sold:
    """Returns the row of a site-wide add-on, or of one per user."""
    code = full(module).partition(".")[2]
    return Sold(
        Source(
            code=code,
            module=full(module),
            owner=owner_of(full(module)),
            grants=_grants(gives, origin or code),
            is_plan=False,
            is_seat=per_user,
            version=1,
            quantity=quantity,
        )
    )


def _grants(gives: Gives, origin: str) -> tuple[Grant, ...]:
    return tuple(Grant(feature, value, origin) for feature, value in gives.items())


def facts(
    *sold: Sold,
    site: Iterable[str] = (),
    states: Mapping[str, DateState] | None = None,
    overrides: Iterable[Override] = (),
    visible: Iterable[str] = (),
) -> CustomerFacts:
    """Returns a customer with these rows, all packages active unless `states` says otherwise.

    `site` names the site modules, `visible` the user modules that can be held beside the rows' own.
    """
    every_owner = {owner_of(row.source.module) for row in sold} | {OWN}
    return CustomerFacts(
        own_owner=OWN,
        states=dict.fromkeys(sorted(every_owner), DateState.ACTIVE) | dict(states or {}),
        sources=tuple(row.source for row in sold),
        site_modules=frozenset(full(name) for name in site)
        | {row.source.module for row in sold if not row.source.is_seat},
        visible_modules=frozenset(full(name) for name in visible)
        | {row.source.module for row in sold if row.source.is_seat},
        sets={row.source.module: row.switches_on for row in sold if row.source.is_plan},
        overrides=tuple(overrides),
    )


def holds(*modules: str, overrides: Iterable[Override] = ()) -> Holding:
    """Returns what a user holds who was given these modules, and overrides of their own."""
    return Holding(HolderKind.USER, frozenset(full(name) for name in modules), tuple(overrides))


CUSTOMER = Holding(HolderKind.CUSTOMER)
INACTIVE = Holding(HolderKind.INACTIVE)


def override(feature: FeatureDef, mode: str, value: Value | None = None) -> Override:
    return Override(feature, Mode(mode), value)


def decision(at: CustomerFacts, who: Holding, feature: FeatureDef | str) -> Decision | None:
    """Returns the decision on a feature as the whole resolution has it."""
    code = feature if isinstance(feature, str) else feature.code
    return resolve(at, who).features.get(code)


def told(found: Decision | None) -> str:
    """Returns an answer in the words of docs/resolution.md: `none`, `view`, `edit`, or `edit` and the value."""
    if found is None or found.access is not Access.EDIT:
        return "none" if found is None else found.access.word
    shown = found.as_json()
    value = "unlimited" if shown.get("unlimited") else shown["value"]
    return "edit" if value is True else f"edit {value}"


def answer(at: CustomerFacts, who: Holding, feature: FeatureDef | str) -> str:
    return told(decision(at, who, feature))
