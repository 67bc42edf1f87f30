"""Where things stand in lists: file order as positions with room between them. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

STEP: Final = 10


def place(order: Sequence[str], held: Mapping[str, int]) -> dict[str, int]:
    """Returns a position per code, of `order` and of `held` (what stands where now), so that `order` is kept.

    What is new comes after what precedes it in `order`, or before what follows it. Nothing moves without need: only
    when there is no room left do all get new positions.
    """
    known = [code for code in order if code in held]
    is_kept = known == sorted(known, key=lambda code: (held[code], code))
    slots = sorted(held[code] for code in known)
    placed = dict(held) | dict(zip(known, slots, strict=True))
    whole = _whole_order(order, placed)
    if len(set(slots)) < len(slots) and not is_kept:
        return _renumbered(whole)
    at = 0
    while at < len(whole):
        if whole[at] in placed:
            at += 1
            continue
        end = at
        while end < len(whole) and whole[end] not in placed:
            end += 1
        low = placed[whole[at - 1]] if at else 0
        high = placed[whole[end]] if end < len(whole) else low + STEP * (end - at + 1)
        if high - low <= end - at:
            return _renumbered(whole)
        room = (high - low) / (end - at + 1)
        placed |= {code: low + int(room * number) for number, code in enumerate(whole[at:end], 1)}
    return placed


def _whole_order(order: Sequence[str], placed: Mapping[str, int]) -> list[str]:
    """Returns all codes: those placed by position, each followed by the new ones that `order` has after it."""
    followers: dict[str | None, list[str]] = {}
    last: str | None = None
    for code in order:
        if code in placed:
            last = code
        else:
            followers.setdefault(last, []).append(code)
    rank = {code: number for number, code in enumerate(order, 1)}
    by_position = sorted(placed, key=lambda code: (placed[code], rank.get(code, 0), code))
    first = next((code for code in order if code in placed), None)
    whole: list[str] = []
    for code in by_position:
        if code == first:
            whole += followers.get(None, [])
        whole += [code, *followers.get(code, [])]
    return whole if first is not None else [*whole, *followers.get(None, [])]


def _renumbered(whole: Sequence[str]) -> dict[str, int]:
    return {code: number * STEP for number, code in enumerate(whole, 1)}
