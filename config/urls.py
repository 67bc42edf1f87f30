"""Every address. Pages of people hang below `account/`, `admin/` and the apps' own; machines use `api/`."""

from allauth.account.decorators import secure_admin_login
from django.contrib import admin
from django.urls import include, path

from config.health import healthz, readyz
from config.pages import home

# One way to sign in, with its second factor and its limits, for the admin too.
admin.site.login = secure_admin_login(admin.site.login)  # type: ignore[method-assign]
admin.site.site_header = admin.site.site_title = "Planarium"

urlpatterns = [
    path("", home, name="home"),
    path("portal/", include("licensing.portal.urls")),
    path("healthz", healthz, name="healthz"),
    path("readyz", readyz, name="readyz"),
    path("api/", include("config.api")),
    path("admin/", admin.site.urls),
    path("account/", include("allauth.urls")),
]

handler400 = "config.errors.bad_request"
handler403 = "config.errors.forbidden"
handler404 = "config.errors.not_found"
handler500 = "config.errors.server_error"
