"""Two addresses: the page, and the one at which OpenFeature's web provider asks."""

import views
from django.urls import path

urlpatterns = [
    path("quotes/", views.quotes),
    path("ofrep/v1/evaluate/flags", views.flags),
]
