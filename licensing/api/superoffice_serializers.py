"""The shapes of the compatibility reads, for the OpenAPI document: names and types as existing apps know them."""

# Names are those of the other side, in its spelling.
from __future__ import annotations

from typing import Any

from rest_framework import serializers

_DATE = "ISO without an offset, in UTC; 0001-01-01T00:00:00 for none."


def _text() -> serializers.CharField:
    return serializers.CharField(allow_blank=True)


def _date() -> serializers.CharField:
    return serializers.CharField(help_text=_DATE)


_number, _yes = serializers.IntegerField, serializers.BooleanField


TYPES = [(name, name) for name in ("SiteLicense", "SatelliteLicense", "UserLicense")]


class ModuleLicenseSerializer(serializers.Serializer[Any]):
    AllowedUserType = _text()
    ExtraFlags = _number()
    ExtraInfo = _text()
    IsHidden = _yes()
    LicenseType = serializers.ChoiceField(TYPES)
    ModuleDescription = _text()
    ModuleName = _text()
    ModuleTooltip = _text()
    ModuleVersion = _text()
    NumberOfLicenses = _number()
    OwnerName = _text()
    PrerequisiteModuleName = _text()
    Signature = _text()
    SortOrder = _number()
    Unrestricted = _yes()


class LicenseInfoSerializer(serializers.Serializer[Any]):
    AdminWarningDate = _date()
    CompanyName = _text()
    DeploymentType = _number()
    ExpiryDate = _date()
    ExtraFlags = _number()
    ExtraInfo = _text()
    GraceDate = _date()
    LicenseUrl = _text()
    LicenseVersion = _text()
    MaintenanceDate = _date()
    ModuleLicenses = ModuleLicenseSerializer(many=True)
    NextCheckDate = _date()
    OwnerDescription = _text()
    OwnerName = _text()
    ProductDescription = _text()
    ProductType = _text()
    PublicKey = _text()
    SerialNr = _text()
    Signature = _text()


class ExtendedModuleLicenseSerializer(serializers.Serializer[Any]):
    New = ModuleLicenseSerializer(allow_null=True)
    Current = ModuleLicenseSerializer(allow_null=True)
    NumberOfLicensesInUse = _number()
    NumberOfLicensesFree = _number()
    NumberOfLicensesAdded = _number()
    NumberOfLicensesNewTotal = _number()
    NumberOfLicensesNewFree = _number()
    NumberOfLicensesTotal = _number()


class ExtendedLicenseInfoSerializer(serializers.Serializer[Any]):
    Reason = _text()
    CanBeActivated = _yes()
    New = LicenseInfoSerializer(allow_null=True)
    Current = LicenseInfoSerializer(allow_null=True)
    ExtendedModuleLicenses = ExtendedModuleLicenseSerializer(many=True)
    AccumulatedNextCheckDate = _date()


class ModuleLicenseLinkSerializer(serializers.Serializer[Any]):
    Unrestricted = _yes()
    Total = _number()
    Tooltip = _text()
    CanAssign = _yes()
    Free = _number()
    InUse = _number()
    IsHidden = _yes()
    Assigned = _yes()
    ModuleLicenseId = _number()
    Name = _text()
    Description = _text()
    PrerequisiteModuleName = _text()
    SortOrder = _number()
    ExtraFlags = _number()


class LicenseOwnerSerializer(serializers.Serializer[Any]):
    Name = _text()
    Description = _text()
    RestrictedModuleLicenses = ModuleLicenseLinkSerializer(many=True)
    UnrestrictedModuleLicenses = ModuleLicenseLinkSerializer(many=True)


class PrincipalLicenseSerializer(serializers.Serializer[Any]):
    OwnerId = _number()
    OwnerName = _text()
    OwnerDescription = _text()
    ModuleId = _number()
    Name = _text()
    Description = _text()
    Version = _text()
    LicenseType = serializers.ChoiceField(TYPES)
    ExtraFlags = _number()
    ExtraInfo = _text()
    SortOrder = _number()
    LicenseNumber = _number()
    IsHidden = _yes()
    IsUnrestricted = _yes()
    ExpiryDate = _date()


class PrincipalSerializer(serializers.Serializer[Any]):
    UserType = _text()
    Associate = serializers.CharField(help_text="The user's code.")
    AssociateId = _number()
    IsPerson = _yes()
    PersonId = _number()
    ContactId = _number()
    GroupId = _number()
    RoleId = _number()
    RoleName = _text()
    RoleType = _text()
    FunctionRights = serializers.ListField(child=serializers.CharField())
    DatabaseContextIdentifier = serializers.CharField(help_text="The customer's code.")
    UserName = _text()
    Licenses = PrincipalLicenseSerializer(many=True)
