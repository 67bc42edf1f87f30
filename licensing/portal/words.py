"""Refusals in the words of the users page: plans by the names people know, never by licence names. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from customers.errors import Refusal


@dataclass(frozen=True, slots=True)
class Fault:
    """Why something can't be saved; `code` is the refusal's."""

    code: str
    message: str
    next_action: str = ""


def in_words(refusal: Refusal, names: Mapping[str, str]) -> Fault:
    """Returns the refusal with every module (`owner.module`) called by its name."""
    return Fault(refusal.code, with_names(refusal.message, names), with_names(refusal.next_action, names))


def with_names(text: str, names: Mapping[str, str]) -> str:
    """Returns a sentence with every module in it called by its name."""
    # Longest first: a licence name may be the beginning of another.
    for module in sorted(names, key=len, reverse=True):
        text = text.replace(module, names[module])
    return text


def listed(words: tuple[str, ...]) -> str:
    """Returns "a", "a and b" or "a, b and c"."""
    return " and ".join(part for part in (", ".join(words[:-1]), words[-1]) if part) if words else ""
