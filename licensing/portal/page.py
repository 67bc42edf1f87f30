"""What the template of the users page shows: meters, rows, pickers and boxes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from django.db.models.functions import Lower
from django.template.loader import render_to_string

from customers.models import CustomerUser
from customers.tables import Column
from licensing.portal.choices import Board, Entry, Examined, Picker, Question, rebase
from licensing.portal.listing import on_show
from licensing.portal.words import Fault, listed
from licensing.seating import Assignable

NEARLY_FULL = 0.85


@dataclass(frozen=True)
class Meter:
    """How many seats of a module are taken. `total` says nothing where it is `unlimited`."""

    module: str
    name: str
    used: int
    total: int
    unlimited: bool

    @property
    def free(self) -> int:
        return max(self.total - self.used, 0)

    @property
    def is_full(self) -> bool:
        return not self.unlimited and self.used >= self.total

    @property
    def state(self) -> str:
        if self.unlimited:
            return "ok"
        return "full" if self.is_full else "near" if self.used >= NEARLY_FULL * self.total else "ok"

    @property
    def left(self) -> str:
        """What an option says after the name: "3 left", "full", nothing for unlimited ones."""
        return "" if self.unlimited else "full" if self.is_full else f"{self.free} left"


@dataclass(frozen=True)
class Option:
    meter: Meter
    covers: str  # the pickers in which it stands, where it stands in several
    is_chosen: bool
    is_disabled: bool


@dataclass(frozen=True)
class Cell:
    """A picker as it stands in one row or many."""

    key: str
    label: str
    options: Sequence[Option]

    @property
    def column(self) -> str:
        """The key of its column."""
        return f"plan-{self.key.lstrip('.')}"

    @property
    def chosen(self) -> str:
        return next((option.meter.name for option in self.options if option.is_chosen), "")

    @cached_property
    def html(self) -> str:
        """The options as they stand in the `<select>`: written once for all rows that show the same."""
        return render_to_string("licensing/portal/options.html", {"options": self.options})


@dataclass(frozen=True)
class Box:
    """What is given beside the plans."""

    meter: Meter
    is_checked: bool
    is_disabled: bool


@dataclass(frozen=True)
class Row:
    user: CustomerUser
    was: str
    cells: Sequence[Cell]
    boxes: Sequence[Box]
    is_changed: bool = False
    fault: Fault | None = None
    question: Question | None = None

    @property
    def is_wrong(self) -> bool:
        return self.fault is not None or self.question is not None

    @property
    def extras(self) -> list[str]:
        return [box.meter.name for box in self.boxes if box.is_checked]

    @property
    def status(self) -> str:
        """What is special about the user; nothing for those who can hold seats."""
        if self.user.is_former_employee:
            return "Erased" if self.user.is_erased else "Former employee"
        return "" if self.user.can_log_in else "Can’t log in"

    @property
    def asks(self) -> str:
        """The question in words: what would go, and with it which solutions."""
        if self.question is None:
            return ""
        released, lost = listed(self.question.released), listed(self.question.lost)
        if self.question.assigned:
            new = listed(self.question.assigned)
            return f"{new} takes the place of {released}, and {self.user.name} would lose {lost}."
        return f"Without {released}, {self.user.name} would lose {lost} too."

    @property
    def losses(self) -> str:
        return listed(self.question.lost) if self.question else ""


def user_columns(board: Board) -> list[Column]:
    """Returns what can be shown of a user, for the page and for CSV (each of a `Row`)."""
    pickers = [
        Column(Cell(picker.key, picker.label, ()).column, picker.label, _chosen_in(picker.key))
        for picker in board.pickers
    ]
    extras = [Column("also", "Also", lambda row: ", ".join(row.extras))] if board.extras else []
    return [
        Column("name", "User", lambda row: row.user.name, order=(Lower("name"),), is_fixed=True),
        Column("code", "Code", lambda row: row.user.code, order=(Lower("code"),)),
        Column("email", "E-mail", lambda row: row.user.email, order=(Lower("email"),)),
        *pickers,
        *extras,
        Column("status", "Status", lambda row: row.status or "Can log in", is_shown=False),
        Column("seen", "Last seen", lambda row: row.user.last_seen_at, order=("last_seen_at",), is_shown=False),
        Column("created", "Created", lambda row: row.user.created_at, order=("created_at",), is_shown=False),
    ]


def _chosen_in(key: str) -> Callable[[Row], str]:
    return lambda row: next((cell.chosen for cell in row.cells if cell.key == key), "")


@dataclass(frozen=True)
class Sheet:
    """Makes rows of users, by one board and one count of the seats taken."""

    board: Board
    used: Mapping[str, int]
    _cells: dict[tuple[str, str, frozenset[str]], Cell] = field(default_factory=dict)

    @cached_property
    def meters(self) -> dict[str, Meter]:
        return {assignable.module: self._meter(assignable) for assignable in on_show(self.board)}

    @property
    def counted(self) -> list[Meter]:
        """The meters worth a look: plans, and whatever else runs out."""
        plans = {option.module for picker in self.board.pickers for option in picker.options}
        return [meter for meter in self.meters.values() if meter.module in plans or not meter.unlimited]

    def rows(self, users: Iterable[CustomerUser], held: Mapping[int, frozenset[str]]) -> list[Row]:
        """Returns the rows as recorded."""
        return [self._row(Entry(user.code), user, held[user.pk]) for user in users]

    def rows_again(
        self, examined: Iterable[Examined], users: Mapping[str, CustomerUser], held: Mapping[int, frozenset[str]]
    ) -> list[Row]:
        """Returns the rows with what was entered and what is in the way; users that don't exist are left out."""
        known = [(row, users[row.entry.user.lower()]) for row in examined if row.entry.user.lower() in users]
        return [self._row(row.entry, user, held[user.pk], row) for row, user in known]

    def _meter(self, assignable: Assignable) -> Meter:
        module, used = assignable.module, self.used.get(assignable.module, 0)
        return Meter(module, self.board.name(module), used, assignable.total, assignable.unrestricted)

    def _row(self, entry: Entry, user: CustomerUser, held: frozenset[str], examined: Examined | None = None) -> Row:
        shown = rebase(self.board, entry, held) if examined else Entry(user.code, held, {}, self.board.extras_in(held))
        before = self.board.selection(held)
        plans = before | dict(shown.plans)
        return Row(
            user=user,
            was=" ".join(sorted(held)),
            cells=[self._cell(picker, plans[picker.key], held) for picker in self.board.pickers],
            boxes=[self._box(extra.module, extra.module in shown.extras, held) for extra in self.board.extras],
            is_changed=plans != before or shown.extras != self.board.extras_in(held),
            fault=examined.fault if examined else None,
            question=examined.question if examined else None,
        )

    def _cell(self, picker: Picker, chosen: str, held: frozenset[str]) -> Cell:
        kept = held & picker.modules
        shown = (picker.key, chosen, kept)
        if shown not in self._cells:
            options = [self._option(option, chosen, kept) for option in picker.options]
            self._cells[shown] = Cell(picker.key, picker.label, options)
        return self._cells[shown]

    def _option(self, option: Assignable, chosen: str, kept: frozenset[str]) -> Option:
        meter = self.meters[option.module]
        return Option(
            meter=meter,
            covers=" ".join(sorted(option.solutions)) if len(option.solutions) > 1 else "",
            is_chosen=option.module == chosen,
            is_disabled=meter.is_full and option.module != chosen and option.module not in kept,
        )

    def _box(self, module: str, is_checked: bool, held: frozenset[str]) -> Box:
        meter = self.meters[module]
        return Box(meter, is_checked, meter.is_full and not is_checked and module not in held)
