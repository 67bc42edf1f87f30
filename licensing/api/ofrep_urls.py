"""The addresses below /ofrep/v1/, as the protocol has them: none ends with a slash of ours.

A key may be any text: what no feature is called is a flag that is not found, in the protocol's words.
"""

from django.urls import path

from licensing.api import ofrep

urlpatterns = [
    path("evaluate/flags", ofrep.Flags.as_view(), name="ofrep-flags"),
    path("evaluate/flags/<path:key>", ofrep.Flag.as_view(), name="ofrep-flag"),
]
