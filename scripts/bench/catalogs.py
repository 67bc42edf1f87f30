"""A large catalog as text: as many features as asked for, in forty plans that share a common set. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

PLANS: Final = 40
GROUPS: Final = 25
MODULES: Final = 60  # pairs of one for the site and one for its users
OWNER: Final = "SUPEROFFICE"

_KINDS: Final = (
    "",
    "\n    kind: limit\n    unit: items\n    counts: user",
    "",
    "\n    kind: level\n    choices:\n      few: {name: Few}\n      some: {name: Some}\n      many: {name: Many}",
)
_VALUES: Final = (("true",), ("10", "20", "unlimited"), ("true",), ("few", "some", "many"))


def catalog(features: int) -> str:
    """Returns a file that can be published as it stands.

    Every fourth feature is in the common set, which all plans include; each of the others is granted by five plans.
    """
    return "\n".join(_lines(features)) + "\n"


def edited(text: str) -> str:
    """Returns the file after a morning's work: a raised limit in all plans, and another name."""
    return text.replace("      f1: 10\n", "      f1: 20\n").replace("name: Feature 3\n", "name: Feature three\n")


def _lines(features: int) -> Iterator[str]:
    yield "planarium-catalog: 1"
    yield f"owners: {{{OWNER}: {{name: Own}}}}"
    yield "modules:"
    for number in range(MODULES):
        yield f"  m{number}: {{type: site, description: Module {number}, sort: {number}}}"
        yield f"  m{number}-cal: {{type: user, description: User of module {number}, hidden: true, sort: {number}}}"
    for number in range(1, PLANS):
        yield f"  plan-{number}: {{type: user, description: Plan {number}, sort: {500 + number}}}"
    yield "tiers: {basic: {name: Basic, rank: 1}}"
    yield "solutions: {all: {name: All of it}}"
    yield "groups:"
    yield from (f"  g{number}: {{name: Group {number}}}" for number in range(GROUPS))
    yield "features:"
    for number in range(features):
        yield f"  f{number}:"
        yield f"    name: Feature {number}"
        yield f"    description: What feature {number} does for those who have it, in a sentence as long as most."
        yield f"    group: g{number * GROUPS // features}{_KINDS[_kind(number)]}"
        yield f"    site: m{number % MODULES}"
        yield f"    user: m{number % MODULES}-cal"
    yield "plans:"
    yield "  common:\n    name: Common\n    for_sale: false\n    features:"
    yield from _grants([number for number in range(features) if number % 4 == 1], 0)
    for plan in range(1, PLANS):
        yield f"  plan-{plan}:\n    name: Plan {plan}\n    solutions: [all]\n    tier: basic\n    module: plan-{plan}"
        yield "    includes: [common]\n    features:"
        yield from _grants([number for number in range(features) if number % 4 != 1 and _is_in(number, plan)], plan)


def _kind(number: int) -> int:
    return number // 4 % len(_KINDS) if number % 4 != 1 else 1


def _is_in(number: int, plan: int) -> bool:
    return (number - plan) % (PLANS - 1) < 5


def _grants(numbers: list[int], plan: int) -> Iterator[str]:
    for number in numbers:
        values = _VALUES[_kind(number)]
        yield f"      f{number}: {values[plan % len(values)]}"
