"""Measures the impact report: how long it takes to say who would gain and lose what, with many users and with few."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from scripts.bench.preparing import Site, work

PER: int = 100_000


@dataclass(frozen=True, slots=True)
class ImpactRun:
    """One report: the customers with the plan, all their users, how long it took, and the most memory it held."""

    customers: int
    users: int
    seconds: float
    memory_mb: int

    @property
    def per_second(self) -> float:
        return self.users / self.seconds

    @property
    def seconds_per_100k(self) -> float:
        return PER / self.per_second

    def as_json(self) -> dict[str, Any]:
        return {
            "customers": self.customers,
            "users": self.users,
            "seconds": round(self.seconds, 3),
            "users_per_second": round(self.per_second),
            "memory_mb": self.memory_mb,
        }


@dataclass(frozen=True, slots=True)
class Impacts:
    """The same draft looked at in the large crowd and in the small one."""

    large: ImpactRun
    small: ImpactRun

    @property
    def ratio(self) -> float:
        """How many times the small crowd's time the large one takes."""
        return self.large.seconds / self.small.seconds


def measure_impact(sites: Mapping[str, Site]) -> Impacts:
    """Works each report out in a process of its own, and takes it back. Raises CannotPrepareError."""
    runs = {}
    for crowd, site in sites.items():
        done = work(["impact"], site.population, site.environment)
        runs[crowd] = ImpactRun(**done["result"], memory_mb=done["memory_mb"])
    return Impacts(large=runs["large"], small=runs["small"])
