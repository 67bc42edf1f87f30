"""A customer's packages: listed by owner with the state of their signatures, taken along as XML, taken in from it.

Between looking at a file and confirming it nothing is stored: the page carries it along, signed, with the revision that
it was compared with.
"""

from __future__ import annotations

from collections.abc import Sequence
from http import HTTPStatus
from operator import attrgetter
from typing import Any, Final

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.mixins import LoginRequiredMixin
from django.core import signing
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.decorators import method_decorator
from django.utils.formats import date_format
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.views import View
from django.views.decorators.cache import never_cache

from customers.errors import NotFound
from customers.tables import Column, Table
from licensing.errors import BadPackage
from licensing.models import CustomerRevision, Package
from licensing.package_xml import MOST_BYTES
from licensing.portal.gate import Visit, visit
from licensing.recorded import SEALED, document_of, examine_many, seal_of
from licensing.services.importing import Imported, import_package
from licensing.services.removing import Removed, remove_license

READ: Final = "licenses:read"
WRITE: Final = "customers:write"
ACTIVATE: Final = "packages:activate"
MOST_SHOWN: Final = 200
_KEPT_FOR: Final = 3600  # seconds between looking and confirming
_ROOM: Final = 20_000  # bytes that the rest of the confirming form takes
_LEVELS: Final = {"active": "good", "pending": "warn"}


def _day(name: str) -> Any:
    def show(package: Any) -> str:
        at = getattr(package, name)
        return date_format(at, "j M Y") if at else ""

    return show


def _state(package: Any) -> SafeString:
    level = _LEVELS.get(package.state)
    marked = f" badge-{level} badge-dot" if level else ""
    return format_html('<span class="badge{}">{}</span>', marked, package.get_state_display())


def check_badge(package: Any) -> SafeString:
    """Returns whether a package (with `examined` at hand) is what was signed, as a badge."""
    if package.examined.is_intact:
        return format_html('<span class="badge badge-good badge-dot">{}</span>', "Good")
    told = " ".join(each.message for each in package.examined.breaks)
    return format_html(
        '<span class="badge badge-bad badge-dot">{}</span> <span class="small">{}</span>', "Damaged", told
    )


def _checked(package: Any) -> str:
    return "good" if package.examined.is_intact else "damaged"


def _signed_by(package: Any) -> str:
    seal = seal_of(package)
    if seal is None:
        return ""
    return seal.issuer_key.key_id if seal.issuer_key is not None else seal.key_id


def _page_of(package: Any) -> SafeString:
    address = reverse("portal:package", args=[package.customer.code, package.owner.code, package.number])
    return format_html('<a href="{}">{}</a>', address, package)


def _download(package: Any) -> SafeString:
    if not package.examined.is_intact:
        return SafeString("")
    address = reverse("portal:package_xml", args=[package.customer.code, package.owner.code, package.number])
    label = f"XML of {package}"
    return format_html('<a href="{}" download aria-label="{}">XML</a>', address, label)


PACKAGES: Final = (
    Column("package", "Package", str, _page_of, order=("number",), is_fixed=True),
    Column("state", "State", attrgetter("state"), _state, order=("state",)),
    Column("check", "Signature", _checked, check_badge),
    Column("issued", "Issued", attrgetter("issued_at"), _day("issued_at"), order=("issued_at",)),
    Column("active", "Active since", attrgetter("activated_at"), _day("activated_at"), order=("activated_at",)),
    Column("expires", "Expires", attrgetter("expires_at"), _day("expires_at"), order=("expires_at",)),
    Column("key", "Signed by", _signed_by),
    Column("xml", "Download", lambda package: "", _download),
)


def _examined(packages: Sequence[Any]) -> Sequence[Any]:
    found = examine_many(packages)
    for package in packages:
        package.examined = found[package.pk]
    return packages


@method_decorator(never_cache, name="dispatch")
class Packages(LoginRequiredMixin, View):
    """Every package of a customer, a tab per owner."""

    def get(self, request: HttpRequest, customer: str) -> HttpResponseBase:
        seen = visit(request, customer, READ)
        rows = Package.objects.filter(customer=seen.customer).select_related(*SEALED, "seal__issuer_key")
        owners = list(rows.order_by("owner__code").values_list("owner__code", flat=True).distinct())
        owner = request.GET.get("owner", "").upper()
        if owner in owners:
            rows = rows.filter(owner__code=owner)
        table = Table(request, "packages", rows, PACKAGES, sort="-issued", prepare=_examined)
        if table.wants_csv:
            return table.csv()
        licensed = (rows.active() | rows.pending()).filter(owner__code=owner).exists()
        context = _context(seen, "Packages") | {
            "table": table,
            "owners": owners,
            "owner": owner if owner in owners else "",
            "may_write": seen.may(WRITE),
            "may_remove": seen.may(WRITE) and owner in owners and owner != settings.OWN_OWNER and licensed,
        }
        return table.remember(render(request, "licensing/portal/packages.html", context))


class PackageXml(LoginRequiredMixin, View):
    def get(self, request: HttpRequest, customer: str, owner: str, number: int) -> HttpResponse:
        seen = visit(request, customer, READ)
        found = Package.objects.filter(customer=seen.customer, owner__code__iexact=owner, number=number)
        package = found.select_related(*SEALED).first() if number < 2**31 else None
        if package is None:
            raise NotFound("package", f"{owner} #{number}")
        response = HttpResponse(document_of(package), content_type="application/xml; charset=utf-8")
        name = f"{package.customer.code}-{package.owner.code.lower()}-{package.number}.xml"
        response["Content-Disposition"] = f'attachment; filename="{name}"'
        return response


@method_decorator(never_cache, name="dispatch")
class PackageUpload(LoginRequiredMixin, View):
    """A file is looked at, compared with what is active, and taken in once that is confirmed."""

    def get(self, request: HttpRequest, customer: str) -> HttpResponse:
        return self._page(visit(request, customer, WRITE))

    def post(self, request: HttpRequest, customer: str) -> HttpResponse:
        seen = visit(request, customer, WRITE)
        if "token" in request.POST:
            return self._confirm(seen, request.POST["token"])
        upload = request.FILES.get("file")
        if upload is None:
            return self._page(seen, error="Choose a file.")
        if (upload.size or 0) > MOST_BYTES:
            return self._page(seen, error=_too_large())
        return self._look(seen, upload.read())

    def _look(self, seen: Visit, data: bytes, *, has_changed: bool = False) -> HttpResponse:
        """Shows what the file would change, or what is wrong with it."""
        try:
            imported = self._import(seen, data, activate=seen.may(ACTIVATE), dry_run=True)
        except BadPackage as bad:
            return self._page(seen, bad=bad)
        token = signing.dumps([data.decode(), _revision(seen)], salt=self._salt(seen), compress=True)
        if len(token) > settings.DATA_UPLOAD_MAX_MEMORY_SIZE - _ROOM:
            return self._page(seen, error=_too_large())
        context = _context(seen, "Take a package in") | {
            "imported": imported,
            "changes": imported.changes[:MOST_SHOWN],
            "more": max(0, len(imported.changes) - MOST_SHOWN),
            "token": token,
            "has_changed": has_changed,
            "may_activate": seen.may(ACTIVATE),
        }
        status = HTTPStatus.CONFLICT if has_changed else HTTPStatus.OK
        return render(self.request, "licensing/portal/package_preview.html", context, status=status)

    def _confirm(self, seen: Visit, token: str) -> HttpResponse:
        try:
            text, revision = signing.loads(token, salt=self._salt(seen), max_age=_KEPT_FOR)
        except signing.BadSignature:
            return self._page(seen, error="This file was looked at too long ago. Choose it again.")
        data = text.encode()
        if revision != _revision(seen):
            return self._look(seen, data, has_changed=True)
        activate = seen.may(ACTIVATE) and "activate" in self.request.POST
        try:
            imported = self._import(seen, data, activate=activate)
        except BadPackage as bad:
            return self._page(seen, bad=bad)
        _tell(self.request, imported)
        return redirect("portal:packages", seen.customer.code)

    def _import(self, seen: Visit, data: bytes, **how: Any) -> Imported:
        return import_package(customer=seen.customer, actor=seen.access.actor, data=data, **how)

    def _salt(self, seen: Visit) -> str:
        return f"licensing.packages.{self.request.user.pk}.{seen.customer.pk}"

    def _page(self, seen: Visit, *, error: str = "", bad: BadPackage | None = None) -> HttpResponse:
        faults = bad.details["faults"] if bad else []
        context = _context(seen, "Take a package in") | {
            "error": error,
            "faults": faults[:MOST_SHOWN],
            "count": len(faults),
            "warnings": bad.details["warnings"][:MOST_SHOWN] if bad else [],
        }
        status = HTTPStatus.BAD_REQUEST if error or bad else HTTPStatus.OK
        return render(self.request, "licensing/portal/package_upload.html", context, status=status)


@method_decorator(never_cache, name="dispatch")
class LicenseRemoval(LoginRequiredMixin, View):
    """A partner's licence is removed, after it was told who would lose what."""

    def get(self, request: HttpRequest, customer: str, owner: str) -> HttpResponse:
        seen = visit(request, customer, WRITE)
        return self._page(seen, owner, self._remove(seen, owner, dry_run=True))

    def post(self, request: HttpRequest, customer: str, owner: str) -> HttpResponse:
        seen = visit(request, customer, WRITE)
        expected = request.POST.get("losses", "")
        preview = self._remove(seen, owner, dry_run=True)
        if expected != str(_count(preview)):
            return self._page(seen, owner, preview, has_changed=True)
        reason = request.POST.get("reason", "").replace("\0", "").strip()[:500]
        removed = self._remove(seen, owner, reason=reason)
        messages.success(request, f"The licence of {removed.owner.code} is removed.")
        return redirect("portal:packages", seen.customer.code)

    def _remove(self, seen: Visit, owner: str, **how: Any) -> Removed:
        return remove_license(customer=seen.customer, actor=seen.access.actor, owner=owner, **how)

    def _page(self, seen: Visit, owner: str, removed: Removed, *, has_changed: bool = False) -> HttpResponse:
        context = _context(seen, f"Remove {removed.owner.code}") | {
            "removed": removed,
            "losses": removed.losses[:MOST_SHOWN],
            "more": max(0, len(removed.losses) - MOST_SHOWN),
            "features": sorted(removed.features.values()),
            "count": _count(removed),
            "has_changed": has_changed,
        }
        status = HTTPStatus.CONFLICT if has_changed else HTTPStatus.OK
        return render(self.request, "licensing/portal/license_removal.html", context, status=status)


def _context(seen: Visit, here: str) -> dict[str, Any]:
    packages = ("Packages", reverse("portal:packages", args=[seen.customer.code]))
    crumbs = seen.crumbs if here == "Packages" else [*seen.crumbs, packages]
    return {"customer": seen.customer, "crumbs": crumbs, "here": here}


def _count(removed: Removed) -> int:
    """Returns how many seats go: what a confirmation is held against."""
    return sum(len(loss.modules) for loss in removed.losses)


def _revision(seen: Visit) -> int:
    return int(CustomerRevision.objects.get(customer=seen.customer).number)


def _tell(request: HttpRequest, imported: Imported) -> None:
    if imported.is_known:
        messages.info(request, f"{imported.package} says all that already. Nothing was changed.")
    elif imported.superfluous:
        listed = ", ".join(f"{row.remove} of {row.module}" for row in imported.superfluous)
        messages.warning(request, f"{imported.package} waits: first give back {listed}.")
    elif imported.package.state == Package.State.ACTIVE:
        messages.success(request, f"{imported.package} is active.")
    else:
        messages.success(request, f"{imported.package} is taken in, and waits to be activated.")


def _too_large() -> str:
    return f"This file is too large: {MOST_BYTES // 1_000_000} MB at most."
