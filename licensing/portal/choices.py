"""What the rows of the users page ask for: choices → wishes, or what is in the way. Pure.

A row has one picker per solution (none, or a plan that covers it) and a box per other visible user module. A plan that
covers several solutions shows in the picker of each. What a choice means is said here; whether it may be is judged by
`licensing.seating`, as the service does again under the customer's lock.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from customers.errors import Refusal
from licensing.errors import SeatsMoved
from licensing.facts import owner_of
from licensing.portal.words import Fault, in_words
from licensing.seating import Assignable, Inventory, Wish, judge


@dataclass(frozen=True, slots=True)
class Picker:
    """One choice: none, or one of `options`. `key` is a solution's code, or `.owner` for its plans that cover none."""

    key: str
    label: str
    options: tuple[Assignable, ...]

    @property
    def modules(self) -> frozenset[str]:
        return frozenset(option.module for option in self.options)


@dataclass(frozen=True, slots=True)
class Board:
    """Everything that can be chosen at a customer; `names` are what people call the modules."""

    inventory: Inventory
    pickers: tuple[Picker, ...]
    extras: tuple[Assignable, ...]
    names: Mapping[str, str]

    def selection(self, held: frozenset[str]) -> dict[str, str]:
        """Returns per picker the module that is held, or ""."""
        return {
            picker.key: next((option.module for option in picker.options if option.module in held), "")
            for picker in self.pickers
        }

    def extras_in(self, held: frozenset[str]) -> frozenset[str]:
        return frozenset(extra.module for extra in self.extras) & held

    def keys_of(self, modules: frozenset[str]) -> frozenset[str]:
        """Returns the pickers in which any of these plans stands."""
        return frozenset(picker.key for picker in self.pickers if picker.modules & modules)

    def label(self, key: str) -> str:
        return next((picker.label for picker in self.pickers if picker.key == key), key)

    def name(self, module: str) -> str:
        return self.names.get(module, module)


def make_board(inventory: Inventory, names: Mapping[str, str], solutions: Mapping[str, str]) -> Board:
    """Returns the board. `solutions`: code → name, in the order of the pickers. Plans of one solution come first."""
    plans = sorted(
        (plan for plan in inventory.assignables.values() if plan.is_plan), key=lambda plan: len(plan.solutions)
    )
    options: dict[str, list[Assignable]] = {code: [] for code in solutions}
    labels = dict(solutions)
    for plan in plans:
        owner = owner_of(plan.module)
        for key in sorted(plan.solutions) or [f".{owner.lower()}"]:
            options.setdefault(key, []).append(plan)
            labels.setdefault(key, key if plan.solutions else f"Plan of {owner}")
    pickers = tuple(Picker(key, labels[key], tuple(found)) for key, found in options.items() if found)
    extras = tuple(extra for extra in inventory.assignables.values() if not extra.is_plan)
    return Board(inventory, pickers, extras, names)


# ── What came in ────────────────────────────────────────────────────────────
@dataclass(frozen=True, slots=True)
class Entry:
    """A row as it was sent: what the page had shown (`was`), and what is chosen now. A picker not sent is unchanged."""

    user: str
    was: frozenset[str] = frozenset()
    plans: Mapping[str, str] = field(default_factory=dict)
    extras: frozenset[str] = frozenset()
    accept_loss: bool = False


def entries_of(form: Mapping[str, Sequence[str]]) -> list[Entry]:
    """Returns the rows of a sent form (field name → values), in its order.

    Per user `was:USER` (the modules held, with spaces between), `plan:USER:PICKER`, `extra:USER` and `accept:USER`.
    """
    was: dict[str, frozenset[str]] = {}
    plans: dict[str, dict[str, str]] = {}
    extras: dict[str, frozenset[str]] = {}
    accepted = set()
    for name, values in form.items():
        what, _, rest = name.partition(":")
        user, _, key = rest.partition(":")
        match what:
            case "was":
                was[user] = frozenset(values[-1].split()) if values else frozenset()
            case "plan":
                plans.setdefault(user, {})[key] = values[-1] if values else ""
            case "extra":
                extras[user] = frozenset(values)
            case "accept":
                accepted.add(user)
    return [
        Entry(user, held, plans.get(user, {}), extras.get(user, frozenset()), user in accepted)
        for user, held in was.items()
    ]


def rebase(board: Board, entry: Entry, held: frozenset[str]) -> Entry:
    """Returns the entry as the page should show it again: what was chosen stays, all else is what is held now."""
    then, now = board.selection(entry.was), board.selection(held)
    plans = {key: entry.plans[key] if entry.plans.get(key, then[key]) != then[key] else now[key] for key in now}
    shown, held_extras = board.extras_in(entry.was), board.extras_in(held)
    extras = (held_extras | (entry.extras - shown)) - (shown - entry.extras)
    return Entry(entry.user, held, plans, extras, entry.accept_loss)


# ── What it asks for ────────────────────────────────────────────────────────
@dataclass(frozen=True, slots=True)
class Question:
    """A solution would be lost that nobody said to give up; `lost` are the labels of the pickers."""

    assigned: tuple[str, ...]
    released: tuple[str, ...]
    lost: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Examined:
    """A row and what it asks for: nothing (no wish), a wish, or what is in the way."""

    entry: Entry
    wish: Wish | None = None
    after: frozenset[str] = frozenset()
    fault: Fault | None = None
    question: Question | None = None

    @property
    def stands(self) -> bool:
        """Whether nothing is in the way of this row."""
        return self.fault is None and self.question is None


def wish_of(board: Board, entry: Entry) -> Wish | Question | None:
    """Returns what the row asks for: None where nothing was changed.

    A picker changed away from a plan gives that plan up; plans in the way of a chosen one are pushed out. Solutions
    that would go with them although their own picker was left alone are asked about, unless the loss is accepted.
    """
    shown = board.selection(entry.was)
    changed = {key: module for key, module in entry.plans.items() if key in shown and module != shown[key]}
    extras_shown = board.extras_in(entry.was)
    if not changed and entry.extras == extras_shown:
        return None
    chosen = frozenset(module for module in changed.values() if module)
    given_up = frozenset(shown[key] for key in changed if shown[key]) - chosen
    pushed_out = _overlapping(board.inventory, entry.was, chosen)
    gone, covered = given_up | pushed_out, board.keys_of(chosen)
    lost = [key for key, module in shown.items() if module in gone and key not in changed and key not in covered]
    if lost and not entry.accept_loss:
        return Question(
            tuple(board.name(module) for module in sorted(chosen)),
            tuple(board.name(module) for module in sorted(gone)),
            tuple(board.label(key) for key in lost),
        )
    return Wish(
        assign=tuple(sorted((chosen - entry.was) | (entry.extras - extras_shown))),
        release=tuple(sorted((given_up - pushed_out) | (extras_shown - entry.extras))),
        accept_loss=True,  # whatever goes now was given up by its own picker, or accepted
    )


def _overlapping(inventory: Inventory, held: frozenset[str], chosen: frozenset[str]) -> frozenset[str]:
    new = inventory.plans(chosen)
    return frozenset(plan.module for plan in inventory.plans(held - chosen) if any(plan.overlaps(n) for n in new))


def examine(
    board: Board, entries: Sequence[Entry], held: Mapping[str, frozenset[str]], used: Mapping[str, int]
) -> list[Examined]:
    """Returns each row with everything in its way, so that all of it can be told at once.

    `held` are the users' seats now (by code as entered; an unknown user is missing), `used` the seats taken per module.
    """
    rows = [_examine_row(board, entry, held.get(entry.user)) for entry in entries]
    short = _shortages(board, rows, used)
    return [_with_shortage(row, short) for row in rows]


def place(board: Board, rows: Sequence[Examined], refusal: Refusal) -> list[Examined]:
    """Returns the rows with a refusal of the service at the one it is about: by user, or by the module they ask for.

    Where it is about none of them, all are as they were: it is for the top of the page then.
    """
    fault = in_words(refusal, board.names)
    blocking = refusal.blocking.get("code", "")
    user = refusal.details.get("user") or refusal.blocking.get("user") or blocking
    about = [row.entry.user == user for row in rows]
    if not any(about):
        about = [row.wish is not None and blocking in row.wish.assign for row in rows]
    return [replace(row, fault=fault) if concerned else row for row, concerned in zip(rows, about, strict=True)]


def _examine_row(board: Board, entry: Entry, held: frozenset[str] | None) -> Examined:
    if held is None:
        return Examined(entry, fault=Fault("not_found", f"There is no user {entry.user!r} here.", "Start afresh."))
    unknown = _unknown(board, entry)
    if unknown:
        message = f"{unknown} is not part of the active package any more."
        return Examined(entry, fault=Fault("module_not_in_package", message, "Choose again from what there is now."))
    asked = wish_of(board, entry)
    if asked is None:
        return Examined(entry)
    if held != entry.was:
        return Examined(entry, fault=in_words(SeatsMoved(entry.user, sorted(entry.was), sorted(held)), board.names))
    if isinstance(asked, Question):
        return Examined(entry, question=asked)
    try:
        after = judge(board.inventory, entry.user, held, asked)
    except Refusal as refusal:
        return Examined(entry, fault=in_words(refusal, board.names))
    return Examined(entry, wish=asked, after=after)


def _unknown(board: Board, entry: Entry) -> str:
    """Returns the first chosen module that its picker or box no longer offers."""
    offered = {picker.key: picker.modules for picker in board.pickers}
    strange = [module for key, module in entry.plans.items() if module and module not in offered.get(key, frozenset())]
    strange += sorted(entry.extras - {extra.module for extra in board.extras})
    return board.name(strange[0]) if strange else ""


def _shortages(board: Board, rows: Sequence[Examined], used: Mapping[str, int]) -> dict[str, Fault]:
    """Returns per module of which the rows together want more seats than there are, what to say about it."""
    net: Counter[str] = Counter()
    for row in rows:
        if row.wish is not None:
            net.update(row.after - row.entry.was)
            net.subtract(row.entry.was - row.after)
    short = {}
    for module, more in net.items():
        assignable = board.inventory.assignables.get(module)
        if more <= 0 or assignable is None or assignable.unrestricted:
            continue
        lacking = used.get(module, 0) + more - assignable.total
        if lacking > 0:
            seats = "1 seat" if assignable.total == 1 else f"{assignable.total} seats"
            short[module] = Fault(
                "no_seat_left",
                f"{board.name(module)} has {seats}; this would take {lacking} more than that.",
                "Take it from somebody who needs it no longer, or choose another plan.",
            )
    return short


def _with_shortage(row: Examined, short: Mapping[str, Fault]) -> Examined:
    lacking = sorted((row.after - row.entry.was) & short.keys())
    return replace(row, fault=short[lacking[0]]) if lacking else row
