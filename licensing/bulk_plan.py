"""What a change of many users' seats comes to: who changes how, who is blocked and why, in which order. Pure.

Every user is judged on the end state, releases before assignments, and so are the seats of all of them together: one
may give up what another gets in the same change. Where seats are short, earlier rows come first.
"""

from __future__ import annotations

import enum
import hashlib
import json
from collections import Counter, defaultdict
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from heapq import heappop, heappush
from typing import Any, Final

from customers.errors import Refusal
from licensing.bulk_errors import UserNamedTwice
from licensing.errors import ConflictingPlans, SeatNotHeld, SeatsMoved, UserCannotHoldSeats
from licensing.seating import Inventory, Wish, judge

MOST_ROWS: Final = 10_000


@dataclass(frozen=True, slots=True)
class BulkWish:
    """What one row of the input asks for. Modules are `owner.module`, or bare for the own owner's.

    `create` (`name`, perhaps `email`) makes the user first where there is none of this code. Releasing what isn't held
    is nothing to do; a row that releases and assigns is a swap: it is blocked unless all that it releases is held, or
    all that it assigns is held already, and it releases nothing that it doesn't name.
    """

    position: int
    user: str
    assign: tuple[str, ...] = ()
    release: tuple[str, ...] = ()
    accept_loss: bool = False
    create: Mapping[str, str] | None = field(default=None, hash=False)
    said: Mapping[str, str] | None = field(
        default=None, hash=False
    )  # by a list; a `fault` in it keeps the row from being met

    @property
    def fault(self) -> str:
        """Why the row can't be met, whatever the state; empty if it can."""
        return (self.said or {}).get("fault", "")

    def to_json(self) -> dict[str, Any]:
        told: dict[str, Any] = {"position": self.position, "user": self.user}
        for name in ("assign", "release"):
            if getattr(self, name):
                told[name] = list(getattr(self, name))
        if self.accept_loss:
            told["accept_loss"] = True
        if self.create is not None:
            told["create"] = dict(self.create)
        if self.said:
            told["said"] = dict(self.said)
        return told

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> BulkWish:
        return cls(
            position=data["position"],
            user=data["user"],
            assign=tuple(data.get("assign", ())),
            release=tuple(data.get("release", ())),
            accept_loss=data.get("accept_loss", False),
            create=data.get("create"),
            said=data.get("said"),
        )


def numbered(wishes: Sequence[BulkWish]) -> bool:
    """Whether every position is there once."""
    return len({wish.position for wish in wishes}) == len(wishes)


class Rule(enum.Enum):
    """How a wish is read where it doesn't fit what is held."""

    STRICT = "strict"  # of one user, asked for by name: releasing what isn't held is a fault
    BULK = "bulk"  # what is so already is nothing to do
    UNDO = "undo"  # exactly what a change set did, backwards, or not at all


class Outcome(enum.StrEnum):
    CHANGES = "changes"
    UNCHANGED = "unchanged"
    BLOCKED = "blocked"


@dataclass(frozen=True, slots=True)
class Case:
    """A row about to be judged: what its user holds, and what is asked for, all names `owner.module`.

    `refusal` is what was found to be in the way before: no such user, no such module.
    """

    position: int
    user: str
    held: frozenset[str] = frozenset()
    wish: Wish = field(default_factory=Wish)
    may_hold: bool = True
    is_former: bool = False
    creates: bool = False
    created_as: frozenset[tuple[str, str]] = frozenset()  # what its user would be created with
    expected: frozenset[str] | None = None
    refusal: Refusal | None = None


@dataclass(frozen=True, slots=True)
class Judged:
    """What becomes of a row. `short` is the module of which no seat is left for it."""

    position: int
    user: str
    before: frozenset[str]
    after: frozenset[str]
    creates: bool = False
    refusal: Refusal | None = None
    short: str | None = None

    @property
    def outcome(self) -> Outcome:
        if self.is_blocked:
            return Outcome.BLOCKED
        return Outcome.CHANGES if self.creates or self.before != self.after else Outcome.UNCHANGED

    @property
    def is_blocked(self) -> bool:
        return self.refusal is not None or self.short is not None

    @property
    def code(self) -> str:
        if self.short is not None:
            return "no_seat_left"
        return self.refusal.code if self.refusal is not None else ""


@dataclass(frozen=True, slots=True)
class Move:
    """The seats of limited modules that a row takes and gives back."""

    takes: tuple[str, ...]
    gives: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Plan:
    """Every row judged, by position, and the free seats (per limited module) that it was judged by."""

    rows: tuple[Judged, ...]
    free: Mapping[str, int]

    @property
    def changes(self) -> list[Judged]:
        return [row for row in self.rows if row.outcome is Outcome.CHANGES]

    @property
    def is_blocked(self) -> bool:
        return any(row.is_blocked for row in self.rows)

    def batches(self, size: int) -> list[list[int]]:
        """Returns the positions of what changes, in batches after each of which no more seats are held than there are.

        Rows come in their order, as soon as what they take is free; those that only wait for each other, last and
        together.
        """
        changes = self.changes
        moves = [self.move(row) for row in changes]
        order = in_order(self.free, moves) if len(changes) > size else list(range(len(changes)))
        placed = set(order)
        batches = [[changes[i].position for i in order[start : start + size]] for start in range(0, len(order), size)]
        rest = [row.position for index, row in enumerate(changes) if index not in placed]
        return [*batches, rest] if rest else batches

    def move(self, row: Judged) -> Move:
        return move_of(self.free, row.before, row.after)


def work_out(inventory: Inventory, free: Mapping[str, int], cases: Iterable[Case], rule: Rule = Rule.BULK) -> Plan:
    """Returns what becomes of each case, in order of position. `free` are the seats left of limited modules.

    Blocked rows change nothing, so what they would give back is not there for others.
    """
    met: dict[Hashable, frozenset[str]] = {}
    rows = [_judged(inventory, case, rule, met) for case in _told_apart(sorted(cases, key=lambda case: case.position))]
    movers = [index for index, row in enumerate(rows) if not row.is_blocked and row.before != row.after]
    moves = [move_of(free, rows[index].before, rows[index].after) for index in movers]
    for number, module in left_out(free, moves).items():
        row = rows[movers[number]]
        rows[movers[number]] = Judged(row.position, row.user, row.before, row.before, row.creates, short=module)
    return Plan(tuple(rows), free)


def move_of(free: Mapping[str, int], before: frozenset[str], after: frozenset[str]) -> Move:
    return Move(
        tuple(sorted(module for module in after - before if module in free)),
        tuple(sorted(module for module in before - after if module in free)),
    )


def left_out(free: Mapping[str, int], moves: Sequence[Move]) -> dict[int, str]:
    """Returns the indexes of the moves for which no seat is left, each with the module that is short.

    The others fit on their end state. The last ones go first, and none of those left out could be made as well.
    """
    need: Counter[str] = Counter()
    takers: dict[str, list[int]] = defaultdict(list)
    for index, move in enumerate(moves):
        need.update(move.takes)
        need.subtract(move.gives)
        for module in move.takes:
            takers[module].append(index)
    out: dict[int, str] = {}
    to_check = sorted(takers, reverse=True)
    while to_check:
        module = to_check.pop()
        while need[module] > max(free[module], 0):
            index = takers[module].pop()
            if index in out:
                continue
            out[index] = module
            need.subtract(moves[index].takes)
            need.update(moves[index].gives)
            to_check.extend(each for each in moves[index].gives if each in takers)
    rest = sorted(out)
    spare = {module: free[module] - need[module] for module in free}
    for number in in_order(spare, [moves[index] for index in rest]):
        del out[rest[number]]
    return out


def in_order(free: Mapping[str, int], moves: Sequence[Move]) -> list[int]:
    """Returns the indexes of the moves that can be made one after another, in such an order: the first possible next.

    Left out are those for which no seat comes free, also because they only wait for each other.
    """
    spare = dict(free)
    waiting: dict[str, list[int]] = defaultdict(list)
    ready = list(range(len(moves)))
    made: list[int] = []
    while ready:
        index = heappop(ready)
        move = moves[index]
        short = next((module for module in move.takes if spare[module] < 1), None)
        if short is not None:
            heappush(waiting[short], index)
            freed: Iterable[str] = move.takes
        else:
            made.append(index)
            for module in move.takes:
                spare[module] -= 1
            for module in move.gives:
                spare[module] += 1
            freed = move.gives
        for module in freed:
            if waiting[module] and spare[module] > 0:
                heappush(ready, heappop(waiting[module]))
    return made


def digest_of(rows: Iterable[Judged], effects: Mapping[int, str]) -> str:
    """Returns the SHA-256, hex, of every row's outcome; `effects` tells by position what its features come to."""
    said = hashlib.sha256()
    for row in rows:
        said.update(json.dumps([*told(row), effects.get(row.position, "")], separators=(",", ":")).encode())
    return said.hexdigest()


def told(row: Judged) -> tuple[int, str, str, str, list[str], list[str]]:
    """Returns what of a row has to be the same when it is applied."""
    return row.position, row.user.lower(), row.outcome.value, row.code, sorted(row.before), sorted(row.after)


def _told_apart(cases: Sequence[Case]) -> Iterator[Case]:
    """Yields the cases; one about a user named before is nothing to do if it says the same, else it is refused."""
    first: dict[str, Case] = {}
    for case in cases:
        known = first.setdefault(case.user.lower(), case)
        if known is case or case.refusal is not None:
            yield case
        elif known.wish == case.wish and known.created_as == case.created_as:
            yield Case(case.position, case.user, case.held)
        else:
            refusal = UserNamedTwice(case.user, known.position)
            yield Case(case.position, case.user, case.held, refusal=refusal)


def _judged(inventory: Inventory, case: Case, rule: Rule, met: dict[Hashable, frozenset[str]]) -> Judged:
    """Judges a case; users are many, combinations few, so what is `met` once is looked up thereafter."""
    key = (case.held, case.wish, case.may_hold, case.expected)
    after = met.get(key) if case.refusal is None else None
    try:
        if after is None:
            after = met[key] = _after(inventory, case, rule)
    except Refusal as refusal:
        return Judged(case.position, case.user, case.held, case.held, case.creates, refusal=refusal)
    return Judged(case.position, case.user, case.held, after, case.creates)


def _after(inventory: Inventory, case: Case, rule: Rule) -> frozenset[str]:
    if case.refusal is not None:
        raise case.refusal
    held, wish = case.held, case.wish
    if case.expected is not None and case.expected != held:
        raise SeatsMoved(case.user, sorted(case.expected), sorted(held))
    assign, release = frozenset(wish.assign), frozenset(wish.release)
    if rule is not Rule.STRICT and _is_met(held, assign, release):
        return held
    if assign and not case.may_hold:
        raise UserCannotHoldSeats(case.user, case.is_former)
    if rule is Rule.UNDO:
        return _undone(inventory, case)
    missing = sorted(release - held)
    if missing and (assign or rule is Rule.STRICT):
        raise SeatNotHeld(case.user, missing[0])
    after = judge(
        inventory,
        case.user,
        held,
        Wish(wish.assign, tuple(module for module in wish.release if module in held), wish.accept_loss),
    )
    if rule is Rule.BULK and assign and release:
        spared = sorted(held - after - release)
        if spared:
            raise ConflictingPlans(case.user, wish.assign[0], spared[0])
    return after


def _is_met(held: frozenset[str], assign: frozenset[str], release: frozenset[str]) -> bool:
    """Whether a wish asks for nothing that isn't so already."""
    return assign <= held and not (release - assign) & held


def _undone(inventory: Inventory, case: Case) -> frozenset[str]:
    """Returns what is held once what a change set gave is taken and what it took is given back, and nothing else."""
    assign, release = frozenset(case.wish.assign), frozenset(case.wish.release)
    wanted = (case.held - release) | assign
    if release <= case.held and not assign & case.held:
        try:
            after = judge(inventory, case.user, case.held, case.wish)
        except ConflictingPlans:
            after = case.held
        if after == wanted:
            return after
    raise SeatsMoved(case.user, sorted(release), sorted(case.held))
