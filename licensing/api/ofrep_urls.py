"""The addresses below /ofrep/v1/, as the protocol has them: none ends with a slash."""

from django.urls import path

from licensing.api import ofrep

urlpatterns = [
    path("evaluate/flags", ofrep.Flags.as_view(), name="ofrep-flags"),
    path("evaluate/flags/<code:key>", ofrep.Flag.as_view(), name="ofrep-flag"),
]
