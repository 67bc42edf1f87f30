"""What the columns of a list mean, guessed by title and by content, and what its rows then say. Pure."""

from __future__ import annotations

import enum
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Final

from licensing.intake import CODE, EMAIL, Listing, Row, as_title

_LOOKED_AT: Final = 200  # cells of a column, to guess by
_MOSTLY: Final = 0.7
_BETWEEN: Final = re.compile(r"[;,|\n]+")
_NAMED_ADDRESS: Final = re.compile(r"\s*\"?([^\"<]*?)\"?\s*<([^<>]+)>\s*")


class Meaning(enum.StrEnum):
    USER = "user"
    EMAIL = "email"
    NAME = "name"
    ASSIGN = "assign"
    RELEASE = "release"
    IGNORED = "ignored"

    @property
    def label(self) -> str:
        return _LABELS[self]


_LABELS: Final[Mapping[Meaning, str]] = {
    Meaning.USER: "User code",
    Meaning.EMAIL: "E-mail address",
    Meaning.NAME: "Name",
    Meaning.ASSIGN: "Plans to assign",
    Meaning.RELEASE: "Plans to release",
    Meaning.IGNORED: "Not used",
}
# What stands once per row; plans may come in several columns, one per solution say.
_ONCE: Final[tuple[Meaning, ...]] = (Meaning.USER, Meaning.EMAIL, Meaning.NAME)
TITLES: Final[Mapping[str, Meaning]] = {
    **dict.fromkeys(
        ("code", "user code", "user", "users", "user id", "userid", "user name", "username", "login", "associate"),
        Meaning.USER,
    ),
    **dict.fromkeys(
        ("e mail", "email", "mail", "e mail address", "email address", "mail address", "e post", "epost"),
        Meaning.EMAIL,
    ),
    **dict.fromkeys(("name", "full name", "fullname", "display name", "employee", "navn"), Meaning.NAME),
    **dict.fromkeys(("assign", "plan", "plans", "plans to assign", "plan to assign", "new plan"), Meaning.ASSIGN),
    **dict.fromkeys(("license", "licence", "licenses", "licences", "module", "modules"), Meaning.ASSIGN),
    **dict.fromkeys(("give", "add", "also"), Meaning.ASSIGN),
    **dict.fromkeys(
        ("release", "plans to release", "plan to release", "old plan", "remove", "take", "current plan"),
        Meaning.RELEASE,
    ),
    **dict.fromkeys(("problem", "what to do", "status", "row", "comment", "last seen", "created"), Meaning.IGNORED),
}


@dataclass(frozen=True, slots=True)
class Entry:
    """What a row says. Plans are as `owner.module`; `fault` is why the row can't be taken, in a sentence.

    `said` is what stands in the cells about plans, to assign and to release, as it was written.
    """

    row: int
    user: str = ""
    email: str = ""
    name: str = ""
    assign: tuple[str, ...] = ()
    release: tuple[str, ...] = ()
    fault: str = ""
    said: tuple[str, str] = ("", "")


def guess_columns(listing: Listing, modules: Mapping[str, str]) -> list[Meaning]:
    """Returns what each column probably means. `modules`: what plans are called, lower case → `owner.module`.

    A title counts more than the content; of several columns that could be the user, e-mail or name, the first is.
    """
    guessed = [_by_title(listing, index) for index in range(listing.width)]
    titles = [as_title(title) for title in listing.header]
    if "user" in titles and any(title in ("code", "user code") for title in titles):
        guessed[titles.index("user")] = Meaning.NAME  # as in the list of users
    taken = {meaning for meaning in guessed if meaning in _ONCE}
    found: list[Meaning] = []
    for index, known in enumerate(guessed):
        meaning = known or _by_content(listing, index, modules, taken)
        if meaning in _ONCE:
            if meaning in found:
                meaning = Meaning.IGNORED
            taken.add(meaning)
        found.append(meaning)
    return found


def faults_of_columns(columns: Sequence[Meaning]) -> list[str]:
    """Returns what is wrong with the meanings chosen, in sentences; nothing if rows can be read by them."""
    faults = [
        f"Two columns can't both be the {meaning.label.lower()}." for meaning in _ONCE if columns.count(meaning) > 1
    ]
    if Meaning.USER not in columns and Meaning.EMAIL not in columns:
        faults.append("One column has to name the user: by code or by e-mail address.")
    return faults


def read_entries(listing: Listing, columns: Sequence[Meaning], modules: Mapping[str, str]) -> list[Entry]:
    """Returns what every row says, in order (N-4)."""
    return [_entry(row, columns, modules) for row in listing.rows]


def _entry(row: Row, columns: Sequence[Meaning], modules: Mapping[str, str]) -> Entry:
    def cells(meaning: Meaning) -> list[str]:
        pairs = zip(columns, row.cells, strict=False)
        return [cell for column, cell in pairs if column is meaning and cell]

    user, name = "".join(cells(Meaning.USER)[:1]), "".join(cells(Meaning.NAME)[:1])
    email, called = _address("".join(cells(Meaning.EMAIL)[:1]))
    if not email and "@" in user:
        user, (email, called) = "", _address(user)
    giving, taking = cells(Meaning.ASSIGN), cells(Meaning.RELEASE)
    assign, unknown = _modules(giving, modules)
    release, unknown_too = _modules(taking, modules)
    fault = row.fault
    if not fault and not (user or email):
        fault = "The row names no user."
    if not fault and (unknown or unknown_too):
        fault = f"There is no plan or module called {[*unknown, *unknown_too][0][:100]!r} here."
    said = ("; ".join(giving), "; ".join(taking))
    return Entry(row.number, user, email, name or called, assign, release, fault, said)


def _address(cell: str) -> tuple[str, str]:
    """Returns the e-mail address and the name of a cell such as `Ola Nordmann <ola@fjordlys.example>`."""
    named = _NAMED_ADDRESS.fullmatch(cell)
    return (named[2].strip(), named[1].strip()) if named else (cell, "")


def _modules(cells: Iterable[str], modules: Mapping[str, str]) -> tuple[tuple[str, ...], list[str]]:
    """Returns the modules that cells name, each once, and the words that name none."""
    found: dict[str, None] = {}
    unknown: list[str] = []
    for cell in cells:
        words = [cell] if cell.lower() in modules else [word.strip() for word in _BETWEEN.split(cell)]
        for word in words:
            if word.lower() in modules:
                found[modules[word.lower()]] = None
            elif word not in ("", "-", "–"):
                unknown.append(word)
    return tuple(found), unknown


def _by_title(listing: Listing, index: int) -> Meaning | None:
    return TITLES.get(as_title(listing.header[index])) if index < len(listing.header) else None


def _by_content(listing: Listing, index: int, modules: Mapping[str, str], taken: set[Meaning]) -> Meaning:
    cells = list(islice(listing.column(index), _LOOKED_AT))
    if not cells:
        return Meaning.IGNORED
    if _mostly(cells, lambda cell: bool(EMAIL.search(cell))):
        return Meaning.EMAIL
    if _names_plans(cells, modules):
        return Meaning.ASSIGN
    has_titles = bool(listing.header)
    if Meaning.USER not in taken and not has_titles and _mostly(cells, lambda cell: bool(CODE.fullmatch(cell))):
        return Meaning.USER
    if Meaning.NAME not in taken and not has_titles and _mostly(cells, _looks_like_a_name):
        return Meaning.NAME
    return Meaning.IGNORED


def _names_plans(cells: Sequence[str], modules: Mapping[str, str]) -> bool:
    """Whether at least half of what isn't blank is known."""
    read = [_modules([cell], modules) for cell in cells]
    known = sum(bool(found) and not unknown for found, unknown in read)
    return known > 0 and known >= sum(bool(unknown) for _, unknown in read)


def _looks_like_a_name(cell: str) -> bool:
    return cell[0].isupper() and not any(letter.isdigit() for letter in cell)


def _mostly(cells: Sequence[str], test: Callable[[str], bool]) -> bool:
    return sum(map(test, cells)) >= _MOSTLY * len(cells)
