"""A pasted list or an uploaded CSV, as rows of cells: which encoding, which delimiter, whether it has a header. Pure.

Whatever stands in a cell is data. Rows keep the number under which a spreadsheet shows them (from 1, the header and
blank rows counted), so that whoever finds something wrong with one can name it.
"""

from __future__ import annotations

import csv
import io
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from customers.errors import Refusal

MOST_ROWS: Final = 10_000
MOST_BYTES: Final = 8_000_000
MOST_CHARACTERS: Final = 1_000  # of a cell
MOST_COLUMNS: Final = 50

DELIMITERS: Final[Mapping[str, str]] = {"\t": "tab", ";": "semicolon", ",": "comma"}
EMAIL: Final = re.compile(r"[^@\s<>;,]+@[^@\s<>;,]+\.[^@\s<>;,]+")
CODE: Final = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?")
_MARKS: Final = (
    (b"\xef\xbb\xbf", "utf-8"),
    (b"\xff\xfe\x00\x00", "utf-32-le"),
    (b"\x00\x00\xfe\xff", "utf-32-be"),
    (b"\xff\xfe", "utf-16-le"),
    (b"\xfe\xff", "utf-16-be"),
)
_WORKBOOKS: Final = (b"PK\x03\x04", b"\xd0\xcf\x11\xe0")
_SEPARATOR_LINE: Final = re.compile(r"\s*\"?sep=(.)\"?\s*", re.IGNORECASE)
_BLANK: Final = " \t\r\n;,"
_FORMULA: Final = ("=", "+", "-", "@")
_LOOKED_AT: Final = 50  # rows, to guess by
_NOT_TEXT: Final = re.compile(r"[\x01-\x08\x0e-\x1f]")

# A cell is never larger than the whole list; by default the reader gives up at 128 KiB.
csv.field_size_limit(MOST_BYTES)


class ListUnreadable(Refusal):
    code = "list_unreadable"
    status = 400
    title = "List can't be read"


class ListTooLarge(Refusal):
    code = "list_too_large"
    status = 413
    title = "List too large"


@dataclass(frozen=True, slots=True)
class Row:
    """`number` as a spreadsheet shows it. `fault` says why it can't be taken, in a sentence; empty if it can."""

    number: int
    cells: tuple[str, ...]
    fault: str = ""


@dataclass(frozen=True, slots=True)
class Listing:
    """What was handed in. `header` are its titles, none if it begins with data; `rows` the rest without blank ones.

    `header_row` is the header's number.
    """

    encoding: str
    delimiter: str
    header: tuple[str, ...]
    rows: tuple[Row, ...]
    header_row: int = 0

    def with_header(self, is_one: bool) -> Listing:
        """Returns the listing with its first row taken for a header, or not."""
        if is_one and not self.header and len(self.rows) > 1:
            return replace(self, header=self.rows[0].cells, header_row=self.rows[0].number, rows=self.rows[1:])
        if not is_one and self.header:
            return replace(self, header=(), header_row=0, rows=(Row(self.header_row, self.header), *self.rows))
        return self

    @property
    def width(self) -> int:
        """How many columns there are."""
        return max([len(self.header), *(len(row.cells) for row in self.rows)])

    def column(self, index: int) -> Iterator[str]:
        """Yields what stands in a column, blank cells left out."""
        return (row.cells[index] for row in self.rows if index < len(row.cells) and row.cells[index])

    def to_json(self) -> dict[str, Any]:
        return {
            "encoding": self.encoding,
            "delimiter": self.delimiter,
            "header": list(self.header),
            "header_row": self.header_row,
            "rows": [[row.number, list(row.cells), row.fault] for row in self.rows],
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Listing:
        rows = tuple(Row(number, tuple(cells), fault) for number, cells, fault in data["rows"])
        return cls(data["encoding"], data["delimiter"], tuple(data["header"]), rows, data["header_row"])


def read_listing(data: bytes, *, titles: Iterable[str] = ()) -> Listing:
    """Returns what is in the bytes of a file. `titles` are the words of which a header is recognised (N-3).

    Raises ListTooLarge for more than MOST_BYTES or MOST_ROWS, ListUnreadable where there is nothing to read or no text.
    """
    if len(data) > MOST_BYTES:
        raise ListTooLarge(
            f"The list has {len(data):,} bytes; {MOST_BYTES:,} can be taken.",
            next_action="Leave out columns that aren't needed, or divide it.",
        )
    text, encoding = decode(data)
    return read_text(text, encoding=encoding, titles=titles)


def read_text(text: str, *, encoding: str = "utf-8", titles: Iterable[str] = ()) -> Listing:
    """As `read_listing`, of text that was pasted."""
    text, told = _without_separator_line(text)
    delimiter = told or guess_delimiter(text)
    numbered = [
        (number, cells)
        for number, cells in enumerate(_records(text, delimiter), start=2 if told else 1)
        if any(cell.strip(_BLANK) for cell in cells)
    ]
    if not numbered:
        raise ListUnreadable("There is nothing in this list.", next_action="Paste one user per line, or choose a file.")
    header: tuple[str, ...] = ()
    header_row = 0
    if is_header(numbered[0][1], titles):
        header_row, titled = numbered.pop(0)
        header = tuple(_cell(cell) for cell in titled[:MOST_COLUMNS])
    if not numbered:
        raise ListUnreadable("There is a header in this list, and nothing below it.", next_action="Add the users.")
    numbered = _one_a_row(numbered) if not header else numbered
    if len(numbered) > MOST_ROWS:
        raise ListTooLarge(
            f"The list has {len(numbered):,} rows; {MOST_ROWS:,} can be taken at once.",
            next_action="Divide it, and hand in one part after the other.",
        )
    rows = tuple(_row(number, cells) for number, cells in numbered)
    return Listing(encoding, delimiter, header, rows, header_row)


def decode(data: bytes) -> tuple[str, str]:
    """Returns the text and the name of its encoding: by its byte order mark, else UTF-16, UTF-8, cp1252 by content."""
    if data.startswith(_WORKBOOKS):
        raise ListUnreadable("This is a workbook, not text.", next_action="Save it as CSV, and choose that file.")
    for mark, encoding in _MARKS:
        if data.startswith(mark):
            return _text(data[len(mark) :].decode(encoding, errors="replace")), encoding
    encoding = _utf_16_without_mark(data)
    if encoding:
        return _text(data.decode(encoding, errors="replace")), encoding
    try:
        return _text(data.decode()), "utf-8"
    except UnicodeDecodeError:
        return _text(data.decode("cp1252", errors="replace")), "cp1252"


def guess_delimiter(text: str) -> str:
    """Returns what stands between cells: what divides the first rows alike, and into most cells."""
    best, found = (0.0, 0), ","
    for delimiter in DELIMITERS:
        widths = Counter(
            len(cells)
            for cells, _ in zip(_records(text, delimiter), range(_LOOKED_AT), strict=False)
            if any(cell.strip() for cell in cells)
        )
        wide = Counter({width: count for width, count in widths.items() if width > 1})
        if not wide:
            continue
        width, count = wide.most_common(1)[0]
        score = (round(count / widths.total(), 1), width)
        if score > best:
            best, found = score, delimiter
    return found


def is_header(cells: Sequence[str], titles: Iterable[str]) -> bool:
    """Whether a row consists of titles: one is known, and none is an e-mail address."""
    known = set(titles)
    return any(as_title(cell) in known for cell in cells) and not any(EMAIL.search(cell) for cell in cells)


def as_title(cell: str) -> str:
    """Returns how a title is compared: lower case, words divided by single spaces, without punctuation."""
    return " ".join(re.sub(r"[^\w]+|_", " ", cell.lower()).split())


def _text(text: str) -> str:
    """Returns the text without what no cell can hold."""
    if len(_NOT_TEXT.findall(text[:10_000])) > len(text[:10_000]) // 20:
        raise ListUnreadable("This file isn't text.", next_action="Save the list as CSV, and choose that file.")
    return text.removeprefix("\ufeff").replace("\0", "\ufffd")


def _utf_16_without_mark(data: bytes) -> str:
    """Returns which UTF-16 the bytes look like, or nothing: in Western text every other byte is zero."""
    begun = data[:2000]
    half = len(begun) // 2
    if half < 2 or len(data) % 2:
        return ""
    if begun[1::2].count(0) > half * 0.7:
        return "utf-16-le"
    return "utf-16-be" if begun[0::2].count(0) > half * 0.7 else ""


def _without_separator_line(text: str) -> tuple[str, str]:
    """Returns the text without the line `sep=;` that some programs write first, and what it told."""
    first, _, rest = text.partition("\n")
    told = _SEPARATOR_LINE.fullmatch(first)
    return (rest, told[1]) if told and told[1] not in '"\r\n ' else (text, "")


def _records(text: str, delimiter: str) -> Iterator[list[str]]:
    # Line ends inside of quotes stay as they are; a lone \r ends a line too.
    return csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, skipinitialspace=True)


def _one_a_row(numbered: list[tuple[int, list[str]]]) -> list[tuple[int, list[str]]]:
    """Returns a list that was written into one line as one user per row."""
    if len(numbered) != 1:
        return numbered
    cells = [cell for cell in numbered[0][1] if cell.strip()]
    if len(cells) < 2 or not (_all(EMAIL.search, cells) or _all(CODE.fullmatch, cells)):
        return numbered
    return [(number, [cell]) for number, cell in enumerate(cells, start=1)]


def _all(test: Any, cells: Iterable[str]) -> bool:
    return all(test(cell.strip()) for cell in cells)


def _row(number: int, cells: Sequence[str]) -> Row:
    fault = ""
    if len(cells) > MOST_COLUMNS:
        fault = f"The row has {len(cells):,} cells; {MOST_COLUMNS} can be read."
    for place, cell in enumerate(cells, start=1):
        if len(cell) > MOST_CHARACTERS:
            fault = (
                f"Cell {place} has {len(cell):,} characters; {MOST_CHARACTERS:,} can be read. "
                "Perhaps a quotation mark is missing."
            )
            break
    return Row(number, tuple(_cell(cell) for cell in cells[:MOST_COLUMNS]), fault)


def _cell(cell: str) -> str:
    """Returns what stands in a cell. The apostrophe that keeps a spreadsheet from taking it for a formula goes."""
    cell = cell[:MOST_CHARACTERS].strip()
    return cell[1:] if cell.startswith("'") and cell[1:].startswith(_FORMULA) else cell
