"""The pages of those who administer a customer or may look at it: who they are, who is invited, and what is asked."""

from __future__ import annotations

from typing import Any, Final

from django import forms
from django.contrib import messages
from django.contrib.auth.mixins import LoginRequiredMixin
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.decorators import method_decorator
from django.views import View
from django.views.decorators.cache import never_cache

from customers.errors import NotFound, Refusal
from customers.models import Invitation, Membership
from customers.services import invitations, members
from customers.services.customers import require_second_step
from customers.tables import Table
from licensing.portal.asking import Filters
from licensing.portal.gate import Visit, visit
from licensing.portal.member_columns import invitation_columns, member_columns, with_steps

READS: Final = "members:read"
WRITES: Final = "members:write"


class MemberFilters(Filters):
    role = forms.ChoiceField(required=False, label="Role", choices=[("", "Any role"), *Membership.Role.choices])


class InviteForm(forms.Form):
    email = forms.EmailField(
        label="E-mail address", max_length=254, widget=forms.EmailInput({"autocomplete": "off", "spellcheck": "false"})
    )
    role = forms.ChoiceField(
        label="Role",
        choices=[
            (Membership.Role.VIEWER, "Viewer: sees who has what"),
            (Membership.Role.ADMIN, "Admin: gives plans to people and invites others"),
        ],
        initial=Membership.Role.VIEWER,
        widget=forms.RadioSelect,
    )


class RoleForm(forms.Form):
    role = forms.ChoiceField(label="Role", choices=Membership.Role.choices, widget=forms.RadioSelect)
    is_sure = forms.BooleanField(required=False, label="Yes, I give up my own rights here")


# ── Lists ───────────────────────────────────────────────────────────────────
@method_decorator(never_cache, name="dispatch")
class People(LoginRequiredMixin, View):
    """Who administers the customer, or may look at it."""

    def get(self, request: HttpRequest, customer: str) -> HttpResponseBase:
        found, filters = visit(request, customer, READS), MemberFilters(request.GET)
        rows, asked, may_edit = _members(found), filters.asked, found.may(WRITES)
        rows = rows.search(asked["search"]) if "search" in asked else rows
        rows = rows.filter(role=asked["role"]) if "role" in asked else rows
        is_csv = request.GET.get("format") == "csv"
        columns = member_columns(found.access.actor.account, may_edit=may_edit, is_csv=is_csv)
        table = Table(request, "people", rows, columns, sort="name", prepare=with_steps if may_edit else list)
        return _listed(request, found, table, filters, what="people")


@method_decorator(never_cache, name="dispatch")
class Invitations(LoginRequiredMixin, View):
    """Who is invited and has not come yet."""

    def get(self, request: HttpRequest, customer: str) -> HttpResponseBase:
        found, filters = visit(request, customer, READS), MemberFilters(request.GET)
        rows, asked = Invitation.objects.of(found.customer).open(), filters.asked
        rows = rows.search(asked["search"]) if "search" in asked else rows
        rows = rows.filter(role=asked["role"]) if "role" in asked else rows
        may_edit = found.may(WRITES) and request.GET.get("format") != "csv"
        columns = invitation_columns(found.customer, timezone.now(), may_edit=may_edit)
        table = Table(request, "invitations", rows, columns, sort="-sent")
        return _listed(request, found, table, filters, what="invitations")


def _listed(request: HttpRequest, found: Visit, table: Table, filters: Filters, *, what: str) -> HttpResponseBase:
    if table.wants_csv:
        return table.csv()
    context: dict[str, Any] = {"table": table, "search": filters, "what": what, "may_edit": found.may(WRITES)}
    return table.remember(_page(request, found, "people", crumbs=found.crumbs, here="People", **context))


# ── Inviting ────────────────────────────────────────────────────────────────
@method_decorator(never_cache, name="dispatch")
class Invite(LoginRequiredMixin, View):
    def get(self, request: HttpRequest, customer: str) -> HttpResponse:
        found = visit(request, customer, WRITES)
        return _page(request, found, "invite", form=InviteForm(), here="Invite")

    def post(self, request: HttpRequest, customer: str) -> HttpResponse:
        found, form = visit(request, customer, WRITES), InviteForm(request.POST)
        if form.is_valid():
            email, role = form.cleaned_data["email"], form.cleaned_data["role"]
            try:
                invitations.invite(
                    actor=found.access.actor,
                    customer=found.customer,
                    email=email,
                    role=role,
                    link=link_for(request),
                    at=timezone.now(),
                )
            except Refusal as refusal:
                form.add_error("email", f"{refusal.message} {refusal.next_action}")
            else:
                messages.success(request, f"The invitation to {email} is on its way.")
                return redirect("portal:invitations", customer=found.customer.code)
        return _page(request, found, "invite", form=form, here="Invite", status=400)


@method_decorator(never_cache, name="dispatch")
class InvitationPage(LoginRequiredMixin, View):
    """An open invitation: sent again, or withdrawn."""

    def get(self, request: HttpRequest, customer: str, invitation: int) -> HttpResponse:
        found = visit(request, customer, WRITES)
        row = open_invitation(found, invitation)
        is_old = not row.is_usable(timezone.now())
        return _page(request, found, "invitation", invitation=row, is_old=is_old, here=row.email)

    def post(self, request: HttpRequest, customer: str, invitation: int) -> HttpResponse:
        found = visit(request, customer, WRITES)
        row, actor, now = open_invitation(found, invitation), found.access.actor, timezone.now()
        if "withdraw" in request.POST:
            invitations.withdraw_invitation(actor=actor, invitation=row, at=now)
            messages.success(request, f"The invitation to {row.email} is withdrawn; its link opens nothing any more.")
        else:
            invitations.resend_invitation(actor=actor, invitation=row, link=link_for(request), at=now)
            messages.success(request, f"A new link is on its way to {row.email}; the old one opens nothing any more.")
        return redirect("portal:invitations", customer=found.customer.code)


# ── Members ─────────────────────────────────────────────────────────────────
@method_decorator(never_cache, name="dispatch")
class MemberPage(LoginRequiredMixin, View):
    """A member's role."""

    def get(self, request: HttpRequest, customer: str, member: int) -> HttpResponse:
        found = visit(request, customer, WRITES)
        row = member_of(found, member)
        return _member_page(request, found, row, RoleForm(initial={"role": row.role}))

    def post(self, request: HttpRequest, customer: str, member: int) -> HttpResponse:
        found = visit(request, customer, WRITES)
        row, form = member_of(found, member), RoleForm(request.POST)
        if form.is_valid():
            role, is_own = form.cleaned_data["role"], _is_own(found, row)
            if is_own and role != row.role and not form.cleaned_data["is_sure"]:
                form.add_error("is_sure", "You can’t take this back yourself. Say that you are sure.")
                return _member_page(request, found, row, form, status=400)
            try:
                members.change_member(actor=found.access.actor, membership=row, role=role, at=timezone.now())
            except members.LastAdmin as refusal:
                form.add_error("role", f"{refusal.message} {refusal.next_action}")
                return _member_page(request, found, row, form, status=refusal.status)
            messages.success(request, f"{row.account.get_full_name()} is {row.get_role_display()} now.")
            return _back(found)
        return _member_page(request, found, row, form, status=400)


@method_decorator(never_cache, name="dispatch")
class RemoveMember(LoginRequiredMixin, View):
    """Asks first; a POST removes."""

    def get(self, request: HttpRequest, customer: str, member: int) -> HttpResponse:
        found = visit(request, customer, WRITES)
        row = member_of(found, member)
        return _page(
            request, found, "member_remove", member=row, is_own=_is_own(found, row), here=row.account.get_full_name()
        )

    def post(self, request: HttpRequest, customer: str, member: int) -> HttpResponse:
        found = visit(request, customer, WRITES)
        row = member_of(found, member)
        members.remove_member(actor=found.access.actor, membership=row, at=timezone.now())
        messages.success(request, f"{row.account.get_full_name()} can’t open {found.customer.name} any more.")
        return redirect("home") if _is_own(found, row) else _back(found)


@method_decorator(never_cache, name="dispatch")
class SecondStep(LoginRequiredMixin, View):
    """Whether everybody here signs in with a second step; says who lacks one before it is required."""

    def get(self, request: HttpRequest, customer: str) -> HttpResponse:
        found = visit(request, customer, WRITES)
        everybody = with_steps(list(_members(found).select_related(None).only("account", "customer", "role")))
        lacking = sum(not member.has_second_step for member in everybody)
        return _page(request, found, "second_step", lacking=lacking, here="Second step")

    def post(self, request: HttpRequest, customer: str) -> HttpResponse:
        found, is_required = visit(request, customer, WRITES), request.POST.get("require") == "1"
        require_second_step(
            actor=found.access.actor, customer=found.customer, is_required=is_required, at=timezone.now()
        )
        told = "Everybody here needs a second step now." if is_required else "A second step is everybody’s own choice."
        messages.success(request, told)
        return _back(found)


# ── What they share ─────────────────────────────────────────────────────────
def link_for(request: Any) -> invitations.Link:
    """Returns what makes the address that an invitation's letter names, on the host that was asked."""
    return lambda token: str(request.build_absolute_uri(reverse("invitation", args=[token])))


def member_of(found: Visit, member: int) -> Membership:
    """Returns a member of the customer. Raises NotFound."""
    row: Membership | None = _members(found).filter(pk=member).first()
    if row is None:
        raise NotFound("member", str(member))
    return row


def open_invitation(found: Visit, invitation: int) -> Invitation:
    """Returns an invitation to the customer that nobody has accepted yet. Raises NotFound."""
    row: Invitation | None = Invitation.objects.of(found.customer).open().filter(pk=invitation).first()
    if row is None:
        raise NotFound("invitation", str(invitation))
    return row


def _members(found: Visit) -> Any:
    return Membership.objects.of(found.customer).select_related("account", "customer")


def _is_own(found: Visit, member: Membership) -> bool:
    return member.account == found.access.actor.account


def _member_page(
    request: HttpRequest, found: Visit, row: Membership, form: RoleForm, status: int = 200
) -> HttpResponse:
    context: dict[str, Any] = {
        "member": row,
        "form": form,
        "is_own": _is_own(found, row),
        "here": row.account.get_full_name(),
    }
    return _page(request, found, "member", status=status, **context)


def _page(request: HttpRequest, found: Visit, name: str, *, status: int = 200, **context: Any) -> HttpResponse:
    customer = found.customer
    crumbs = [*found.crumbs, ("People", reverse("portal:people", args=[customer.code]))]
    frame = {"customer": customer, "crumbs": crumbs, **context}
    return render(request, f"licensing/portal/people/{name}.html", frame, status=status)


def _back(found: Visit) -> HttpResponse:
    return redirect("portal:people", customer=found.customer.code)
