from django.urls import path

from licensing.api import (
    activation,
    checking,
    contracts,
    entitlements,
    licenses,
    moving,
    overrides,
    packages,
    seats,
    snapshots,
    users,
)

_CUSTOMER = "customers/<code:customer>/"
_USER = f"{_CUSTOMER}users/<code:user>/"

urlpatterns = [
    # What apps ask on every click comes first: addresses are tried in turn.
    path(f"{_USER}entitlements/", entitlements.UserEntitlements.as_view(), name="user-entitlements"),
    path(f"{_USER}entitlements/<code:feature>/", entitlements.UserEntitlement.as_view(), name="user-entitlement"),
    path("entitlements/check/", checking.EntitlementCheck.as_view(), name="entitlement-check"),
    path(f"{_CUSTOMER}entitlements/snapshot/", snapshots.Snapshot.as_view(), name="entitlement-snapshot"),
    path(f"{_CUSTOMER}entitlements/changes/", snapshots.Changes.as_view(), name="entitlement-changes"),
    path("signing-keys/", snapshots.SigningKeys.as_view(), name="signing-keys"),
    path(f"{_CUSTOMER}entitlements/", entitlements.CustomerEntitlements.as_view(), name="customer-entitlements"),
    path(
        f"{_CUSTOMER}entitlements/<code:feature>/",
        entitlements.CustomerEntitlement.as_view(),
        name="customer-entitlement",
    ),
    path(f"{_CUSTOMER}users/", users.UserList.as_view(), name="user-list"),
    path(_USER, users.UserDetail.as_view(), name="user-detail"),
    path(f"{_USER}seats/", seats.SeatList.as_view(), name="seat-list"),
    path(f"{_USER}seats/<code:module>/", seats.SeatDetail.as_view(), name="seat-detail"),
    path(f"{_CUSTOMER}subscription/", contracts.SubscriptionDetail.as_view(), name="subscription"),
    path(f"{_CUSTOMER}subscription/cancel/", contracts.SubscriptionCancel.as_view(), name="subscription-cancel"),
    path(f"{_CUSTOMER}subscription/resume/", contracts.SubscriptionResume.as_view(), name="subscription-resume"),
    path(f"{_CUSTOMER}items/", contracts.ItemList.as_view(), name="item-list"),
    path(f"{_CUSTOMER}items/<code:offer>/", contracts.ItemDetail.as_view(), name="item-detail"),
    path(f"{_CUSTOMER}packages/", packages.PackageList.as_view(), name="package-list"),
    path(f"{_CUSTOMER}packages/<int:number>/", packages.PackageDetail.as_view(), name="package-detail"),
    path(f"{_CUSTOMER}packages/<int:number>/activate/", activation.Activate.as_view(), name="package-activate"),
    path(
        f"{_CUSTOMER}packages/<int:number>/superfluous/",
        activation.SuperfluousSeats.as_view(),
        name="package-superfluous",
    ),
    path(f"{_CUSTOMER}licenses/<code:owner>/", packages.PartnerLicense.as_view(), name="partner-license"),
    path(f"{_CUSTOMER}overrides/", overrides.OverrideList.as_view(), name="override-list"),
    path(f"{_CUSTOMER}overrides/<int:override>/", overrides.OverrideDetail.as_view(), name="override-detail"),
    path(f"{_CUSTOMER}licenses/", licenses.LicenseList.as_view(), name="license-list"),
    path("migrations/", moving.MigrationList.as_view(), name="migration-list"),
    path("migrations/<int:migration>/", moving.MigrationDetail.as_view(), name="migration-detail"),
    path("migrations/<int:migration>/customers/", moving.MigrationCustomerList.as_view(), name="migration-customers"),
]
