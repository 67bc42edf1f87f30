"""Pages whose commands are run: their blocks of files, commands and answers, in the order of reading.

- A block that begins with a comment like `# sync.py` or `// ask.mjs` is a file of that name.
- ```sh is run in a shell; what stands in the next ```json or ```text block is what it prints. In JSON the members in
  PASSING may have any value of their kind. After `<!-- keeps running -->` it is a server, up to the page's end.
- ```python after a line with nothing but a path in backticks is an excerpt of that file.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).parents[2]
SERVER: Final = "<!-- keeps running -->"
PASSING: Final = {"as_of", "revision", "valid_until"}
_BLOCK: Final = re.compile(r"^(?P<before>[^\n]*)\n+(?<=\n)```(?P<kind>\w+)\n(?P<text>.*?)^```$", re.M | re.S)
_NAME: Final = re.compile(r"(?:#|//) ([\w.-]+\.\w+)\n")


@dataclass(frozen=True)
class Block:
    """A fenced block, and the line of text before it."""

    kind: str
    text: str
    before: str

    @property
    def is_server(self) -> bool:
        return self.before == SERVER

    @property
    def file_name(self) -> str | None:
        """Returns the name of the file that the block is."""
        named = _NAME.match(self.text)
        return named[1] if named else None

    @property
    def excerpt_of(self) -> Path | None:
        """Returns the file of the project that the block shows a part of."""
        named = re.fullmatch(r"`([\w./-]+)`", self.before)
        return ROOT / named[1] if named else None


@dataclass(frozen=True)
class Command:
    """Commands, and the block that says what they print."""

    text: str
    is_server: bool
    answer: Block | None

    def fault(self, printed: str) -> str | None:
        """Returns how what was printed differs from what the page says."""
        if self.answer is None:
            return None
        said = self.answer.text
        if self.answer.kind == "json":
            try:
                agrees = is_like(json.loads(said), json.loads(printed))
            except ValueError:
                agrees = False
        else:
            agrees = said.strip() == printed.strip()
        return None if agrees else f"the page says\n{said}\nand the command\n{printed}"


def blocks(page: Path) -> list[Block]:
    return [Block(m["kind"], m["text"], m["before"].strip()) for m in _BLOCK.finditer(page.read_text())]


def files(page: Path) -> dict[str, str]:
    return {block.file_name: block.text for block in blocks(page) if block.file_name}


def excerpts(page: Path) -> list[tuple[Path, str]]:
    return [(block.excerpt_of, block.text) for block in blocks(page) if block.excerpt_of]


def commands(page: Path) -> Iterator[Command]:
    found = blocks(page)
    for block, following in zip(found, [*found[1:], None], strict=True):
        if block.kind == "sh":
            answers = following is not None and following.kind in {"json", "text"}
            yield Command(block.text, block.is_server, following if answers else None)


def is_like(said: Any, found: Any) -> bool:
    """Whether an answer is as a page says, apart from what passes with time."""
    if isinstance(said, list) and isinstance(found, list):
        return len(said) == len(found) and all(map(is_like, said, found))
    if isinstance(said, dict) and isinstance(found, dict):
        return said.keys() == found.keys() and all(
            type(said[name]) is type(found[name]) if name in PASSING else is_like(said[name], found[name])
            for name in said
        )
    return type(said) is type(found) and bool(said == found)
