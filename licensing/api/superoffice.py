"""The four reads that existing apps of this kind make, field for field as they know them (rules Q-1 to Q-9).

    GET License                       every owner's package, its rows, and what of each is in use
    GET License/{owner}/{module}      one row, or `null`
    GET License/User/{associateId}    the user licences as one user has them
    GET User/currentPrincipal         who is signed in, and with which licences

The addresses name no customer: they answer callers who are bound to one. Whatever else those addresses know elsewhere
(`Site`, `ShopUrl`, a number for a module, …) is unknown here, and never taken for an owner or a module.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from functools import cached_property
from itertools import groupby
from operator import attrgetter
from typing import Any, ClassVar, Final

from django.http import HttpResponse, JsonResponse
from django.urls import register_converter
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from catalog.reserved import OWNER_WORDS
from customers.access import Access, access_of
from customers.api.params import refuse_unknown
from customers.errors import NotFound
from customers.models import Customer, CustomerUser
from licensing.api.superoffice_serializers import (
    ExtendedLicenseInfoSerializer,
    LicenseOwnerSerializer,
    PrincipalSerializer,
)
from licensing.errors import CustomerUnclear, MissingPrerequisite, NoAssociate, SeatRefusal
from licensing.facts import DateState, full_name
from licensing.keyring import OWN_KEYS
from licensing.models import ModuleLicense, Package
from licensing.recorded import seal_of
from licensing.seating import Inventory, Wish, judge
from licensing.selectors import seats_held, users_per_module
from licensing.services.seats import active_rows, inventory_of

NO_DATE: Final = "0001-01-01T00:00:00"  # how these apps spell a date that isn't there
_READ: Final[dict[str, str]] = {"GET": "licenses:read"}
_LARGEST_ID: Final = 2**63 - 1
# The list of all rows is what names the component.
_A_ROW_OR_NULL: Final = {"allOf": [{"$ref": "#/components/schemas/ModuleLicense"}], "nullable": True}


class _NameConverter:
    """An owner or a module in a path: no fixed word, and no number, which would name an associate."""

    regex = r"[^/\x00]{1,512}"

    def to_python(self, value: str) -> str:
        if value.lower() in OWNER_WORDS or value.isdecimal():
            raise ValueError(value)
        return value

    def to_url(self, value: object) -> str:
        return str(value)


register_converter(_NameConverter, "license_name")


# ── Whom it is about ────────────────────────────────────────────────────────
def bound_customer(access: Access) -> Customer:
    """Returns the one customer that the caller may read licences of. Raises CustomerUnclear."""
    if access.allows(_READ["GET"]):
        raise CustomerUnclear
    found = list(access.customers(_READ["GET"])[:2])
    if len(found) != 1:
        raise CustomerUnclear
    customer: Customer = found[0]
    return customer


class _View(APIView):
    required_scopes: ClassVar[dict[str, str]] = _READ

    @cached_property
    def customer(self) -> Customer:
        return bound_customer(access_of(self.request))


# ── The reads ───────────────────────────────────────────────────────────────
class LicenseOfAllOwners(_View):
    @extend_schema(responses=ExtendedLicenseInfoSerializer(many=True))
    def get(self, request: Request) -> Response:
        """The package in force of each owner, with every row and how many of it are in use."""
        refuse_unknown(request, [])
        used = users_per_module(self.customer)
        return Response([_extended(package, rows, used) for package, rows in _by_package(active_rows(self.customer))])


class LicenseOfModule(_View):
    @extend_schema(responses={200: _A_ROW_OR_NULL})
    def get(self, request: Request, owner: str, module: str) -> HttpResponse | Response:
        """One row of the owner's package, whatever a user holds; `null` where there is none."""
        refuse_unknown(request, [])
        wanted = full_name(owner, module).lower()
        row = next((row for name, row in active_rows(self.customer).items() if name.lower() == wanted), None)
        # DRF would send nothing for None.
        return JsonResponse(None, safe=False) if row is None else Response(_license(row))


class LicenseOfUser(_View):
    @extend_schema(responses=LicenseOwnerSerializer(many=True))
    def get(self, request: Request, associate_id: int) -> Response:
        """Every user licence, and whether the user has it or could be given it."""
        refuse_unknown(request, [])
        user = CustomerUser.objects.of(self.customer).filter(pk=min(associate_id, _LARGEST_ID)).first()
        if user is None:
            raise NotFound("associate", str(associate_id))
        rows = active_rows(self.customer)
        links = _Links(user, rows, users_per_module(self.customer))
        return Response([links.of_owner(package, owned) for package, owned in _by_package(rows)])


class CurrentPrincipal(APIView):
    required_scopes: ClassVar[dict[str, str]] = _READ

    @cached_property
    def associate(self) -> CustomerUser | None:
        """The one user of a customer that the account signed in is."""
        account = self.request.user
        if not account.is_authenticated:
            return None
        found = list(CustomerUser.objects.filter(account=account.pk).select_related("customer", "account")[:2])
        return found[0] if len(found) == 1 else None

    def check_permissions(self, request: Request) -> None:
        """Lets everybody read who they are; who is nobody's user needs the scope to be told so."""
        if self.associate is None:
            super().check_permissions(request)

    @extend_schema(responses=PrincipalSerializer)
    def get(self, request: Request) -> Response:
        """Who is signed in: all site licences, and the user licences that are theirs."""
        refuse_unknown(request, [])
        if self.associate is None:
            raise NoAssociate
        return Response(_principal(self.associate))


# ── How it is told ──────────────────────────────────────────────────────────
def _by_package(rows: Mapping[str, ModuleLicense]) -> Iterable[tuple[Package, list[ModuleLicense]]]:
    ordered = sorted(rows.values(), key=lambda row: (row.package.owner.code, row.sort_order, row.module_name))
    for _, owned in groupby(ordered, key=attrgetter("package_id")):
        listed = list(owned)
        yield listed[0].package, listed


def _date(at: datetime | None) -> str:
    """Returns an instant as these apps write it: UTC, without an offset, to the second."""
    return NO_DATE if at is None else at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S")


def _extended(package: Package, rows: Iterable[ModuleLicense], used: Mapping[str, int]) -> dict[str, Any]:
    """Returns an ExtendedLicenseInfo of what is in force: nothing is new, so the new totals are the present ones."""
    listed = list(rows)
    return {
        "Reason": "",
        "CanBeActivated": False,
        "New": None,
        "Current": _info(package, listed),
        "ExtendedModuleLicenses": [_counted(row, used.get(row.full_name, 0)) for row in listed],
        "AccumulatedNextCheckDate": _date(package.next_check_at),
    }


def _info(package: Package, rows: Iterable[ModuleLicense]) -> dict[str, Any]:
    """Returns a LicenseInfo; the signature is our own seal over the record (Z-5), also of what partners issued."""
    seal = seal_of(package)
    return {
        "AdminWarningDate": _date(package.warning_at),
        "CompanyName": package.company_name,
        "DeploymentType": package.deployment_type or 0,
        "ExpiryDate": _date(package.expires_at),
        "ExtraFlags": package.extra_flags,
        "ExtraInfo": package.extra_info,
        "GraceDate": _date(package.grace_until),
        "LicenseUrl": package.owner.license_url,
        "LicenseVersion": package.license_version,
        "MaintenanceDate": _date(package.maintenance_until),
        "ModuleLicenses": [_license(row) for row in rows],
        "NextCheckDate": _date(package.next_check_at),
        "OwnerDescription": package.owner.name,
        "OwnerName": package.owner.code,
        "ProductDescription": package.product_description,
        "ProductType": package.product_type,
        "PublicKey": OWN_KEYS[seal.key_id].text if seal is not None else "",
        "SerialNr": package.serial_number,
        "Signature": seal.signature if seal is not None else "",
    }


def _license(row: ModuleLicense) -> dict[str, Any]:
    return {
        "AllowedUserType": row.allowed_user_type or "Unknown",
        "ExtraFlags": row.extra_flags,
        "ExtraInfo": row.extra_info,
        "IsHidden": row.hidden,
        "LicenseType": row.get_license_type_display(),
        "ModuleDescription": row.module_description,
        "ModuleName": row.module_name,
        "ModuleTooltip": row.tooltip,
        "ModuleVersion": row.module_version,
        "NumberOfLicenses": row.license_number,
        "OwnerName": row.package.owner.code,
        "PrerequisiteModuleName": row.prerequisite_module,
        "Signature": row.signature,
        "SortOrder": row.sort_order,
        "Unrestricted": row.unrestricted,
    }


def _counted(row: ModuleLicense, used: int) -> dict[str, Any]:
    free = max(row.license_number - used, 0)
    return {
        "New": None,
        "Current": _license(row),
        "NumberOfLicensesInUse": used,
        "NumberOfLicensesFree": free,
        "NumberOfLicensesAdded": 0,
        "NumberOfLicensesNewTotal": row.license_number,
        "NumberOfLicensesNewFree": free,
        "NumberOfLicensesTotal": row.license_number,
    }


class _Links:
    """Tells how one user stands to each user licence."""

    def __init__(self, user: CustomerUser, rows: Mapping[str, ModuleLicense], used: Mapping[str, int]) -> None:
        self.user, self.used = user, used
        self.inventory = inventory_of(rows)
        self.held = frozenset(seats_held([user])[user.pk])

    def of_owner(self, package: Package, rows: Iterable[ModuleLicense]) -> dict[str, Any]:
        links = [(row, self._link(row)) for row in rows if row.license_type == ModuleLicense.Type.USER]
        return {
            "Name": package.owner.code,
            "Description": package.owner.name,
            "RestrictedModuleLicenses": [link for row, link in links if not row.unrestricted],
            "UnrestrictedModuleLicenses": [link for row, link in links if row.unrestricted],
        }

    def _link(self, row: ModuleLicense) -> dict[str, Any]:
        used = self.used.get(row.full_name, 0)
        free = max(row.license_number - used, 0)
        return {
            "Unrestricted": row.unrestricted,
            "Total": row.license_number,
            "Tooltip": row.tooltip,
            "CanAssign": self._can_assign(row, free),
            "Free": free,
            "InUse": used,
            "IsHidden": row.hidden,
            "Assigned": _holds(self.inventory, self.held, row),
            "ModuleLicenseId": row.pk,
            "Name": row.module_name,
            "Description": row.module_description,
            "PrerequisiteModuleName": row.prerequisite_module,
            "SortOrder": row.sort_order,
            "ExtraFlags": row.extra_flags,
        }

    def _can_assign(self, row: ModuleLicense, free: int) -> bool:
        """Whether the user may get it, or keep it (C-23): a seat is left, and what it needs would be held."""
        if not row.assignable or not self.user.may_hold_seats:
            return False
        if row.full_name in self.held:
            return True
        if free == 0 and not row.unrestricted:
            return False
        try:
            judge(self.inventory, self.user.code, self.held, Wish(assign=(row.full_name,), accept_loss=True))
        except MissingPrerequisite:
            return False
        except SeatRefusal:
            return True  # something else has to be said first, which the app is told when it assigns
        return True


def _holds(inventory: Inventory, held: frozenset[str], row: ModuleLicense) -> bool:
    """Whether a user licence is the user's: by seat, or with a plan that switches it on."""
    return row.full_name in held or any(row.full_name in plan.switches_on for plan in inventory.plans(held))


def _principal(user: CustomerUser) -> dict[str, Any]:
    return {
        "UserType": "InternalAssociate",
        "Associate": user.code,
        "AssociateId": user.pk,
        "IsPerson": True,
        "PersonId": 0,
        "ContactId": 0,
        "GroupId": 0,
        "RoleId": 0,
        "RoleName": "",
        "RoleType": "Employee",
        "FunctionRights": [],
        "DatabaseContextIdentifier": user.customer.code,
        "UserName": user.account.email if user.account is not None else user.email,
        "Licenses": [_principal_license(row) for row in _theirs(user)],
    }


def _theirs(user: CustomerUser) -> list[ModuleLicense]:
    """Returns all site licences, and the user licences that are the user's.

    Those of a package that has stopped let nobody edit, so they are left out; and who can't log in has nothing.
    """
    if not user.may_hold_seats:
        return []
    rows = active_rows(user.customer)
    inventory, held, now = inventory_of(rows), frozenset(seats_held([user])[user.pk]), timezone.now()
    return [
        row
        for package, owned in _by_package(rows)
        for row in owned
        if row.license_type == ModuleLicense.Type.SITE
        or (package.state_at(now) is not DateState.STOPPED and _holds(inventory, held, row))
    ]


def _principal_license(row: ModuleLicense) -> dict[str, Any]:
    owner = row.package.owner
    return {
        "OwnerId": owner.pk,
        "OwnerName": owner.code,
        "OwnerDescription": owner.name,
        "ModuleId": row.pk,
        "Name": row.module_name,
        "Description": row.module_description,
        "Version": row.module_version,
        "LicenseType": row.get_license_type_display(),
        "ExtraFlags": row.extra_flags,
        "ExtraInfo": row.extra_info,
        "SortOrder": row.sort_order,
        "LicenseNumber": row.license_number,
        "IsHidden": row.hidden,
        "IsUnrestricted": row.unrestricted,
        "ExpiryDate": _date(row.package.expires_at),
    }
