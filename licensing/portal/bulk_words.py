"""What people call modules in lists: read from their cells, and written into those they take along. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

from licensing.portal.choices import Board


def words_of(board: Board) -> dict[str, str]:
    """Returns all that a module may be called, lower case → `owner.module`: as on the pages, or by its licence name."""
    modules = list(board.inventory.assignables)
    bare = Counter(module.partition(".")[2].lower() for module in modules)
    names = Counter(board.name(module).lower() for module in modules)
    words = {module.lower(): module for module in modules}
    for module in modules:
        for word, count in ((module.partition(".")[2].lower(), bare), (board.name(module).lower(), names)):
            if count[word] == 1:
                words.setdefault(word, module)
    return words


def spelt(board: Board, modules: Iterable[str]) -> str:
    """Returns modules as a cell that `words_of` understands."""
    names = Counter(board.name(module).lower() for module in board.inventory.assignables)
    return "; ".join(_spelt(board, names, module) for module in modules)


def _spelt(board: Board, names: Mapping[str, int], module: str) -> str:
    name = board.name(module)
    is_plain = names.get(name.lower(), 0) == 1 and not any(mark in name for mark in ";,|\n")
    return name if is_plain else module
