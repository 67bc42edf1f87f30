"""Which customers of a plan are meant: all of them, those that filters leave, or those on a list. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

MOST_CODES: Final = 20_000
_BETWEEN_CODES: Final = re.compile(r"[\s,;]+")
_BILLED: Final = {1: "monthly", 3: "quarterly", 6: "half-yearly", 12: "annually"}


@dataclass(frozen=True, slots=True)
class Cohort:
    """Customers of one plan or add-on; what is empty leaves nobody out, and what is said must all hold.

    `versions`: numbers of the versions they are on. `billing_months`: how often they pay. `search`: part of a code or
    name. `codes`: a list of customers, lower case; it says which of them, not that they have the plan.
    """

    versions: tuple[int, ...] = ()
    billing_months: tuple[int, ...] = ()
    search: str = ""
    codes: tuple[str, ...] = ()

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Cohort:
        return cls(
            tuple(data.get("versions", ())),
            tuple(data.get("billing_months", ())),
            data.get("search", ""),
            tuple(data.get("codes", ())),
        )

    def to_json(self) -> dict[str, Any]:
        """Returns what is said, and nothing of what isn't; `from_json` reads it back."""
        said: dict[str, Any] = {
            "versions": list(self.versions),
            "billing_months": list(self.billing_months),
            "search": self.search,
            "codes": list(self.codes),
        }
        return {name: value for name, value in said.items() if value}

    @property
    def words(self) -> str:
        """Returns whom it means, for people."""
        parts = []
        if self.codes:
            parts.append(f"{len(self.codes)} named" if len(self.codes) > 1 else self.codes[0])
        if self.versions:
            parts.append(f"on {' or '.join(f'v{number}' for number in self.versions)}")
        if self.billing_months:
            parts.append(f"paying {' or '.join(_BILLED.get(n, f'every {n} months') for n in self.billing_months)}")
        if self.search:
            parts.append(f"matching “{self.search}”")
        return ", ".join(parts) or "all"


def codes_of(pasted: str | Iterable[str]) -> tuple[str, ...]:
    """Returns the customer codes of a pasted list, each once, in lower case and as they come.

    Whatever stands between codes in a spreadsheet or a mail is understood: lines, tabs, commas, semicolons.
    """
    listed = _BETWEEN_CODES.split(pasted) if isinstance(pasted, str) else pasted
    return tuple(dict.fromkeys(code.lower() for code in listed if code))
