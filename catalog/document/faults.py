"""What is wrong with a catalog file: every fault in words, each with its place. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches

from catalog.document.entries import Place
from customers.errors import Invalid

_MOST_SUGGESTIONS = 50  # looking for similar names among thousands takes a while


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault; as text `file:line: path: message`."""

    file: str
    line: int
    column: int
    path: str
    message: str

    @classmethod
    def at(cls, place: Place, message: str) -> Fault:
        return cls(place.file, place.line, place.column, place.path, message)

    def __str__(self) -> str:
        subject = f"{self.path}: " if self.path else ""
        return f"{self.file}:{self.line}: {subject}{self.message}"


class BadDocument(Invalid):
    """A catalog that can't be applied; `found` holds all its faults in the order of the files."""

    code = "bad_catalog"
    title = "Bad catalog"

    def __init__(self, found: Iterable[Fault]) -> None:
        self.found = tuple(found)
        many = "1 fault" if len(self.found) == 1 else f"{len(self.found)} faults"
        super().__init__(
            f"The catalog has {many}, so nothing was changed.",
            [
                {"field": fault.path, "message": fault.message, "file": fault.file, "line": fault.line}
                for fault in self.found
            ],
        )


class Faults:
    """The faults found so far."""

    def __init__(self, files: Sequence[str], found: Sequence[Fault] = ()) -> None:
        self._found = list(found)
        self._files = {file: number for number, file in enumerate([*(fault.file for fault in found), *files])}
        self._suggestions = 0

    def __len__(self) -> int:
        return len(self._found)

    def add(self, place: Place, message: str) -> None:
        self._found.append(Fault.at(place, message))

    def similar(self, word: str, words: Iterable[str]) -> str:
        """Returns ` Did you mean …?`, or nothing when none of `words` is close (or too many were looked for)."""
        self._suggestions += 1
        close = get_close_matches(word, words, 1, 0.75) if self._suggestions <= _MOST_SUGGESTIONS else []
        return f" Did you mean {close[0]!r}?" if close else ""

    def check(self) -> None:
        """Raises BadDocument when there are any, sorted as the files are read."""
        if self._found:
            place = {fault: (self._files.get(fault.file, 0), fault.line, fault.column) for fault in self._found}
            raise BadDocument(sorted(dict.fromkeys(self._found), key=lambda fault: place[fault]))
