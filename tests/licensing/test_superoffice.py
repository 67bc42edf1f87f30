"""The reads that existing apps of this kind make, as those apps meet them: every field, and no address but four.

Fjordlys has bought Sales Premium and Service Essentials for its people, calendars and chat; Ola holds Sales Premium.
Rules Q-1 to Q-9.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from rest_framework.test import APIClient

from catalog.models import Owner
from catalog.reserved import OWNER_WORDS
from customers.actor import SYSTEM
from customers.models import Account, Membership
from licensing.keyring import OWN_KEYS
from licensing.models import ModuleLicense, Package
from licensing.services.people import edit_user
from licensing.services.subscriptions import cancel_subscription
from tests.factories.customers import AccountFactory, MembershipFactory, api_as, api_with
from tests.licensing.market import Town, hours

HERE = "/superoffice/api/v1/"
NEVER = "0001-01-01T00:00:00"


@pytest.fixture(autouse=True)
def _keys_stay_warm(settings: Any) -> None:
    settings.API_KEY_MEMORY_SECONDS = 3600


@pytest.fixture
def held(town: Town) -> Town:
    town.customer.serial_number = "1010000014"
    town.customer.save()
    town.buys(sales_premium=3, service_essentials=1, calendar=2, chat=1, at=hours(1))
    town.gives("ola", "ten-sales-premium", at=hours(2))
    return town


@pytest.fixture
def app(held: Town) -> APIClient:
    """An existing app at Fjordlys: its key is bound to the customer, and reads licences alone."""
    return api_with("licenses:read", customer=held.customer)


@pytest.fixture
def ola(held: Town) -> Account:
    """Ola signs in. He is nobody's admin."""
    account: Account = AccountFactory(name="Ola", email="ola@fjordlys.example")
    held.users["ola"].account = account
    held.users["ola"].save()
    return account


def get(http: APIClient, path: str, status: int = 200) -> Any:
    answer = http.get(HERE + path)
    assert answer.status_code == status, answer.content
    return answer.json()


def row(name: str) -> ModuleLicense:
    found: ModuleLicense = ModuleLicense.objects.active().select_related("package__owner").get(module_name=name)
    return found


def written(at: datetime | None) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%S") if at else NEVER


def license_of(row: ModuleLicense) -> dict[str, Any]:
    """A ModuleLicense with the fields of domain B4, worked out here once more."""
    return {
        "OwnerName": "SUPEROFFICE",
        "LicenseType": {1: "SiteLicense", 3: "UserLicense"}[row.license_type],
        "AllowedUserType": row.allowed_user_type or "Unknown",
        "ModuleName": row.module_name,
        "ModuleDescription": row.module_description,
        "ModuleTooltip": row.tooltip,
        "ModuleVersion": row.module_version,
        "NumberOfLicenses": row.license_number,
        "Unrestricted": row.unrestricted,
        "IsHidden": row.hidden,
        "ExtraFlags": row.extra_flags,
        "ExtraInfo": row.extra_info,
        "SortOrder": row.sort_order,
        "PrerequisiteModuleName": row.prerequisite_module,
        "Signature": row.signature,
    }


class TestLicense:
    """GET License. Q-2."""

    def test_a_package_with_every_field(self, held: Town, app: APIClient) -> None:
        cancel_subscription(customer=held.customer, actor=SYSTEM, at=hours(3))
        package = Package.objects.active().get()
        assert package.expires_at is not None, "a cancelled subscription ends"

        (told,) = get(app, "License")

        assert told.keys() == {
            *("Reason", "CanBeActivated", "New", "Current", "ExtendedModuleLicenses", "AccumulatedNextCheckDate")
        }
        assert (told["Reason"], told["CanBeActivated"], told["New"]) == ("", False, None)
        info = told["Current"]
        assert {name: value for name, value in info.items() if name != "ModuleLicenses"} == {
            "AdminWarningDate": written(package.warning_at),
            "CompanyName": package.company_name,
            "DeploymentType": package.deployment_type or 0,
            "ExpiryDate": written(package.expires_at),
            "GraceDate": written(package.grace_until),
            "LicenseVersion": package.license_version,
            "MaintenanceDate": written(package.maintenance_until),
            "NextCheckDate": written(package.next_check_at),
            "ExtraFlags": 0,
            "ExtraInfo": "",
            "LicenseUrl": "",
            "OwnerDescription": Owner.objects.get(code="SUPEROFFICE").name,
            "OwnerName": "SUPEROFFICE",
            "ProductDescription": package.product_description,
            "ProductType": package.product_type,
            "PublicKey": OWN_KEYS[package.seal.key_id].text,
            "SerialNr": "1010000014",
            "Signature": package.seal.signature,
        }
        rows = list(package.rows.select_related("package__owner").order_by("sort_order", "module_name"))
        assert info["ModuleLicenses"] == [license_of(row) for row in rows]
        assert told["AccumulatedNextCheckDate"] == written(package.next_check_at)

    def test_what_is_in_use_and_free_of_each_row(self, app: APIClient) -> None:
        (told,) = get(app, "License")
        counted = {each["Current"]["ModuleName"]: each for each in told["ExtendedModuleLicenses"]}
        for name, used, total in (("ten-sales-premium", 1, 3), ("sale-cal", 1, 3), ("nebula", 0, 2)):
            assert counted[name] == {
                "New": None,
                "Current": license_of(row(name)),
                "NumberOfLicensesInUse": used,
                "NumberOfLicensesFree": total - used,
                "NumberOfLicensesAdded": 0,
                "NumberOfLicensesNewTotal": total,
                "NumberOfLicensesNewFree": total - used,
                "NumberOfLicensesTotal": total,
            }

    def test_dates_have_no_offset_and_none_is_the_first_of_all(self, app: APIClient) -> None:
        """Q-6: what renews by itself never expires."""
        (told,) = get(app, "License")
        assert (told["Current"]["ExpiryDate"], told["Current"]["GraceDate"]) == (NEVER, NEVER)

    def test_a_customer_without_a_package_has_none(self, market: Any) -> None:
        http = api_with("licenses:read", customer=Town("nordvik", ()).customer)
        assert get(http, "License") == []


class TestModule:
    """GET License/{owner}/{module}. Q-3."""

    @pytest.mark.parametrize("path", ["SUPEROFFICE/sale-cal", "superoffice/Sale-CAL", "SuperOffice/sale-cal"])
    def test_one_row_whatever_the_case(self, app: APIClient, path: str) -> None:
        assert get(app, f"License/{path}") == license_of(row("sale-cal"))

    @pytest.mark.parametrize("path", ["SUPEROFFICE/no-such", "ACME/sale-cal", "SUPEROFFICE/superoffice.sale-cal"])
    def test_what_is_missing_is_null(self, app: APIClient, path: str) -> None:
        answer = app.get(f"{HERE}License/{path}")
        assert (answer.status_code, answer.content, answer["Content-Type"]) == (200, b"null", "application/json")

    def test_it_says_nothing_of_anybody(self, held: Town, app: APIClient) -> None:
        before = get(app, "License/SUPEROFFICE/ten-sales-premium")
        held.takes("ola", "ten-sales-premium")
        assert get(app, "License/SUPEROFFICE/ten-sales-premium") == before


class TestUser:
    """GET License/User/{associateId}. Q-4."""

    def links(self, http: APIClient, held: Town, user: str) -> dict[str, Any]:
        (owner,) = get(http, f"License/User/{held.users[user].pk}")
        both = (*owner["RestrictedModuleLicenses"], *owner["UnrestrictedModuleLicenses"])
        return {link["Name"]: link for link in both}

    def test_every_field(self, held: Town, app: APIClient) -> None:
        (owner,) = get(app, f"License/User/{held.users['ola'].pk}")
        assert owner.keys() == {"Name", "Description", "RestrictedModuleLicenses", "UnrestrictedModuleLicenses"}
        assert (owner["Name"], owner["Description"]) == (
            "SUPEROFFICE",
            Owner.objects.get(code="SUPEROFFICE").name,
        )
        known = row("ten-sales-premium")
        (link,) = [link for link in owner["RestrictedModuleLicenses"] if link["Name"] == "ten-sales-premium"]
        assert link == {
            "Unrestricted": False,
            "Total": 3,
            "Tooltip": known.tooltip,
            "CanAssign": True,
            "Free": 2,
            "InUse": 1,
            "IsHidden": False,
            "Assigned": True,
            "ModuleLicenseId": known.pk,
            "Name": "ten-sales-premium",
            "Description": known.module_description,
            "PrerequisiteModuleName": known.prerequisite_module,
            "SortOrder": known.sort_order,
            "ExtraFlags": 1,
        }
        assert [link["Name"] for link in owner["UnrestrictedModuleLicenses"]] == ["visible-for"]

    def test_user_licences_only_hidden_ones_too(self, held: Town, app: APIClient) -> None:
        """C-9: filtering is the app's job. What a plan switches on is assigned with it (C-12)."""
        links = self.links(app, held, "ola")
        users = ModuleLicense.objects.active().filter(license_type=3)
        assert links.keys() == set(users.values_list("module_name", flat=True))
        assert {"IsHidden": True, "Assigned": True, "CanAssign": False}.items() <= links["sale-cal"].items()
        assert not self.links(app, held, "ida")["sale-cal"]["Assigned"]

    def test_what_can_be_assigned(self, held: Town, app: APIClient) -> None:
        """C-23: a seat is left, the user may hold one, and what it needs would be held."""
        assert self.links(app, held, "ida")["ten-service-essentials"]["CanAssign"]
        held.gives("per", "ten-service-essentials")
        links = self.links(app, held, "ida")
        assert (links["ten-service-essentials"]["CanAssign"], links["ten-service-essentials"]["Free"]) == (False, 0)
        assert self.links(app, held, "per")["ten-service-essentials"]["CanAssign"], "it can be kept"
        assert not links["nebula"]["CanAssign"], "Ida holds no plan that brings `user`"
        edit_user(customer=held.customer, actor=SYSTEM, user=held.users["ida"], is_former_employee=True)
        assert not any(link["CanAssign"] for link in self.links(app, held, "ida").values())

    def test_another_customers_user_is_not_there(self, held: Town, app: APIClient) -> None:
        nils = Town("nordvik", ("nils",)).users["nils"]
        for number in (nils.pk, 0, 10**30):
            assert get(app, f"License/User/{number}", 404)["code"] == "not_found"


class TestPrincipal:
    """GET User/currentPrincipal. Q-5."""

    def test_who_is_signed_in_with_every_field(self, held: Town, ola: Account) -> None:
        told = get(api_as(ola), "User/currentPrincipal")
        licenses = told.pop("Licenses")
        assert told == {
            "UserType": "InternalAssociate",
            "Associate": "ola",
            "AssociateId": held.users["ola"].pk,
            "IsPerson": True,
            "PersonId": 0,
            "ContactId": 0,
            "GroupId": 0,
            "RoleId": 0,
            "RoleName": "",
            "RoleType": "Employee",
            "FunctionRights": [],
            "DatabaseContextIdentifier": "fjordlys",
            "UserName": "ola@fjordlys.example",
        }
        known = row("ten-sales-premium")
        (plan,) = [each for each in licenses if each["Name"] == "ten-sales-premium"]
        assert plan == {
            "OwnerId": known.package.owner_id,
            "OwnerName": "SUPEROFFICE",
            "OwnerDescription": known.package.owner.name,
            "ModuleId": known.pk,
            "Name": "ten-sales-premium",
            "Description": known.module_description,
            "Version": known.module_version,
            "LicenseType": "UserLicense",
            "ExtraFlags": 1,
            "ExtraInfo": known.extra_info,
            "SortOrder": known.sort_order,
            "LicenseNumber": 3,
            "IsHidden": False,
            "IsUnrestricted": False,
            "ExpiryDate": NEVER,
        }

    def test_all_site_licences_and_the_users_own(self, held: Town, ola: Account) -> None:
        told = {each["Name"] for each in get(api_as(ola), "User/currentPrincipal")["Licenses"]}
        rows = ModuleLicense.objects.active()
        site = set(rows.filter(license_type=1).values_list("module_name", flat=True))
        theirs = {"ten-sales-premium", *row("ten-sales-premium").extra_info.removeprefix("set=").split(",")}
        assert told == site | theirs
        held.takes("ola", "ten-sales-premium")
        assert {each["Name"] for each in get(api_as(ola), "User/currentPrincipal")["Licenses"]} == site

    def test_once_a_package_has_stopped_site_licences_are_left(
        self, held: Town, ola: Account, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Q-7: the app knows the expiry only, so what lets people edit is no longer told."""
        cancel_subscription(customer=held.customer, actor=SYSTEM, at=hours(3))
        stops = Package.objects.active().get().grace_until
        assert stops is not None
        for at, kinds in ((stops - timedelta(seconds=1), {"SiteLicense", "UserLicense"}), (stops, {"SiteLicense"})):
            monkeypatch.setattr(timezone, "now", lambda at=at: at)
            licenses = get(api_as(ola), "User/currentPrincipal")["Licenses"]
            assert {each["LicenseType"] for each in licenses} == kinds

    def test_who_cannot_log_in_has_none(self, held: Town, ola: Account) -> None:
        edit_user(customer=held.customer, actor=SYSTEM, user=held.users["ola"], can_log_in=False)
        assert get(api_as(ola), "User/currentPrincipal")["Licenses"] == []

    def test_nobodys_user_is_told_so(self, held: Town, app: APIClient) -> None:
        """A key is nobody; an account without a user, or that is the user of two customers, is not one either."""
        kari = AccountFactory(name="Kari")
        MembershipFactory(customer=held.customer, account=kari, role=Membership.Role.ADMIN)
        for http in (app, api_as(kari)):
            assert get(http, "User/currentPrincipal", 404)["code"] == "no_associate"
        for user in (held.users["ida"], Town("nordvik", ("ida",)).users["ida"]):
            user.account = kari
            user.save()
        assert get(api_as(kari), "User/currentPrincipal", 404)["code"] == "no_associate"
        assert get(APIClient(), "User/currentPrincipal", 401)["code"] == "not_authenticated"


class TestAddresses:
    @pytest.mark.parametrize(
        "path",
        [
            *("License/SUPEROFFICE", "License/SUPEROFFICE/17", "License/User/MdoList", "License/User/ola"),
            *("License/Site/1", "License/ChangeSerialNumber", "License/SUPEROFFICE/ShopUrl", "License/user/sale-cal"),
            *("License/site/sale-cal", "License/SUPEROFFICE/mdolist", "License/", "User/1", "User", "License/1/2"),
            *("License/User/-1", "License/SUPEROFFICE/a/b", "License/a%00/b"),
        ],
    )
    def test_there_are_four_and_fixed_words_are_no_names(self, app: APIClient, path: str) -> None:
        """Q-8: the trap of `License/{owner}/{module}` beside `License/{owner}/{associateId}`."""
        answer = app.get(HERE + path)
        assert (answer.status_code, answer["Content-Type"]) == (404, "application/problem+json")
        assert {"user", "site", "changeserialnumber", "shopurl", "mdolist"} == OWNER_WORDS

    @pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
    def test_they_only_read(self, app: APIClient, method: str) -> None:
        for path in ("License", "License/SUPEROFFICE/sale-cal", "License/User/1", "User/currentPrincipal"):
            answer = app.generic(method, HERE + path, "{}", content_type="application/json")
            assert answer.status_code == 405

    def test_they_answer_who_is_bound_to_one_customer(self, held: Town) -> None:
        """Q-1."""
        unbound = api_with("licenses:read")
        assert get(unbound, "License", 403)["code"] == "customer_unclear"
        kari: Account = AccountFactory(name="Kari")
        MembershipFactory(customer=held.customer, account=kari)
        assert get(api_as(kari), "License/SUPEROFFICE/sale-cal")["ModuleName"] == "sale-cal"
        MembershipFactory(customer=Town("nordvik", ()).customer, account=kari)
        assert get(api_as(kari), "License", 403)["code"] == "customer_unclear"
        other = api_with("seats:read", customer=held.customer)
        assert get(other, "License", 403)["code"] == "permission_denied"

    def test_an_unknown_parameter_is_refused(self, app: APIClient) -> None:
        assert get(app, "License?$select=Reason", 400)["code"] == "invalid"

    def test_reads_cost_the_same_for_any_number_of_users(self, held: Town, app: APIClient, ola: Account) -> None:
        """Q-9."""
        session = api_as(ola)
        callers = {"License": app, "License/SUPEROFFICE/sale-cal": app, "User/currentPrincipal": session}
        callers[f"License/User/{held.users['ola'].pk}"] = app

        def costs() -> dict[str, int]:
            found = {}
            for path, http in callers.items():
                http.get(HERE + path)  # keys and sets warm up
                with CaptureQueriesContext(connection) as seen:
                    assert http.get(HERE + path).status_code == 200
                found[path] = len(seen)
            return found

        few = costs()
        assert max(few.values()) <= 10
        for name in ("ida", "per"):
            held.gives(name, "ten-sales-premium", "nebula")
        assert costs() == few
