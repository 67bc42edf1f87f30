"""The API: every app's addresses under one roof, its description, and an answer for addresses that don't exist."""

from csp.constants import SELF, UNSAFE_INLINE
from csp.decorators import csp_replace
from django.urls import include, path, re_path
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerSplitView

from config.errors import unknown_address

# Swagger writes its styles inline; a nonce beside 'unsafe-inline' would switch that off again.
_docs = csp_replace({"style-src": [SELF, UNSAFE_INLINE]})(SpectacularSwaggerSplitView.as_view())

urlpatterns = [
    path("v1/", include("licensing.api.urls")),  # first: addresses are tried in turn, and these are asked for most
    path("v1/", include("catalog.api.urls")),
    path("v1/", include("customers.api.urls")),
    path("schema/", SpectacularAPIView.as_view(), name="schema"),
    path("docs/", _docs, name="docs"),
    re_path(r"", unknown_address),
]
