from django.urls import path

from licensing.api import entitlements, licenses, seats, users

_USER = "customers/<code:customer>/users/<code:user>/"

urlpatterns = [
    path("customers/<code:customer>/users/", users.UserList.as_view(), name="user-list"),
    path(_USER, users.UserDetail.as_view(), name="user-detail"),
    path("customers/<code:customer>/licenses/", licenses.LicenseList.as_view(), name="license-list"),
    path(f"{_USER}seats/", seats.SeatList.as_view(), name="seat-list"),
    path(f"{_USER}seats/<code:module>/", seats.SeatDetail.as_view(), name="seat-detail"),
    path(f"{_USER}entitlements/", entitlements.UserEntitlements.as_view(), name="user-entitlements"),
    path(
        f"{_USER}entitlements/<code:feature>/",
        entitlements.UserEntitlement.as_view(),
        name="user-entitlement",
    ),
    path(
        "customers/<code:customer>/entitlements/",
        entitlements.CustomerEntitlements.as_view(),
        name="customer-entitlements",
    ),
    path(
        "customers/<code:customer>/entitlements/<code:feature>/",
        entitlements.CustomerEntitlement.as_view(),
        name="customer-entitlement",
    ),
]
