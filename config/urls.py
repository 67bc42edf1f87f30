"""Every address. Pages of people hang below `account/`, `admin/` and the apps' own; machines use `api/`."""

from django.contrib import admin
from django.urls import include, path
from django.views.generic import RedirectView

import customers.api.base  # noqa: F401 - it registers the converter <code:…>
from catalog.views.compatibility import CompatibilityPage
from catalog.views.files import CatalogDownload, CatalogFiles
from catalog.views.matrix import MatrixPage, MatrixRepetitions, MatrixSave
from catalog.views.plans import PlanComparison
from config.health import healthz, readyz
from config.invitation import AcceptInvitation
from config.oidc import provider_sign_in
from config.pages import home
from config.second_step import Authenticate, RemovePasskey
from config.sessions import Sessions
from config.styleguide import styleguide
from config.your_account import your_account
from licensing.portal.audit import AuditPage
from licensing.portal.figures import FiguresPage
from licensing.portal.impact import ImpactAtCustomer, ImpactByCustomer, ImpactByFeature, ImpactProblems, ImpactReports
from licensing.portal.overrides import AllOverrides
from licensing.portal.searching import Search
from licensing.portal.seat_requests import AllRequests
from licensing.portal.workbench import Workbench

urlpatterns = [
    path("", home, name="home"),
    path("catalog/", Workbench.as_view(), name="workbench"),
    path("catalog/compatibility/", CompatibilityPage.as_view(), name="compatibility"),
    path("catalog/files/", CatalogFiles.as_view(), name="catalog_files"),
    path("catalog/files/catalog.yaml", CatalogDownload.as_view(), name="catalog_download"),
    path("audit/", AuditPage.as_view(), name="audit"),
    path("catalog/matrix/", MatrixPage.as_view(), name="matrix"),
    path("catalog/matrix/repeated/", MatrixRepetitions.as_view(), name="matrix_repeated"),
    path("catalog/matrix/save/", MatrixSave.as_view(), name="matrix_save"),
    path("figures/", FiguresPage.as_view(), name="figures"),
    path("impact/", ImpactReports.as_view(), name="impact"),
    path("impact/<int:report>/", ImpactByFeature.as_view(), name="impact_report"),
    path("impact/<int:report>/customers/", ImpactByCustomer.as_view(), name="impact_customers"),
    path("impact/<int:report>/customers/<code:customer>/", ImpactAtCustomer.as_view(), name="impact_customer"),
    path("impact/<int:report>/problems/", ImpactProblems.as_view(), name="impact_problems"),
    path("migrations/", include("licensing.portal.migration_urls")),
    path("overrides/", AllOverrides.as_view(), name="overrides"),
    path("requests/", AllRequests.as_view(), name="requests"),
    path("search/", Search.as_view(), name="search"),
    path("plans/", PlanComparison.as_view(), name="plans"),
    path("styleguide/", styleguide, name="styleguide"),
    path("webhooks/", include("licensing.portal.webhook_urls")),
    path("portal/", include("licensing.portal.urls")),
    path("healthz", healthz, name="healthz"),
    path("readyz", readyz, name="readyz"),
    path("api/", include("config.api")),
    path("ofrep/v1/", include("licensing.api.ofrep_urls")),
    path("superoffice/api/v1/", include("licensing.api.superoffice_urls")),
    path("admin/", admin.site.urls),
    path("account/", your_account, name="account"),
    # Whoever manages accounts changes addresses, and the audit trail tells of it; allauth's own page would not.
    path("account/email/", RedirectView.as_view(pattern_name="account")),
    path("account/invitation/<code:token>/", AcceptInvitation.as_view(), name="invitation"),
    path("account/sessions/", Sessions.as_view(), name="usersessions_list"),
    path("account/2fa/authenticate/", Authenticate.as_view(), name="mfa_authenticate"),
    path("account/2fa/webauthn/keys/<int:pk>/remove/", RemovePasskey.as_view(), name="mfa_remove_webauthn"),
    # A provider's account is linked at the first sign-in with it, and nobody signs up by one.
    path("account/oidc/<str:provider_id>/login/", provider_sign_in, name="openid_connect_login"),
    path("account/3rdparty/", RedirectView.as_view(pattern_name="account")),
    path("account/3rdparty/signup/", RedirectView.as_view(pattern_name="account_signup")),
    path("account/", include("allauth.urls")),
]

handler400 = "config.errors.bad_request"
handler403 = "config.errors.forbidden"
handler404 = "config.errors.not_found"
handler429 = "config.errors.too_many"  # allauth asks for it
handler500 = "config.errors.server_error"
