"""Fields of bodies, read as strictly as query parameters are."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.utils.dateparse import parse_datetime
from rest_framework import serializers


class InstantField(serializers.DateTimeField):
    """An instant with its offset: without one, or as a day, nobody knows which is meant."""

    default_error_messages = {"offset": "An instant with its offset, for instance 2026-03-01T00:00:00Z."}

    def to_internal_value(self, value: Any) -> datetime:
        """Returns the instant. Raises ValidationError."""
        try:
            parsed = parse_datetime(value) if isinstance(value, str) else None
        except ValueError:
            parsed = None
        if parsed is None or parsed.tzinfo is None:
            self.fail("offset")
        return super().to_internal_value(value)
