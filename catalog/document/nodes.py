"""YAML text as nodes with places. Nothing in a file is ever constructed: it is read as text, mapping and list. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any, Final

import yaml

from catalog.document.entries import Place
from catalog.document.faults import Faults

LONGEST_TEXT: Final = 20_000_000  # characters of one file
MOST_NODES: Final = 1_000_000  # of one file, counted as often as an alias repeats them
DEEPEST: Final = 16

_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_UNPRINTABLE: Final = yaml.reader.Reader.NON_PRINTABLE


@dataclass(frozen=True, slots=True)
class Source:
    """One file: the name that faults call it by, and its text."""

    name: str
    text: str


def compose(source: Source, faults: Faults) -> yaml.MappingNode | None:
    """Returns the mapping that a file is. None when it is none, or not safe or possible to read: faults say why."""
    start = Place(source.name, 1, 1, "")
    before = len(faults)
    if len(source.text) > LONGEST_TEXT:
        faults.add(start, f"This file is too large: {LONGEST_TEXT:,} characters at most. Spread it over several files.")
        return None
    unprintable = _UNPRINTABLE.search(source.text)
    if unprintable is not None:
        line = source.text.count("\n", 0, unprintable.start()) + 1
        faults.add(Place(source.name, line, 1, ""), f"No file may contain the character {unprintable.group()!r}.")
        return None
    try:
        _Guard(source, faults).check()
        node = yaml.compose(source.text, Loader=_Loader) if len(faults) == before else None
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        reason = " ".join(part for part in (error.context, error.problem) if part)
        faults.add(_place(source, mark), f"This isn't YAML: {reason}.")
        return None
    except yaml.YAMLError as error:
        faults.add(start, f"This isn't YAML: {error}.")
        return None
    if len(faults) > before:
        return None
    if isinstance(node, yaml.MappingNode):
        return node
    faults.add(start, "The file is empty." if node is None else "A catalog file is a mapping of sections.")
    return None


def _place(source: Source, mark: Any, path: str = "") -> Place:
    return Place(source.name, mark.line + 1, mark.column + 1, path) if mark else Place(source.name, 1, 1, path)


@dataclass(slots=True)
class _Guard:
    """Reads a file's events, before anything is built of them, and faults tags, depth, size and endless aliases."""

    source: Source
    faults: Faults
    total: int = 0
    sizes: dict[str, int] = field(default_factory=dict)  # nodes under each anchor that is complete
    open: list[tuple[str | None, int]] = field(default_factory=list)  # the anchor of each open node, total before it

    def check(self) -> None:
        for event in yaml.parse(self.source.text, Loader=_Loader):
            message = self._message(event)
            if message:
                self.faults.add(_place(self.source, event.start_mark), message)
                return
            tag = getattr(event, "tag", None)
            if tag is not None:
                self.faults.add(_place(self.source, event.start_mark), f"Tags aren't read; leave {tag!r} out.")

    def _message(self, event: yaml.Event) -> str:
        if isinstance(event, yaml.CollectionEndEvent):
            anchor, before = self.open.pop()
            if anchor is not None:
                self.sizes[anchor] = self.total - before
        elif isinstance(event, yaml.CollectionStartEvent):
            self.open.append((event.anchor, self.total))
            self.total += 1
        elif isinstance(event, yaml.ScalarEvent):
            self.total += 1
        elif isinstance(event, yaml.AliasEvent):
            if any(anchor == event.anchor for anchor, _ in self.open):
                return f"The alias *{event.anchor} stands inside what it repeats."
            self.total += self.sizes.get(event.anchor or "", 1)
        if len(self.open) > DEEPEST:
            return f"This is nested too deep: {DEEPEST} levels at most."
        if self.total > MOST_NODES:
            return f"This file says too much: {MOST_NODES:,} values at most. Spread it over several files."
        return ""


_MERGE: Final = "tag:yaml.org,2002:merge"
_NULL: Final = "tag:yaml.org,2002:null"
_TEXT: Final = "tag:yaml.org,2002:str"
_BOOL: Final = "tag:yaml.org,2002:bool"
_INT: Final = "tag:yaml.org,2002:int"
_WHOLE_NUMBER: Final = re.compile(r"[-+]?(?:0|[1-9][0-9_]{0,17})\Z")
_CONTROL: Final = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")


@dataclass(frozen=True, slots=True)
class Node:
    """A value in the file and where it stands (a mapping's value: where its key does)."""

    place: Place
    raw: yaml.Node
    faults: Faults

    @property
    def is_nothing(self) -> bool:
        return isinstance(self.raw, yaml.ScalarNode) and self.raw.tag == _NULL

    def pairs(self) -> list[tuple[str, Node]] | None:
        """Returns the keys and values of a mapping, each key once; of nothing, none. None when it is no mapping."""
        if self.is_nothing:
            return []
        if not isinstance(self.raw, yaml.MappingNode):
            self.faults.add(self.place, "Here a mapping is needed: `key: value` lines.")
            return None
        found: dict[str, Node] = {}
        for key_node, value_node in self.raw.value:
            place = self._below(key_node, key_node.value if isinstance(key_node, yaml.ScalarNode) else "?")
            if not isinstance(key_node, yaml.ScalarNode):
                self.faults.add(place, "A key is one word.")
            elif key_node.tag == _MERGE:
                self.faults.add(place, "Merging by << isn't read; write the lines out.")
            elif key_node.value in found:
                line = found[key_node.value].place.line
                self.faults.add(place, f"{key_node.value!r} is written twice; first on line {line}.")
            else:
                found[key_node.value] = Node(place, value_node, self.faults)
        return list(found.items())

    def items(self) -> list[Node]:
        """Returns the elements of a list; of nothing, or of what is no list (which is a fault), none."""
        if self.is_nothing:
            return []
        if not isinstance(self.raw, yaml.SequenceNode):
            self.faults.add(self.place, "Here a list is needed: `[a, b]`.")
            return []
        return [Node(self._below(item), item, self.faults) for item in self.raw.value]

    def _below(self, raw: yaml.Node, key: str = "") -> Place:
        path = ".".join(part for part in (self.place.path, key) if part)
        return Place(self.place.file, raw.start_mark.line + 1, raw.start_mark.column + 1, path)

    def word(self) -> str | None:
        """Returns a scalar as it is written, so that codes such as `365` or `no` need no quotes. None with a fault."""
        if isinstance(self.raw, yaml.ScalarNode) and not self.is_nothing:
            return str(self.raw.value)
        self.faults.add(self.place, "Here one word is needed.")
        return None

    def value(self) -> bool | int | str | None:
        """Returns a scalar as true, false, a number or text. None with a fault."""
        if isinstance(self.raw, yaml.ScalarNode):
            if self.raw.tag == _BOOL:
                return bool(yaml.SafeLoader.bool_values[self.raw.value.lower()])
            if self.raw.tag == _INT and _WHOLE_NUMBER.match(self.raw.value):
                return int(self.raw.value)
        return self.word()

    def text(self, longest: int, *, lines: bool = False) -> str:
        """Returns the text, stripped; with a fault, what there is. `lines` allows several."""
        if not isinstance(self.raw, yaml.ScalarNode) or self.raw.tag == _NULL:
            self.faults.add(self.place, "Here text is needed.")
            return ""
        text = str(self.raw.value).strip()
        if self.raw.tag != _TEXT:
            self.faults.add(self.place, f"Here text is needed; put it in quotes: {text!r}.")
        elif _CONTROL.search(text):
            self.faults.add(self.place, "Text can't have control characters.")
        elif "\n" in text and not lines:
            self.faults.add(self.place, "This text must stand on one line.")
        elif len(text) > longest:
            self.faults.add(self.place, f"This text is too long: {len(text)} characters, {longest} at most.")
        return text

    def flag(self) -> bool:
        value = self.value()
        if not isinstance(value, bool) and value is not None:
            self.faults.add(self.place, f"Here true or false is needed, not {value!r}.")
        return value is True

    def number(self, lowest: int, highest: int) -> int:
        value = self.value()
        if isinstance(value, int) and not isinstance(value, bool) and lowest <= value <= highest:
            return value
        if value is not None:
            self.faults.add(self.place, f"Here a whole number from {lowest} to {highest} is needed, not {value!r}.")
        return lowest


class Record:
    """A mapping whose keys are asked for one by one; `finish` faults those that nobody asked for.

    What is missing or wrong becomes a fault and is answered with something harmless, so that reading goes on.
    """

    def __init__(self, node: Node) -> None:
        pairs = node.pairs()
        self.place = node.place
        self._faults = node.faults
        self._is_mapping = pairs is not None
        self._values = dict(pairs or ())
        self._asked: list[str] = []

    def get(self, key: str, *, required: bool = False) -> Node | None:
        """Returns the value under `key`; None when there is none, which is a fault where it is `required`."""
        self._asked.append(key)
        node = self._values.get(key)
        if node is None and required and self._is_mapping:
            self._faults.add(self.place, f"{key!r} is missing.")
        return node

    def name(self, longest: int, key: str = "name") -> str:
        """Returns a text that must be there and not be empty."""
        node = self.get(key, required=True)
        text = node.text(longest) if node else ""
        if node and not text and isinstance(node.raw, yaml.ScalarNode) and node.raw.tag == _TEXT:
            self._faults.add(node.place, "This can't be empty.")
        return text

    def text(self, key: str, longest: int, *, lines: bool = False) -> str:
        node = self.get(key)
        return node.text(longest, lines=lines) if node else ""

    def flag(self, key: str, default: bool) -> bool:
        node = self.get(key)
        return node.flag() if node else default

    def number(self, key: str, lowest: int, highest: int) -> int | None:
        node = self.get(key)
        return node.number(lowest, highest) if node else None

    def one_of(self, key: str, words: tuple[str, ...], default: str | None = None) -> str | None:
        """Returns one of `words`, or the default; None with a fault. Required when there is no default."""
        node = self.get(key, required=default is None)
        word = node.word() if node else default
        if node and word is not None and word not in words:
            similar = self._faults.similar(word, words)
            self._faults.add(node.place, f"{word!r} is none of {', '.join(words)}.{similar}")
            return None
        return word

    def pairs(self, key: str) -> list[tuple[str, Node]]:
        node = self.get(key)
        return (node.pairs() if node else None) or []

    def items(self, key: str) -> list[Node]:
        node = self.get(key)
        return node.items() if node else []

    def finish(self) -> None:
        for key, node in self._values.items():
            if key not in self._asked:
                similar = self._faults.similar(key, self._asked)
                known = "" if similar else f" Known here: {', '.join(dict.fromkeys(self._asked))}."
                self._faults.add(node.place, f"Nothing is known by the key {key!r}.{similar}{known}")
