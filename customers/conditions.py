"""Conditions of queries that Django has no word for."""

from __future__ import annotations

import json
from collections.abc import Collection
from typing import Any

from django.db.models import F, Lookup


class AnyOf(Lookup):
    """Whether a column is one of many values: `AnyOf("user_id", ids)`, to filter by.

    The values are one parameter, an array, where `__in` has one for each: with thousands of them, that takes longer to
    spell and to plan than to answer.
    """

    lookup_name = "any_of"
    prepare_rhs = False

    def __init__(self, column: Any, values: Collection[Any]) -> None:
        super().__init__(F(column) if isinstance(column, str) else column, list(values))

    def as_sql(self, compiler: Any, connection: Any) -> tuple[str, tuple[Any, ...]]:
        column, params = self.process_lhs(compiler, connection)
        if connection.vendor == "postgresql":
            return f"{column} = ANY(%s)", (*params, self.rhs)
        listed = "IN (SELECT value FROM json_each(%s))"
        return f"{column} {listed}", (*params, json.dumps(self.rhs))
