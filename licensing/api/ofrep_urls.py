"""The addresses below /ofrep/v1/, as the protocol has them: none ends with a slash of ours.

A key may be any text: what no feature is called is a flag that is not found, in the protocol's words.
"""

from django.urls import path, register_converter
from django.urls.converters import StringConverter

from licensing.api import ofrep


class TextConverter(StringConverter):
    """`<text:key>`: whatever text, slashes and ends of lines too."""

    regex = r"[\s\S]+"


register_converter(TextConverter, "text")

urlpatterns = [
    path("evaluate/flags", ofrep.Flags.as_view(), name="ofrep-flags"),
    path("evaluate/flags/<text:key>", ofrep.Flag.as_view(), name="ofrep-flag"),
]
