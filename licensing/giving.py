"""What else would give a user a feature, or more of it: seats of what the customer has, and what is on sale (W-3).

Each is tried: `resolve` says what the answer would be, so nothing is offered that would change nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from catalog.models import Version
from customers.models import Customer
from licensing import facts as f
from licensing.compiling import SITE, USER, CompiledItem, compile_rows
from licensing.differences import Effect, differences
from licensing.differences import in_words as decision_in_words
from licensing.extra_info import parse_set
from licensing.models import Holding
from licensing.resolution import Decision, Resolution, resolve_feature
from licensing.seating import Assignable, Inventory
from licensing.selectors import Timeline, grant_of, users_per_holding

_ORDER = {"seat": 0, "version": 1, "more": 2, "sale": 3}


@dataclass(frozen=True, slots=True)
class Way:
    """One thing that would give it. `how`: seat (the customer has it), version (a newer one of what it has), more (one
    more of an add-on that it has), sale.

    `answer` is what the user would have then; `releases` the plans that would go, `needs` a module that is missing.
    `total`, `in_use` count the seats that the customer has; they say nothing where it has none.
    """

    how: str
    code: str
    name: str
    type: str  # plan, add_on or module
    version: int | None
    module: str
    answer: Decision
    releases: tuple[str, ...] = ()
    needs: str | None = None
    total: int | None = None
    in_use: int | None = None
    unrestricted: bool = False

    @property
    def free(self) -> int | None:
        return None if self.unrestricted or self.total is None else max(self.total - (self.in_use or 0), 0)

    def as_json(self) -> dict[str, Any]:
        """Returns it as the API tells it."""
        return {
            "how": self.how,
            "code": self.code,
            "name": self.name,
            "type": self.type,
            "version": self.version,
            "module": self.module,
            "gives": self.answer.as_json(),
            "releases": list(self.releases),
            "needs": self.needs,
            "seats": None
            if self.total is None
            else {
                "total": None if self.unrestricted else self.total,
                "in_use": self.in_use,
                "free": self.free,
                "unrestricted": self.unrestricted,
            },
            "words": self.words,
        }

    @property
    def words(self) -> str:
        """The way in one sentence, and what stands in it."""
        version = f" v{self.version}" if self.version else ""
        gives = decision_in_words(self.answer)
        said = {
            "seat": f"A seat of {self.name}: {gives}.",
            "version": f"{self.name}{version}, newer than what the customer has: {gives}.",
            "more": f"One more of {self.name}: {gives}.",
            "sale": f"{self.name}{version}, which the customer has not bought: {gives}.",
        }[self.how]
        more = []
        if self.how == "seat":
            if self.unrestricted:
                more.append("Everybody may have one.")
            else:
                more.append(f"{self.free} of {self.total} free." if self.free else f"All {self.total} are taken.")
        if self.needs is not None:
            more.append(f"It needs {self.needs}.")
        if self.releases:
            more.append(f"It takes the place of {', '.join(self.releases)}.")
        return " ".join([said, *more])


def would_give(customer: Customer, timeline: Timeline, holding: f.Holding, feature: str, at: datetime) -> list[Way]:
    """Returns what would give more of `feature` than there is: what is free first, then what is to be bought.

    Three queries, and two more where seats are counted. Nothing for those who may hold nothing.
    """
    if holding.kind is f.HolderKind.INACTIVE:
        return []
    shop = _Shop(timeline, holding, feature, at)
    ways = [*shop.seats(), *shop.sales(_on_sale(feature, at))]
    seats = [way for way in ways if way.how == "seat"]
    used = _in_use(customer, {way.module for way in seats}, at) if seats else {}
    counted = [replace(way, in_use=used.get(way.module, 0)) if way.how == "seat" else way for way in ways]
    return sorted(counted, key=lambda way: (_ORDER[way.how], way.how == "seat" and way.free == 0))


def _on_sale(feature: str, at: datetime) -> list[Version]:
    """Returns the versions that new sales take at `at` and that name the feature."""
    versions = Version.objects.offered(at).filter(offer__for_sale=True, published_features__feature__code=feature)
    return list(versions.order_by("offer__type", "offer__position", "offer__code"))


def _in_use(customer: Customer, modules: set[str], at: datetime) -> dict[str, int]:
    """Returns how many users hold each visible module at `at`; reads indexes and no users."""
    counts = users_per_holding([customer.pk], at)
    used: Counter[str] = Counter()
    for pk, held in Holding.objects.filter(pk__in=counts).values_list("pk", "modules"):
        used.update(dict.fromkeys(modules.intersection(held), counts[pk]))
    return dict(used)


class _Shop:
    """What could be tried for one holder, at one instant."""

    def __init__(self, timeline: Timeline, holding: f.Holding, feature: str, at: datetime) -> None:
        self.timeline, self.holding, self.feature = timeline, holding, feature
        self.facts = timeline.facts(at)
        self.rows = {row.full_name: row for row in timeline.rows if row.package.is_in_force(at)}
        self.present = resolve_feature(self.facts, holding, feature)
        self.held = holding.modules & self.facts.visible_modules
        self.inventory = Inventory(
            {name: _assignable(name, row) for name, row in self.rows.items() if row.assignable},
            self.facts.site_modules,
        )

    # ── What the customer has ───────────────────────────────────────────────
    def seats(self) -> Iterator[Way]:
        """Yields the seats that the user could be given."""
        if self.holding.kind is not f.HolderKind.USER:
            return
        for module, offered in sorted(self.inventory.assignables.items()):
            if module in self.held:
                continue
            row = self.rows[module]
            way = self._tried(self.facts, self.inventory, offered)
            if way is not None:
                yield replace(
                    way,
                    how="seat",
                    code=row.offer_code or module,
                    name=row.module_description,
                    type="plan" if row.is_plan else "add_on" if row.grants else "module",
                    version=row.version_number,
                    total=row.license_number,
                    unrestricted=row.unrestricted,
                )

    def _tried(self, facts: f.CustomerFacts, inventory: Inventory, offered: Assignable) -> Way | None:
        """Returns what holding it as well would give, released what overlaps; none where that is no more."""
        released = [plan.module for plan in inventory.plans(self.held) if plan.overlaps(offered)]
        after = (self.holding.modules - frozenset(released)) | {offered.module}
        answer = self._better(facts, replace(self.holding, modules=after))
        if answer is None:
            return None
        needed = offered.prerequisite
        needs = needed if needed is not None and not inventory.has(after, needed) else None
        return Way("", "", "", "", None, offered.module, answer, tuple(sorted(released)), needs)

    def _better(self, facts: f.CustomerFacts, holding: f.Holding) -> Decision | None:
        answer = resolve_feature(facts, holding, self.feature)
        found = differences(self._alone(self.present), self._alone(answer))
        return answer if found and found[0].effect in (Effect.GAINED, Effect.RAISED) else None

    def _alone(self, decision: Decision | None) -> Resolution:
        return Resolution((), (), {} if decision is None else {self.feature: decision})

    # ── What is on sale ─────────────────────────────────────────────────────
    def sales(self, versions: list[Version]) -> Iterator[Way]:
        """Yields what could be bought: what the customer lacks, newer versions of what it has, and more of it."""
        sold = {row.offer_code: row.version_number or 0 for row in self.rows.values() if row.offer_code}
        for version in versions:
            content, number = version.content or {}, version.number or 0
            code = content["offer"]["code"]
            if sold.get(code, -1) >= number:
                more = self._one_more(code, content["max_quantity"])
                if more is not None:
                    yield more
                continue
            way = self._bought(CompiledItem(version.pk, number, 1, content))
            if way is not None:
                yield replace(way, how="version" if code in sold else "sale")

    def _one_more(self, code: str, most: int | None) -> Way | None:
        """Returns what one more of an add-on that the customer has would give; of one per user, a user holds one."""
        counts = self.holding.kind is f.HolderKind.CUSTOMER
        for place, source in enumerate(self.facts.sources):
            if source.code != code or source.is_plan or (source.is_seat and not counts):
                continue
            if most is not None and source.quantity >= most:
                continue
            one_more = (replace(source, quantity=source.quantity + 1),)
            sources = self.facts.sources[:place] + one_more + self.facts.sources[place + 1 :]
            answer = self._better(replace(self.facts, sources=sources), self.holding)
            if answer is not None:
                name = self.rows[source.module].module_description
                return Way("more", code, name, "add_on", source.version, source.module, answer)
        return None

    def _bought(self, item: CompiledItem) -> Way | None:
        """Returns what buying one of it would give, a seat of it included where it is given by seat."""
        offer, module = item.content["offer"], str(item.content["module"])
        facts, inventory = self._with(item)
        if offer["scope"] == "user" and self.holding.kind is f.HolderKind.USER:
            way = self._tried(facts, inventory, inventory.assignables[module])
        else:
            answer = self._better(facts, self.holding)
            way = None if answer is None else Way("", "", "", "", None, module, answer)
        if way is None:
            return None
        kind = "plan" if offer["type"] == "plan" else "add_on"
        return replace(way, code=item.code, name=offer["name"], type=kind, version=item.number)

    def _with(self, item: CompiledItem) -> tuple[f.CustomerFacts, Inventory]:
        """Returns the facts and what can be held, had the customer one of this version in place of any other."""
        known, owner = self.facts, self.facts.own_owner
        had = [source.quantity for source in known.sources if source.code == item.code]
        rows = {f.full_name(owner, row.module_name): row for row in compile_rows([item])}
        own = rows[str(item.content["module"])]
        source = f.Source(
            code=own.offer_code,
            name=own.module_description,
            module=str(item.content["module"]),
            owner=owner,
            grants=tuple(grant_of(code, data) for code, data in sorted(own.grants.items())),
            is_plan=own.is_plan,
            is_seat=own.license_type == USER,
            version=own.version_number,
            tier=own.tier or None,
            solutions=tuple(own.solutions),
            quantity=min(max([1, *had]), item.content["max_quantity"] or max([1, *had])),
        )
        states: Mapping[str, f.DateState] = known.states
        if known.state_of(owner) is f.DateState.NONE:
            states = {**states, owner: f.DateState.ACTIVE}
        assignables = {
            name: _assignable(name, row) for name, row in rows.items() if row.license_type == USER and not row.hidden
        }
        facts = replace(
            known,
            states=states,
            sources=(*(s for s in known.sources if s.code != source.code), source),
            site_modules=known.site_modules | {name for name, row in rows.items() if row.license_type == SITE},
            visible_modules=known.visible_modules | assignables.keys(),
            sets={**known.sets, **({source.module: _set_of(owner, own)} if own.is_plan else {})},
        )
        return facts, Inventory({**self.inventory.assignables, **assignables}, facts.site_modules)


def _assignable(name: str, row: Any) -> Assignable:
    """Returns a row (saved or only compiled) of a package as what can be held."""
    owner = f.owner_of(name)
    needed = row.prerequisite_module
    return Assignable(
        module=name,
        is_plan=row.is_plan,
        solutions=frozenset(row.solutions),
        prerequisite=f.full_name(owner, needed) if needed else None,
        switches_on=_set_of(owner, row),
        total=row.license_number,
        unrestricted=row.unrestricted,
    )


def _set_of(owner: str, row: Any) -> tuple[str, ...]:
    return tuple(f.full_name(owner, name) for name in parse_set(row.extra_info)) if row.is_plan else ()
