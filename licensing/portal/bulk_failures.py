"""What could not be met, as rows that can be mended and handed in again (rule N-9)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from customers.tables import in_csv
from licensing.models import ChangePreview, ChangePreviewRow
from licensing.portal.bulk_words import spelt
from licensing.portal.choices import Board
from licensing.portal.words import with_names
from licensing.services.bulk import wishes_of

# Each is a title by which licensing.intake_columns knows the column again.
TITLES: Final = ("User code", "Name", "E-mail address", "Assign", "Release", "Problem")


def failures_of(preview: ChangePreview, board: Board) -> Iterator[list[str]]:
    """Yields a row of cells for each blocked one, in the order of the list. Two queries."""
    blocked = preview.rows.filter(outcome=ChangePreviewRow.Outcome.BLOCKED)
    told = {row.position: f"{row.message} {row.next_action}".strip() for row in blocked.iterator()}
    for wish in wishes_of(preview):
        said = {**(wish.create or {}), **(wish.said or {})}
        by_email = "@" in wish.user
        cells = [
            "" if by_email else wish.user,
            said.get("name", ""),
            wish.user if by_email else said.get("email", ""),
            said.get("assign") or spelt(board, wish.assign),
            said.get("release") or spelt(board, wish.release),
            with_names(told.get(wish.position, ""), board.names),
        ]
        yield [in_csv(cell) for cell in cells]
