from django.urls import path

import customers.api.base  # noqa: F401 - it registers the converter <code:…>
from licensing.portal import bulk_urls, integration_urls
from licensing.portal.contract import SubscriptionChange, SubscriptionPage
from licensing.portal.explain import ExplainPage
from licensing.portal.holders import HoldersPage
from licensing.portal.licenses import LicensesPage
from licensing.portal.members import InvitationPage, Invitations, Invite, MemberPage, People, RemoveMember, SecondStep
from licensing.portal.notices import NoticesPage
from licensing.portal.overrides import CustomerOverrides, EndOverride, GrantOverride
from licensing.portal.overview import CustomerPage
from licensing.portal.package import PackagePage
from licensing.portal.packages import LicenseRemoval, Packages, PackageUpload, PackageXml
from licensing.portal.people import AddUser, EditUser, EraseUser, UserLeaves
from licensing.portal.seat_requests import AskForSeats, CustomerRequests, RequestPage, SeatsOf
from licensing.portal.timeline import TimelinePage
from licensing.portal.usage import UsagePage
from licensing.portal.user_page import UserPage
from licensing.portal.user_plans import UserPlansPage
from licensing.portal.views import Customers, Hint, Users

app_name = "portal"
urlpatterns = [
    path("", Customers.as_view(), name="customers"),
    path("<code:customer>/", CustomerPage.as_view(), name="customer"),
    path("<code:customer>/subscription/", SubscriptionPage.as_view(), name="subscription"),
    path("<code:customer>/subscription/change/", SubscriptionChange.as_view(), name="subscription_change"),
    path("<code:customer>/packages/", Packages.as_view(), name="packages"),
    path("<code:customer>/packages/upload/", PackageUpload.as_view(), name="package_upload"),
    path("<code:customer>/packages/<code:owner>/<int:number>/", PackagePage.as_view(), name="package"),
    path("<code:customer>/packages/<code:owner>/<int:number>/xml/", PackageXml.as_view(), name="package_xml"),
    path("<code:customer>/licenses/", LicensesPage.as_view(), name="licenses"),
    path("<code:customer>/licenses/<code:owner>/holders/<code:module>/", HoldersPage.as_view(), name="holders"),
    path("<code:customer>/licenses/<code:owner>/remove/", LicenseRemoval.as_view(), name="license_removal"),
    path("<code:customer>/notices/", NoticesPage.as_view(), name="notices"),
    path("<code:customer>/overrides/", CustomerOverrides.as_view(), name="overrides"),
    path("<code:customer>/overrides/new/", GrantOverride.as_view(), name="override_new"),
    path("<code:customer>/overrides/<int:override>/end/", EndOverride.as_view(), name="override_end"),
    path("<code:customer>/requests/", CustomerRequests.as_view(), name="requests"),
    path("<code:customer>/requests/new/", AskForSeats.as_view(), name="request_new"),
    path("<code:customer>/requests/<int:number>/", RequestPage.as_view(), name="request"),
    path("<code:customer>/new-user/", AddUser.as_view(), name="user_new"),
    path("<code:customer>/usage/", UsagePage.as_view(), name="usage"),
    path("<code:customer>/explain/", ExplainPage.as_view(), name="explain"),
    path("<code:customer>/people/", People.as_view(), name="people"),
    path("<code:customer>/people/invite/", Invite.as_view(), name="invite"),
    path("<code:customer>/people/invitations/", Invitations.as_view(), name="invitations"),
    path("<code:customer>/people/invitations/<int:invitation>/", InvitationPage.as_view(), name="invitation"),
    path("<code:customer>/people/second-step/", SecondStep.as_view(), name="second_step"),
    path("<code:customer>/people/<int:member>/", MemberPage.as_view(), name="member"),
    path("<code:customer>/people/<int:member>/remove/", RemoveMember.as_view(), name="member_remove"),
    *integration_urls.urlpatterns,
    path("<code:customer>/users/", Users.as_view(), name="users"),
    path("<code:customer>/seats/hint/", Hint.as_view(), name="hint"),
    path("<code:customer>/seats/<code:module>/", SeatsOf.as_view(), name="seats_of"),
    path("<code:customer>/users/<code:user>/", UserPage.as_view(), name="user"),
    path("<code:customer>/users/<code:user>/timeline/", TimelinePage.as_view(), name="timeline"),
    path("<code:customer>/users/<code:user>/plans/", UserPlansPage.as_view(), name="user_plans"),
    path("<code:customer>/users/<code:user>/edit/", EditUser.as_view(), name="user_edit"),
    path("<code:customer>/users/<code:user>/leaves/", UserLeaves.as_view(), name="user_leaves"),
    path("<code:customer>/users/<code:user>/erase/", EraseUser.as_view(), name="user_erase"),
    *bulk_urls.urlpatterns,
]
