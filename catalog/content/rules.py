"""What must hold before a draft may be published; every rule yields all the faults it finds. Pure; rules V-5 to V-16.

A new rule is one more function in `DRAFT_RULES` (what the draft says) or `CONTENT_RULES` (what it comes to).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from catalog.content.drafts import DraftFacts, VersionKey
from catalog.content.lint import rule_faults
from catalog.content.shape import SITE, USER, FeatureDefinition, VersionContent
from catalog.errors import PublishFault

LONGEST_EXTRA_INFO: Final = 3999  # ExtraInfo is a String 3999 (domain field table B2)

DraftRule = Callable[[DraftFacts], Iterator[PublishFault]]
ContentRule = Callable[[DraftFacts, VersionContent], Iterator[PublishFault]]


def includes_are_published(draft: DraftFacts) -> Iterator[PublishFault]:
    for include in draft.missing_includes:
        if include.code != draft.offer.code:
            yield PublishFault(
                "include_not_published",
                f"includes.{include.code}",
                f"{include.code} has no published version to include. Publish it first.",
            )


def includes_have_no_cycle(draft: DraftFacts) -> Iterator[PublishFault]:
    for include in draft.includes:
        path = _path_back(draft, include.code, include.version)
        if path:
            yield PublishFault(
                "include_cycle",
                f"includes.{include.code}",
                f"{' includes '.join([draft.offer.code, *path])}: it would contain itself.",
            )


def _path_back(draft: DraftFacts, code: str, version: int | None) -> list[str]:
    """Returns the codes from the include `code` to the draft's own, or nothing when it doesn't lead there."""
    waiting: list[tuple[VersionKey, list[str]]] = [((code, version or 0), [code])]
    seen: set[VersionKey] = set()
    while waiting:
        key, path = waiting.pop()
        if key[0] == draft.offer.code:
            return path
        if key not in seen:
            seen.add(key)
            waiting += [(inner, [*path, inner[0]]) for inner in draft.include_graph.get(key, ())]
    return []


def changelog_is_written(draft: DraftFacts) -> Iterator[PublishFault]:
    if not draft.is_first and not draft.changelog.strip():
        yield PublishFault("changelog_missing", "changelog", "Say in one line what is new in this version.")


def own_module_fits(draft: DraftFacts) -> Iterator[PublishFault]:
    """What is for sale has a module of the own owner, of the type its scope wants, and one that can be given."""
    if draft.module is None:
        if draft.for_sale:
            yield PublishFault(
                "module_missing", "module", f"{draft.offer.name} is for sale, so it needs a module of its own."
            )
        return
    module = draft.modules[draft.module]
    if module.owner != draft.own_owner:
        yield PublishFault(
            "foreign_module", "module", f"{module.full_name} is a module of {module.owner}, not of {draft.own_owner}."
        )
    wanted, words = (SITE, "site") if draft.offer.scope == "site" else (USER, "user")
    if module.type != wanted:
        yield PublishFault(
            "module_type", "module", f"{draft.offer.name} is per {words}, so {module.name} must be a {words} module."
        )
    elif wanted == USER and module.hidden:
        yield PublishFault("module_hidden", "module", f"{module.name} is hidden, so nobody could be given it.")


def plan_covers_a_solution(draft: DraftFacts) -> Iterator[PublishFault]:
    if draft.for_sale and draft.offer.type == "plan" and not draft.offer.solutions:
        yield PublishFault("solution_missing", "solutions", "A plan that is for sale covers at least one solution.")


def rules_agree(draft: DraftFacts) -> Iterator[PublishFault]:
    """Nothing needs or excludes itself, needs what it excludes, or needs what shuts it, or another need, out."""
    own = draft.offer.code
    excluded = {other.code for other in draft.excludes}
    for verb, others in (("needs", draft.needs), ("excludes", draft.excludes)):
        for other in others:
            if other.code == own:
                yield PublishFault("rule_names_itself", f"rules.{verb}.{own}", f"{own} {verb} itself.")
    for other in draft.needs:
        if other.code in excluded:
            message = f"{own} needs {other.code} and excludes it."
            yield PublishFault("rules_contradict", f"rules.needs.{other.code}", message)
        for code in sorted({own, *(need.code for need in draft.needs)}.intersection(_excludes_of(other.content))):
            message = f"{own} needs {other.code}, which excludes {'it' if code == own else code}."
            yield PublishFault("rules_contradict", f"rules.needs.{other.code}", message)


def _excludes_of(content: VersionContent | None) -> tuple[str, ...]:
    return content.excludes if content is not None else ()


def rules_can_be_met(draft: DraftFacts, content: VersionContent) -> Iterator[PublishFault]:
    """Somebody could buy it: at least one, and some choice of plans and add-ons meets all that it needs (E-6)."""
    if not any(rules_agree(draft)):  # which says it shorter
        yield from rule_faults(content, draft.shelf)


def definitions_are_for_good(draft: DraftFacts) -> Iterator[PublishFault]:
    """Kind, rule, unit and counting stay as first published; choices keep their order, and none goes (F-4)."""
    for grant in draft.grants:
        now = grant.definition
        known = draft.published.get(now.code)
        for what in _changed_for_good(known.definition, now) if known and known.definition != now else ():
            yield PublishFault(
                "definition_changed",
                f"features.{now.code}",
                f"{now.name}: {what} since {known.source if known else ''}, and that is for good.",
            )


def _changed_for_good(was: FeatureDefinition, now: FeatureDefinition) -> Iterator[str]:
    if was.kind != now.kind:
        yield f"its kind changed from {was.kind} to {now.kind}"
    if was.rule != now.rule:
        yield f"its merge rule changed from {was.rule} to {now.rule}"
    if was.unit != now.unit:
        yield f"its unit changed from {was.unit or 'none'} to {now.unit or 'none'}"
    if was.counts != now.counts:
        yield f"what it is counted per changed from {was.counts or 'nothing'} to {now.counts or 'nothing'}"
    if was.resets != now.resets:
        yield f"when it starts again changed from {was.resets or 'never'} to {now.resets or 'never'}"
    for code in was.choice_codes:
        if code not in now.choice_codes:
            yield f"its choice {code} is gone"
    if [code for code in was.choice_codes if code in now.choice_codes] != [
        code for code in now.choice_codes if code in was.choice_codes
    ]:
        yield "the order of its choices changed"


def version_gives_something(draft: DraftFacts, content: VersionContent) -> Iterator[PublishFault]:
    if not content.features and not any(module.role == "extra" for module in content.modules.values()):
        yield PublishFault("empty_version", "features", "This version grants no feature and ships no extra module.")


def prerequisites_are_shipped(draft: DraftFacts, content: VersionContent) -> Iterator[PublishFault]:
    """An add-on may rely on what the plans and add-ons that it needs ship.

    The own module of a user-scoped add-on is given by hand, beside a plan: its prerequisite is judged then (C-24).
    """
    delivered = {*content.modules}
    if draft.offer.type == "addon":
        delivered = delivered.union(*(other.content.modules for other in draft.needs if other.content is not None))
    for module in content.ordered_modules:
        given_by_hand = draft.offer.type == "addon" and module.role == "own" and module.is_user_module
        if module.prerequisite is not None and module.prerequisite not in delivered and not given_by_hand:
            yield PublishFault(
                "prerequisite_missing",
                f"modules.{module.full_name}",
                f"{module.name} needs {module.prerequisite}, which this version does not ship. "
                "Add it as an extra module.",
            )


def user_modules_have_a_counterpart(draft: DraftFacts, content: VersionContent) -> Iterator[PublishFault]:
    """A user module carried by features comes with a site module it is paired with; extra modules are exempt."""
    for module in content.ordered_modules:
        known = draft.counterparts.get(module.full_name)
        if module.role == "feature" and module.is_user_module and known and known.isdisjoint(content.modules):
            yield PublishFault(
                "counterpart_missing",
                f"modules.{module.full_name}",
                f"{module.name} is of no use without {' or '.join(sorted(known))}, which this version does not ship.",
            )


def modules_are_our_own(draft: DraftFacts, content: VersionContent) -> Iterator[PublishFault]:
    """What is for sale goes into our own packages, so it ships no module of another owner."""
    for module in content.ordered_modules:
        if draft.for_sale and module.role != "own" and module.owner != draft.own_owner:
            yield PublishFault(
                "foreign_module",
                f"modules.{module.full_name}",
                f"{module.full_name} is a module of {module.owner}, not of {draft.own_owner}.",
            )


def markers_are_only_markers(draft: DraftFacts, content: VersionContent) -> Iterator[PublishFault]:
    for module in content.ordered_modules:
        if module.role != "marker" and module.full_name in draft.marker_names:
            yield PublishFault(
                "marker_misused",
                f"modules.{module.full_name}",
                f"{module.name} marks a tier. It is added where it belongs; don't list it or hang a feature on it.",
            )


def extra_info_fits(draft: DraftFacts, content: VersionContent) -> Iterator[PublishFault]:
    length = len(content.extra_info)
    if length > LONGEST_EXTRA_INFO:
        yield PublishFault(
            "set_too_long",
            "set",
            f"set= would be {length} characters long; ExtraInfo holds {LONGEST_EXTRA_INFO}. Ship fewer user modules.",
        )


DRAFT_RULES: Final[tuple[DraftRule, ...]] = (
    includes_have_no_cycle,
    includes_are_published,
    own_module_fits,
    plan_covers_a_solution,
    changelog_is_written,
    rules_agree,
    definitions_are_for_good,
)
CONTENT_RULES: Final[tuple[ContentRule, ...]] = (
    version_gives_something,
    prerequisites_are_shipped,
    user_modules_have_a_counterpart,
    modules_are_our_own,
    markers_are_only_markers,
    extra_info_fits,
    rules_can_be_met,
)
