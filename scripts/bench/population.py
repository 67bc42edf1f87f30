"""Who there is in a benchmark: customers of very different size, users of many kinds. Pure.

User `n` of a customer is always of kind `n % len(kinds)`, so anybody can name a random user without asking a database.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate, product

SALES = ("sales-essentials", "sales-premium")
SERVICE = ("service-essentials", "service-premium")
MARKETING = ("marketing-essentials", "marketing-premium")
CALENDAR = ("calendar-synchronization",)
PLENTY = 1_000_000  # seats of everything, whatever the size of the crowd: the same packages for all
COMBINATIONS = 12  # at most so many are in use at one customer


@dataclass(frozen=True, slots=True)
class Kind:
    """What a user holds: plans and add-ons by code; perhaps an override of their own; former employees nothing."""

    holds: tuple[str, ...] = ()
    has_override: bool = False
    is_former: bool = False


@dataclass(frozen=True)
class Mix:
    """What a customer buys: of each tuple of plans a user holds at most one; add-ons for users, and for the site."""

    plans: tuple[tuple[str, ...], ...]
    for_users: tuple[str, ...] = ()
    for_site: tuple[str, ...] = ()
    has_override: bool = False

    @cached_property
    def kinds(self) -> tuple[Kind, ...]:
        """Combinations that its users can hold, somebody with an override of their own, and somebody who left."""
        choices = [("", *alternatives) for alternatives in (*self.plans, *((add_on,) for add_on in self.for_users))]
        combinations = [tuple(code for code in chosen if code) for chosen in product(*choices)]
        # An add-on for users is of use to those who hold a plan.
        held = [codes for codes in combinations if not codes or set(codes) - set(self.for_users)]
        held = held[:: -(-len(held) // COMBINATIONS)]  # evenly spread over all
        return (*(Kind(codes) for codes in held), Kind(held[-1], has_override=True), Kind(is_former=True))

    @property
    def items(self) -> dict[str, int]:
        """What is bought: offer code → quantity."""
        per_user = [code for alternatives in self.plans for code in alternatives]
        return dict.fromkeys((*per_user, *self.for_users), PLENTY) | dict.fromkeys(self.for_site, 1)


MIXES = (
    Mix((SALES,), CALENDAR),
    Mix((SALES, SERVICE), CALENDAR, ("superoffice-ai",)),
    Mix((("sales-essentials",),)),
    Mix((SERVICE,), (), ("cep",)),
    Mix((SALES, SERVICE, MARKETING), CALENDAR, ("cep", "superoffice-ai"), has_override=True),
    Mix((("sales-service-marketing-premium",),), CALENDAR, ("expander-services",)),
    Mix((MARKETING,), (), (), has_override=True),
    Mix((("sales-premium",), ("service-premium",), ("marketing-premium",)), CALENDAR),
)


@dataclass(frozen=True)
class Population:
    """So many users at so many customers; the largest customers have ten times the users of the smallest."""

    users: int
    customers: int

    @cached_property
    def sizes(self) -> tuple[int, ...]:
        """How many users each customer has; they add up to `users`."""
        weights = [number % 10 + 1 for number in range(self.customers)]
        sizes = [self.users * weight // sum(weights) for weight in weights]
        return (*sizes[:-1], self.users - sum(sizes[:-1]))

    @cached_property
    def _ends(self) -> tuple[int, ...]:
        return tuple(accumulate(self.sizes))

    def user(self, index: int) -> tuple[str, str]:
        """Returns the codes of customer and user of anybody: `index` counts through all users of all customers."""
        customer = bisect_right(self._ends, index)
        first = self._ends[customer] - self.sizes[customer]
        return customer_code(customer), user_code(index - first)

    def mixes(self) -> Iterator[tuple[int, Mix]]:
        """Yields each customer's number and what it buys."""
        return ((number, MIXES[number % len(MIXES)]) for number in range(self.customers))


def customer_code(number: int) -> str:
    return f"c{number:04}"


def user_code(number: int) -> str:
    return f"u{number:07}"
