"""Lists as people hand them in: whatever their program has written, and however it was damaged on the way."""

from __future__ import annotations

import csv
import io
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from customers.tables import in_csv
from licensing.intake import (
    MOST_BYTES,
    MOST_CHARACTERS,
    MOST_ROWS,
    Listing,
    ListTooLarge,
    ListUnreadable,
    guess_delimiter,
    read_listing,
    read_text,
)
from licensing.intake_columns import TITLES, Entry, Meaning, faults_of_columns, guess_columns, read_entries

MODULES = {
    "sales premium": "TEN.sales-premium",
    "ten.sales-premium": "TEN.sales-premium",
    "sales-premium": "TEN.sales-premium",
    "service premium": "TEN.service-premium",
    "sales, service and all": "TEN.both",
}
USER, EMAIL, NAME = Meaning.USER, Meaning.EMAIL, Meaning.NAME
ASSIGN, RELEASE, IGNORED = Meaning.ASSIGN, Meaning.RELEASE, Meaning.IGNORED
LIST = "user;name;plan\nåse;Åse Ødegård;Sales Premium\nbjørn;Bjørn “Bear” Å;\n"


def read(data: bytes) -> Listing:
    return read_listing(data, titles=TITLES)


def entries(text: str, modules: dict[str, str] = MODULES) -> list[Entry]:
    listing = read_text(text, titles=TITLES)
    return read_entries(listing, guess_columns(listing, modules), modules)


# ── Encodings ───────────────────────────────────────────────────────────────
@pytest.mark.parametrize(
    ("data", "encoding"),
    [
        (LIST.encode(), "utf-8"),
        (b"\xef\xbb\xbf" + LIST.encode(), "utf-8"),
        (LIST.encode("cp1252"), "cp1252"),
        (b"\xff\xfe" + LIST.encode("utf-16-le"), "utf-16-le"),
        (b"\xfe\xff" + LIST.encode("utf-16-be"), "utf-16-be"),
        (LIST.encode("utf-16-le"), "utf-16-le"),
        (LIST.encode("utf-16-be"), "utf-16-be"),
        (LIST.encode("utf-32"), "utf-32-le"),
    ],
)
def test_a_list_reads_alike_in_every_encoding(data: bytes, encoding: str) -> None:
    """N-2."""
    listing = read(data)
    assert (listing.encoding, listing.delimiter) == (encoding, ";")
    assert listing.header == ("user", "name", "plan")
    assert [row.cells for row in listing.rows] == [
        ("åse", "Åse Ødegård", "Sales Premium"),
        ("bjørn", "Bjørn “Bear” Å", ""),
    ]


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "nothing in this list"),
        (b"\xef\xbb\xbf \r\n;;\r\n", "nothing in this list"),
        (b"user,name\n", "nothing below it"),
        (b"PK\x03\x04\x14\x00", "a workbook"),
        (bytes(range(1, 32)) * 20, "isn't text"),
    ],
)
def test_what_is_no_list_is_told_so(data: bytes, says: str) -> None:
    with pytest.raises(ListUnreadable, match=says) as refused:
        read(data)
    assert refused.value.next_action


def test_a_list_too_large_is_refused_with_its_size() -> None:
    """N-1."""
    with pytest.raises(ListTooLarge, match="8,000,001 bytes"):
        read(b"a" * (MOST_BYTES + 1))
    with pytest.raises(ListTooLarge, match="10,001 rows"):
        read(b"user\n" + b"ola\n" * (MOST_ROWS + 1))
    assert len(read(b"user\n" + b"ola\n" * MOST_ROWS).rows) == MOST_ROWS


# ── Delimiters, quotes, rows ────────────────────────────────────────────────
@pytest.mark.parametrize(
    ("text", "delimiter"),
    [
        ("a,b\nc,d\n", ","),
        ("a;b\nc;d\n", ";"),
        ("a\tb\nc\td\n", "\t"),
        ("Vik, Vera;vera;1,5\nNordmann, Kari;kari;2,5\n", ";"),
        ('"a;b",c\n"d;e",f\n', ","),
        ("ola\nida\n", ","),
        ("a;b,c\nd;e\nf;g\n", ";"),
    ],
)
def test_the_delimiter_is_what_divides_rows_alike(text: str, delimiter: str) -> None:
    assert guess_delimiter(text) == delimiter


def test_the_delimiter_that_the_file_names_counts() -> None:
    listing = read_text("sep=|\r\nuser|plan\r\nola|a,b\r\n", titles=TITLES)
    assert (listing.delimiter, listing.header) == ("|", ("user", "plan"))
    assert [(row.number, row.cells) for row in listing.rows] == [(3, ("ola", "a,b"))]


def test_rows_have_the_numbers_that_a_spreadsheet_shows() -> None:
    """N-4."""
    listing = read_text(
        'user,name\r\n\r\nola,"Ola\nNordmann"\r\n , \r\n"ida","Ida ""I"" Vik"\rper,Per\n', titles=TITLES
    )
    assert [(row.number, row.cells) for row in listing.rows] == [
        (3, ("ola", "Ola\nNordmann")),
        (5, ("ida", 'Ida "I" Vik')),
        (6, ("per", "Per")),
    ]


def test_a_cell_of_a_megabyte_is_named_by_its_row_and_the_others_are_read() -> None:
    """N-4."""
    listing = read(b"user,name\nola,Ola\nida," + b"x" * 1_000_000 + b"\nper,Per\n")
    assert [(row.number, row.fault) for row in listing.rows if row.fault] == [
        (3, "Cell 2 has 1,000,000 characters; 1,000 can be read. Perhaps a quotation mark is missing.")
    ]
    assert [len(row.cells[1]) for row in listing.rows] == [3, MOST_CHARACTERS, 3]


def test_a_row_of_too_many_cells_is_named() -> None:
    (row,) = read_text("user\n" + "a," * 60, titles=TITLES).rows
    assert row.fault == "The row has 61 cells; 50 can be read."


def test_a_list_in_one_line_is_one_user_per_row() -> None:
    assert [entry.user for entry in entries("ola, ida, per")] == ["ola", "ida", "per"]
    outlook = entries("Ola Nordmann <ola@fjordlys.example>; Ida Vik <ida@fjordlys.example>")
    assert [(entry.row, entry.name, entry.email) for entry in outlook] == [
        (1, "Ola Nordmann", "ola@fjordlys.example"),
        (2, "Ida Vik", "ida@fjordlys.example"),
    ]


# ── Formulas ────────────────────────────────────────────────────────────────
@pytest.mark.parametrize("cell", ["=1+1", "+47 555", "-5", "@SUM(A1)", '=HYPERLINK("http://x","y")'])
def test_a_formula_is_what_it_says_and_comes_back_from_a_download_as_it_was(cell: str) -> None:
    """N-5."""
    out = io.StringIO()
    csv.writer(out).writerows([["user", "name"], ["ola", in_csv(cell)]])
    assert f"'{cell[0]}" in out.getvalue()
    assert [(entry.row, entry.user, entry.name) for entry in entries(out.getvalue())] == [(2, "ola", cell)]


# ── Columns ─────────────────────────────────────────────────────────────────
@pytest.mark.parametrize(
    ("text", "columns"),
    [
        ("ola\nida\n", [USER]),
        ("ola@x.example\nida@x.example\n", [EMAIL]),
        (
            "User code,E-Mail,Full_Name,Plan,Release,Shoe size\nola,,,,,43\n",
            [USER, EMAIL, NAME, ASSIGN, RELEASE, IGNORED],
        ),
        ("User,Code,E-mail,Sales,Also\nOla,ola,o@x.example,Sales Premium,\n", [NAME, USER, EMAIL, ASSIGN, ASSIGN]),
        ("ola,Ola N,o@x.example,Sales Premium\nida,Ida V,i@x.example,-\n", [USER, NAME, EMAIL, ASSIGN]),
        ("7,ola@x.example\n8,ida@x.example\n", [USER, EMAIL]),
        ("code,login\nola,olan\n", [USER, IGNORED]),
        ("name,notes\nOla N,likes fish\n", [NAME, IGNORED]),
    ],
)
def test_columns_are_guessed_by_title_and_content(text: str, columns: list[Meaning]) -> None:
    """N-3."""
    assert guess_columns(read_text(text, titles=TITLES), MODULES) == columns


def test_a_list_has_to_name_its_users_once() -> None:
    assert faults_of_columns([USER, EMAIL, ASSIGN, ASSIGN]) == []
    assert faults_of_columns([USER, USER]) == ["Two columns can't both be the user code."]
    assert faults_of_columns([NAME, ASSIGN]) == ["One column has to name the user: by code or by e-mail address."]


def test_rows_say_who_gets_and_gives_what() -> None:
    told = entries(
        "code;plan;release\n"
        "ola;Sales Premium, service premium;\n"
        "ida;TEN.sales-premium;Service Premium|sales-premium\n"
        "per;Sales, Service and all;–\n"
        ";Sales Premium;\n"
        "eva;Sales Deluxe;\n"
        "Åsa <asa@x.example>;;\n"
    )
    sales, service = "TEN.sales-premium", "TEN.service-premium"
    assert [replace(entry, said=("", "")) for entry in told] == [
        Entry(2, "ola", assign=(sales, service)),
        Entry(3, "ida", assign=(sales,), release=(service, sales)),
        Entry(4, "per", assign=("TEN.both",)),
        Entry(5, assign=(sales,), fault="The row names no user."),
        Entry(6, "eva", fault="There is no plan or module called 'Sales Deluxe' here."),
        Entry(7, email="asa@x.example", name="Åsa"),
    ]
    assert told[1].said == ("TEN.sales-premium", "Service Premium|sales-premium")


def test_whether_the_first_row_is_a_header_can_be_said_otherwise() -> None:
    listing = read_text("\nuser\nida\n", titles=TITLES)
    as_data = listing.with_header(False)
    assert [(row.number, row.cells) for row in as_data.rows] == [(2, ("user",)), (3, ("ida",))]
    assert as_data.with_header(True) == listing
    assert listing.with_header(True) == listing


# ── Whatever it is ──────────────────────────────────────────────────────────
@given(st.binary(max_size=300))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    try:
        listing = read(data)
    except (ListUnreadable, ListTooLarge):
        return
    assert listing.rows
    assert Listing.from_json(listing.to_json()) == listing
    columns = guess_columns(listing, MODULES)
    assert len(columns) == listing.width
    assert [entry.row for entry in read_entries(listing, columns, MODULES)] == [row.number for row in listing.rows]


_CELLS = (
    st.text(st.characters(exclude_categories=("Cs", "Cc")), min_size=1, max_size=20)
    .map(str.strip)
    .filter(lambda cell: cell and not cell.startswith(("'", "\ufeff")))
)


@given(
    st.lists(st.tuples(_CELLS, _CELLS), min_size=2, max_size=8),
    st.sampled_from([",", ";", "\t"]),
    st.sampled_from(["utf-8", "utf-8-sig", "utf-16"]),
)
def test_what_a_spreadsheet_writes_is_what_is_read(rows: list[tuple[str, str]], delimiter: str, encoding: str) -> None:
    out = io.StringIO()
    writer = csv.writer(out, delimiter=delimiter, quoting=csv.QUOTE_ALL)
    writer.writerows([("user", "name"), *((in_csv(user), in_csv(name)) for user, name in rows)])
    listing = read(out.getvalue().encode(encoding))
    assert [row.cells for row in listing.rows] == rows
    assert [row.number for row in listing.rows] == list(range(2, len(rows) + 2))
