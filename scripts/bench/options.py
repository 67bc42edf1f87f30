"""What the environment asks for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from scripts.bench.population import Population

ROOT = Path(__file__).resolve().parents[2]
SMALL = 10_000
MOST_CUSTOMERS = 100
# The exit status of scripts/bench/work.py where what is stored is not what the rules say.
WRONG_DATA = 3


@dataclass(frozen=True, slots=True)
class Options:
    """USERS; ROUNDS; TURN, the seconds per line and round; FRESH=1: build anew; KEEP=0: leave no database behind.

    BENCH_DATABASE and BENCH_JSON name the database and the file of figures.
    """

    users: int
    rounds: int
    seconds: float
    fresh: bool
    keep: bool
    database: str
    output: Path

    @classmethod
    def of(cls, variables: Mapping[str, str]) -> Options:
        """Raises ValueError."""
        options = cls(
            users=int(variables.get("USERS", "100000")),
            rounds=int(variables.get("ROUNDS", "5")),
            seconds=float(variables.get("TURN", "2")),
            fresh=variables.get("FRESH", "0") not in ("", "0"),
            keep=variables.get("KEEP", "1") not in ("", "0"),
            database=variables.get("BENCH_DATABASE", "planarium_bench"),
            output=Path(variables.get("BENCH_JSON", ROOT / "var" / "bench.json")),
        )
        if options.users < 100 or options.rounds < 1 or options.seconds <= 0:
            raise ValueError("USERS is at least 100, ROUNDS at least 1, and TURN more than 0.")
        return options

    @property
    def crowds(self) -> dict[str, Population]:
        """The populations compared, many users and few; both have the same customers, who buy the same."""
        customers = max(2, min(MOST_CUSTOMERS, self.users // 100))
        few = min(SMALL, self.users // 2)
        return {"large": Population(self.users, customers), "small": Population(few, customers)}

    @property
    def databases(self) -> dict[str, str]:
        """The name of each crowd's database."""
        return {"large": self.database, "small": f"{self.database}_small"}
