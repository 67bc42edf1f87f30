"""What is odd about a version beside all that is for sale, before it is published. Pure; rules E-6 to E-12.

A *fault* refuses publishing: nobody could ever buy it, until somebody edits a rule. A *warning* is shown and refuses
nothing: it may be meant, or another publication may mend it. A new finding is one more function in `WARNINGS`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from catalog.content.merges import Effect, effect_of
from catalog.content.shape import FeatureContent, VersionContent
from catalog.content.standing import OnShelf, Shelf, brought_in, clash_of, pairs
from catalog.errors import PublishFault
from catalog.kinds import LARGEST_LIMIT, Unlimited
from catalog.targets import hits, in_words, meets, tier_of

Severity = Literal["fault", "warning"]
_NAMED: Final = 3  # plans in one sentence


@dataclass(frozen=True, slots=True)
class Finding:
    """A stable code, how bad it is, where in the version, and a sentence for people."""

    code: str
    severity: Severity
    path: str
    message: str


@dataclass(frozen=True, slots=True)
class Case:
    """A version on the shelf as it would be, and as it is `before`; `beside` are the plans sold that it may join."""

    content: VersionContent
    offer: OnShelf
    shelf: Shelf
    before: Shelf
    beside: tuple[OnShelf, ...]

    @property
    def is_add_on(self) -> bool:
        return not self.offer.is_plan

    def warning(self, code: str, path: str, message: str) -> Finding:
        return Finding(code, "warning", path, message)


Warnings = Callable[[Case], Iterator[Finding]]


def lint(content: VersionContent, shelf: Shelf) -> list[Finding]:
    """Returns what is odd about `content` beside all else on the shelf. Never raises."""
    faults = [Finding(fault.code, "fault", fault.path, fault.message) for fault in rule_faults(content, shelf)]
    return faults or [finding for look in WARNINGS for finding in look(case_of(content, shelf))]


def case_of(content: VersionContent, shelf: Shelf) -> Case:
    offer = OnShelf.of_content(content)
    after = shelf.having(offer)
    plans = (plan for plan in after.offers.values() if plan.is_plan and not plan.lacks and plan.code != offer.code)
    beside = tuple(plan for plan in plans if clash_of((offer.code, plan.code), after) is None)
    return Case(content, offer, after, shelf, beside)


# ── Faults ──────────────────────────────────────────────────────────────────


def rule_faults(content: VersionContent, shelf: Shelf) -> Iterator[PublishFault]:
    """Yields why nobody could ever buy it: at most none, or rules that no choice of plans and add-ons meets (E-6)."""
    name = content.offer.name
    if content.max_quantity == 0:
        yield PublishFault("none_at_most", "max_quantity", f"At most 0 of {name}: nobody could buy it. Say 1 or more.")
    offer = OnShelf.of_content(content)
    after = shelf.having(offer)
    clash = clash_of([offer.code], after)
    if clash is not None:
        through = clash.chain[1] if len(clash.chain) > 1 else clash.target
        verb = "excludes" if clash.other and len(clash.chain) == 1 else "needs"
        message = f"{clash.in_words(after)}. So nobody could ever buy {name}."
        yield PublishFault("rules_cannot_be_met", f"rules.{verb}.{through}", message)


# ── Warnings: what can't be reached ─────────────────────────────────────────


def needs_are_sold(case: Case) -> Iterator[Finding]:
    """E-7: all that it needs can be bought, over however many needs."""
    own, shelf = case.offer.code, case.shelf
    is_reachable = True
    for code, chain in brought_in([own], shelf).items():
        member = shelf.get(code)
        path = f"rules.needs.{chain[1] if len(chain) > 1 else ''}"
        if code != own and member.lacks:
            is_reachable = False
            story = ", and ".join(f"{shelf.name(one)} needs {shelf.name(other)}" for one, other in pairs(chain))
            yield case.warning("need_not_sold", path, f"{story}, but {member.lacks}.")
        for target in filter(tier_of, member.needs):
            if not any(not plan.lacks and plan.code != code for plan in shelf.meeting(target)):
                is_reachable = False
                wanted = in_words(target, "needs", shelf.names)
                message = f"{shelf.name(code)} needs {wanted}, and none is for sale."
                yield case.warning("tier_not_sold", path if len(chain) > 1 else f"rules.needs.{target}", message)
    if is_reachable:
        yield from _only_what_is_not_sold(case)


def _only_what_is_not_sold(case: Case) -> Iterator[Finding]:
    """Tells when a need of a tier is met by nothing but plans that nobody can buy."""
    needed = brought_in([case.offer.code], case.shelf)
    sold = {code: offer for code, offer in case.shelf.offers.items() if not offer.lacks or code in needed}
    clash = clash_of([case.offer.code], Shelf(sold, case.shelf.ranks, case.shelf.tier_names))
    if clash is not None:
        message = f"Of what is for sale nothing meets its needs: {clash.in_words(case.shelf)}."
        yield case.warning("need_not_sold", f"rules.needs.{clash.target}", message)


def needs_go_round(case: Case) -> Iterator[Finding]:
    """E-8: what it needs doesn't need it in turn."""
    own, shelf = case.offer.code, case.shelf
    for code, chain in brought_in([own], shelf).items():
        if code != own and own in shelf.get(code).needs:
            story = ", and ".join(f"{shelf.name(one)} needs {shelf.name(other)}" for one, other in pairs((*chain, own)))
            message = f"{story}: they can only be bought, and given up, together."
            yield case.warning("needs_in_a_circle", f"rules.needs.{chain[1]}", message)


def needs_say_something(case: Case) -> Iterator[Finding]:
    """E-8: no need follows from another one."""
    for target in case.offer.needs:
        for other in case.offer.needs:
            if target != other and tier_of(target) is not None and _implies(other, target, case.shelf):
                needs = [in_words(each, "needs", case.shelf.names) for each in (other, target)]
                message = f"Who has {needs[0]} has {needs[1]} too, so that need says nothing more."
                yield case.warning("need_is_implied", f"rules.needs.{target}", message)
                break


def _implies(one: str, other: str, shelf: Shelf) -> bool:
    """Whether whatever meets `one` meets the need of the tier `other`."""
    tier, wanted = tier_of(one), shelf.ranks.get(tier_of(other) or "")
    if tier is None:
        return meets(other, shelf.get(one), shelf.ranks)
    rank = shelf.ranks.get(tier)
    return rank is not None and wanted is not None and rank > wanted


def others_can_still_be_bought(case: Case) -> Iterator[Finding]:
    """E-9: it doesn't put an end to the sale of something else."""
    was, now = case.before.get(case.offer.code), case.offer
    if (was.needs, was.excludes, was.tier) == (now.needs, now.excludes, now.tier):
        return
    for other in case.shelf.offers.values():
        if other.lacks or other.code == case.offer.code:
            continue
        clash = clash_of([other.code], case.shelf)
        if clash is not None and clash_of([other.code], case.before) is None:
            message = f"With this, nobody could buy {other.name or other.code}: {clash.in_words(case.shelf)}."
            own = next((target for target in case.offer.excludes if hits(target, other)), "")
            yield case.warning("shuts_out", f"rules.excludes.{own}" if own else "rules", message)


# ── Warnings: who may use it ────────────────────────────────────────────────


def users_are_asked(case: Case) -> Iterator[Finding]:
    """E-10: a plan needed by what is given by the user is asked of the customer, not of that user."""
    own = case.content.own_module
    plans = [target for target in case.offer.needs if tier_of(target) or case.shelf.get(target).is_plan]
    if case.is_add_on and case.offer.scope == "user" and own is not None and own.prerequisite is None and plans:
        needs = " and ".join(in_words(target, "needs", case.shelf.names) for target in plans)
        message = (
            f"The customer needs {needs}, but not each user: {own.name} has no prerequisite, "
            "so it can be given to somebody without."
        )
        yield case.warning("need_not_asked_of_users", f"rules.needs.{plans[0]}", message)


def somebody_can_use_it(case: Case) -> Iterator[Finding]:
    """E-10: the hidden user module of what a site add-on grants comes with some plan beside it."""
    if not case.is_add_on or case.offer.scope != "site" or not case.beside:
        return
    brought = {name for plan in case.beside for name in plan.set_names}
    for feature in case.content.ordered_features:
        carriers = (case.content.modules.get(name) for name in feature.module_names)
        for module in carriers:
            if module is not None and module.is_user_module and module.hidden and module.name not in brought:
                message = (
                    f"{feature.definition.name} is used by those who hold {module.name}, "
                    "which no plan that it may stand beside brings along."
                )
                yield case.warning("nobody_could_use", f"features.{feature.code}", message)


# ── Warnings: surprising merges ─────────────────────────────────────────────


def grants_make_a_difference(case: Case) -> Iterator[Finding]:
    """E-11: what an add-on gives is more than every plan beside it gives already."""
    features = case.content.ordered_features if case.is_add_on and case.beside else []
    idle = [feature for feature in features if _effects(case, feature) == {Effect.NONE}]
    if idle and len(idle) == len(features):
        message = f"Every plan that it may stand beside gives all of it already: {_plans(case.beside)}."
        yield case.warning("adds_nothing", "features", message)
        return
    for feature in idle:
        message = (
            f"{feature.definition.name}: {feature.shown} changes nothing beside any plan that it may stand beside "
            f"(rule {feature.definition.rule})."
        )
        yield case.warning("no_effect", f"features.{feature.code}", message)


def grants_take_nothing_away(case: Case) -> Iterator[Finding]:
    """E-11: under *min*, an add-on below what a plan gives lowers what its holders have."""
    for feature in case.content.ordered_features if case.is_add_on else ():
        lower = [plan for plan in case.beside if effect_of(feature, plan.values.get(feature.code)) is Effect.LOWERS]
        if lower:
            was = feature.definition.behaviour.show(lower[0].values[feature.code], None, feature.definition.unit)
            message = (
                f"{feature.definition.name}: the lowest counts (rule min), so {feature.shown} takes away from those "
                f"who have {_plans(lower)}; {lower[0].name or lower[0].code} gives {was}."
            )
            yield case.warning("caps_below", f"features.{feature.code}", message)


def sums_stay_in_bounds(case: Case) -> Iterator[Finding]:
    """E-11: so many as may be bought don't come to more than the largest limit."""
    for feature in case.content.ordered_features if case.is_add_on else ():
        value = feature.value
        if feature.definition.rule != "sum" or isinstance(value, bool | str | Unlimited):
            continue
        most = case.offer.most or 1
        bases = [plan.values.get(feature.code) for plan in case.beside]
        base = max((each for each in bases if isinstance(each, int) and not isinstance(each, bool)), default=0)
        if value * most + base > LARGEST_LIMIT:
            message = f"{feature.definition.name}: {most:,} of them add up to more than {LARGEST_LIMIT:,}, the largest."
            yield case.warning("sum_past_largest", f"features.{feature.code}", message)


def more_is_more(case: Case) -> Iterator[Finding]:
    """E-12: of a site add-on more than one can be bought only where something of it adds up."""
    if case.is_add_on and case.offer.scope == "site" and case.offer.most != 1 and case.content.features:
        modules = case.content.modules.values()
        is_given = any(module.is_user_module and not module.hidden and module.role != "own" for module in modules)
        adds_up = any(_adds_up(feature) for feature in case.content.features.values())
        if not is_given and not adds_up:
            message = "Nothing of it adds up, so a second one gives nothing more. Say at most 1."
            yield case.warning("more_is_no_more", "max_quantity", message)


def _adds_up(feature: FeatureContent) -> bool:
    return feature.definition.rule == "sum" and not isinstance(feature.value, Unlimited)


def _effects(case: Case, feature: FeatureContent) -> set[Effect]:
    return {effect_of(feature, plan.values.get(feature.code)) for plan in case.beside}


def _plans(plans: Sequence[OnShelf]) -> str:
    named = [plan.name or plan.code for plan in plans[:_NAMED]]
    more = len(plans) - len(named)
    return ", ".join(named) + (f" and {more} more" if more else "")


WARNINGS: Final[tuple[Warnings, ...]] = (
    needs_are_sold,
    needs_go_round,
    needs_say_something,
    others_can_still_be_bought,
    users_are_asked,
    somebody_can_use_it,
    grants_make_a_difference,
    grants_take_nothing_away,
    sums_stay_in_bounds,
    more_is_more,
)
