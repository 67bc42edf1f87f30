"""The JSON body of a call, read strictly."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import IO, Any

from rest_framework.exceptions import ParseError
from rest_framework.parsers import BaseParser
from rest_framework.utils.json import strict_constant


class StrictJSONParser(BaseParser):
    """UTF-8 only; no NaN, no NUL, no half characters, nothing nested past reading. Raises ParseError.

    Reading `request.body` is what holds the body to `DATA_UPLOAD_MAX_MEMORY_SIZE` (RequestDataTooBig); a stream is not
    held to it.
    """

    media_type = "application/json"

    def parse(
        self, stream: IO[Any], media_type: str | None = None, parser_context: Mapping[str, Any] | None = None
    ) -> Any:
        body: bytes = (parser_context or {})["request"].body
        try:
            parsed = json.loads(body.decode(), parse_constant=strict_constant)
        except UnicodeDecodeError as fault:
            raise ParseError(f"The body is not UTF-8: byte {fault.start} can't be read.") from fault
        except RecursionError as fault:
            raise ParseError("The body is nested too deeply.") from fault
        except ValueError as fault:
            raise ParseError(f"The body is not JSON: {fault}.") from fault
        # Only an escape can smuggle in what UTF-8 itself or a bare control character couldn't.
        if b"\\u" in body:
            _refuse_unstorable(parsed)
        return parsed


def _refuse_unstorable(parsed: Any) -> None:
    left = [parsed]
    while left:
        item = left.pop()
        if isinstance(item, dict):
            left += [*item.keys(), *item.values()]
        elif isinstance(item, list):
            left += item
        elif isinstance(item, str) and ("\x00" in item or any("\ud800" <= mark <= "\udfff" for mark in item)):
            raise ParseError("The body has a NUL or half a character (a lone surrogate) in a string.")
