"""The addresses below /superoffice/api/v1/: no others, and none ends with a slash."""

from django.urls import path

from licensing.api import superoffice

urlpatterns = [
    path("License", superoffice.LicenseOfAllOwners.as_view(), name="superoffice-license"),
    # The fixed word comes first, and the converter takes no fixed word and no number for a name.
    path("License/User/<int:associate_id>", superoffice.LicenseOfUser.as_view(), name="superoffice-license-user"),
    path(
        "License/<license_name:owner>/<license_name:module>",
        superoffice.LicenseOfModule.as_view(),
        name="superoffice-license-module",
    ),
    path("User/currentPrincipal", superoffice.CurrentPrincipal.as_view(), name="superoffice-principal"),
]
