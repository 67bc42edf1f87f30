"""Instants that pages are asked about: read strictly, and spelled so that they come back as they were."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from django import forms

_MILLISECOND = timedelta(milliseconds=1)


class InstantField(forms.DateTimeField):
    """A moment in UTC; one without an offset is taken as UTC. What no calendar of ours holds is refused."""

    def __init__(self, **kwargs: Any) -> None:
        widget = forms.DateTimeInput({"type": "datetime-local", "step": "any"}, format="%Y-%m-%dT%H:%M")
        super().__init__(**{"required": False, "label": "At (UTC)", "widget": widget, **kwargs})

    def to_python(self, value: Any) -> datetime | None:
        # A bare plus sign in a query string arrives as a space.
        told = value.strip().replace(" ", "+") if isinstance(value, str) and "T" in value else value
        try:
            at = super().to_python(told)
            return None if at is None else at.astimezone(UTC)
        except (OverflowError, ValueError) as wrong:
            raise forms.ValidationError(self.error_messages["invalid"], code="invalid") from wrong


def spelled(at: datetime) -> str:
    """Returns an instant to the microsecond, as addresses spell it: `2026-03-01T08:00:00.000000Z`."""
    return at.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def for_input(at: datetime) -> str:
    """Returns the instant as a `datetime-local` input holds it: to the millisecond, and never before it."""
    late = at.astimezone(UTC)
    short = late.replace(microsecond=late.microsecond // 1000 * 1000)
    if short < late and short < datetime.max.replace(tzinfo=UTC) - _MILLISECOND:
        short += _MILLISECOND
    return short.replace(tzinfo=None).isoformat(timespec="milliseconds" if short.microsecond else "seconds")
