"""What a user holds after a change of seats, or why not. Pure.

Seats, solutions and prerequisites are judged on the end state, releases before assignments (C-12, C-24).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from licensing.errors import ConflictingPlans, MissingPrerequisite, SeatNotHeld, SolutionWouldBeLost
from licensing.facts import owner_of


@dataclass(frozen=True, slots=True)
class Assignable:
    """A visible user module of an active package, named `owner.module`."""

    module: str
    is_plan: bool = False
    solutions: frozenset[str] = frozenset()
    prerequisite: str | None = None
    switches_on: tuple[str, ...] = ()  # the hidden modules in its set=
    total: int = 0
    unrestricted: bool = False

    def overlaps(self, other: Assignable) -> bool:
        """Whether nobody can hold both: plans of a common solution, or two of one owner that cover none."""
        if self.module == other.module or not (self.is_plan and other.is_plan):
            return False
        if self.solutions or other.solutions:
            return bool(self.solutions & other.solutions)
        return owner_of(self.module) == owner_of(other.module)


@dataclass(frozen=True, slots=True)
class Inventory:
    """What can be held at a customer now."""

    assignables: Mapping[str, Assignable] = field(default_factory=dict)
    site_modules: frozenset[str] = frozenset()

    def plans(self, modules: frozenset[str]) -> list[Assignable]:
        found = (self.assignables[m] for m in sorted(modules) if m in self.assignables)
        return [assignable for assignable in found if assignable.is_plan]

    def has(self, modules: frozenset[str], wanted: str) -> bool:
        """Whether holding `modules` puts `wanted` in force."""
        if wanted in self.site_modules or wanted in modules:
            return True
        return any(wanted in plan.switches_on for plan in self.plans(modules))

    def carriers(self, wanted: str) -> list[str]:
        """Returns the modules that bring `wanted` along, or are it."""
        return sorted(m for m, a in self.assignables.items() if m == wanted or wanted in a.switches_on)


@dataclass(frozen=True, slots=True)
class Wish:
    """What is asked for one user; all names `owner.module`."""

    assign: tuple[str, ...] = ()
    release: tuple[str, ...] = ()
    accept_loss: bool = False


def judge(inventory: Inventory, user: str, held: frozenset[str], wish: Wish) -> frozenset[str]:
    """Returns the modules that `user` holds once the wish is met.

    Assigning a plan releases held plans of the same solutions. Raises SeatNotHeld, ConflictingPlans,
    SolutionWouldBeLost, MissingPrerequisite.
    """
    for module in wish.release:
        if module not in held:
            raise SeatNotHeld(user, module)
    assigned = frozenset(wish.assign)
    kept = held - frozenset(wish.release)
    new_plans = inventory.plans(assigned)
    _refuse_conflicts(user, new_plans)
    pushed_out = [
        plan for plan in inventory.plans(kept - assigned) if any(plan.overlaps(new_plan) for new_plan in new_plans)
    ]
    after = (kept - {plan.module for plan in pushed_out}) | assigned
    _refuse_loss(inventory, user, wish, pushed_out, after)
    _refuse_gaps(inventory, user, held, after)
    return after


def _refuse_conflicts(user: str, plans: Sequence[Assignable]) -> None:
    for index, first in enumerate(plans):
        for second in plans[index + 1 :]:
            if first.overlaps(second):
                raise ConflictingPlans(user, first.module, second.module)


def _refuse_loss(
    inventory: Inventory, user: str, wish: Wish, pushed_out: Sequence[Assignable], after: frozenset[str]
) -> None:
    covered = {solution for plan in inventory.plans(after) for solution in plan.solutions}
    lost = {solution for plan in pushed_out for solution in plan.solutions} - covered
    if lost and not wish.accept_loss:
        released = [plan.module for plan in pushed_out]
        raise SolutionWouldBeLost(user, ", ".join(wish.assign), released, sorted(lost))


def _refuse_gaps(inventory: Inventory, user: str, before: frozenset[str], after: frozenset[str]) -> None:
    """Refuses an end state in which something newly lacks its prerequisite; what lacked it before may stay."""
    for module in sorted(after):
        assignable = inventory.assignables.get(module)
        needed = assignable.prerequisite if assignable is not None else None
        if needed is None or inventory.has(after, needed):
            continue
        if module not in before or inventory.has(before, needed):
            raise MissingPrerequisite(user, module, needed, inventory.carriers(needed))
