"""A catalog as several files, as the seed is: basics, modules, what is common, a file per solution, combined, add-ons.

Files are read in the order of their names, and the order of features in them is the order of display. So each feature
stands with the plan that first grants it only where that keeps the order; others stay with their neighbours. Pure.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import replace

from catalog.document.entries import CatalogDocument, OfferEntry
from catalog.document.writing import normalise


def divide(document: CatalogDocument) -> dict[str, CatalogDocument]:
    """Returns the parts by file name (`1-basics.yaml`); read in the order of their names they are `document`."""
    document = normalise(document)
    names = ["basics", "modules", "common", *(solution.code for solution in document.solutions), "combined", "add-ons"]
    places = {solution.code: place for place, solution in enumerate(document.solutions, 3)}
    combined, add_ons = len(names) - 2, len(names) - 1

    def place_of(plan: OfferEntry) -> int:
        if len(plan.solutions) > 1:
            return combined
        return places.get(plan.solutions[0], 2) if plan.solutions else 2

    preferred: dict[str, int] = {}
    for place, offers in ((place_of, document.plans), (lambda offer: add_ons, document.add_ons)):
        for offer in offers:
            for code, _ in offer.grants:
                preferred.setdefault(code, place(offer))
    features = settle([preferred.get(feature.code, 2) for feature in document.features])
    plans = settle([place_of(plan) for plan in document.plans])
    parts = [CatalogDocument() for _ in names]
    parts[0] = replace(parts[0], owners=document.owners, tiers=document.tiers)
    parts[0] = replace(parts[0], solutions=document.solutions, groups=document.groups)
    parts[1] = replace(parts[1], modules=document.modules)
    for at in range(len(names)):
        parts[at] = replace(
            parts[at],
            features=tuple(f for f, place in zip(document.features, features, strict=True) if place == at),
            plans=tuple(p for p, place in zip(document.plans, plans, strict=True) if place == at),
            add_ons=document.add_ons if at == add_ons else (),
        )
    filled = [(name, part) for name, part in zip(names, parts, strict=True) if part != CatalogDocument()]
    width = len(str(len(filled)))
    return {f"{number:0{width}}-{name}.yaml": part for number, (name, part) in enumerate(filled, 1)}


def settle(wanted: Sequence[int]) -> list[int]:
    """Returns places that never go down, of which as many as possible are those wanted; the others follow these."""
    lowest: list[int] = []  # the last place of the best run of each length
    ends: list[int] = []  # … and whose it is
    before: list[int] = []
    for index, place in enumerate(wanted):
        length = bisect_right(lowest, place)
        before.append(ends[length - 1] if length else -1)
        lowest[length : length + 1] = [place]
        ends[length : length + 1] = [index]
    kept = set(_chain(ends[-1], before)) if ends else set()
    first = min((wanted[index] for index in kept), default=0)
    settled: list[int] = []
    for index, place in enumerate(wanted):
        settled.append(place if index in kept else settled[-1] if settled else first)
    return settled


def _chain(last: int, before: Sequence[int]) -> Iterable[int]:
    while last >= 0:
        yield last
        last = before[last]
