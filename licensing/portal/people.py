"""A user's life: added, edited, former employee and back, erased. What frees seats says which, before it does."""

from __future__ import annotations

from typing import Any, Final

from django import forms
from django.contrib import messages
from django.contrib.auth.mixins import LoginRequiredMixin
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.decorators import method_decorator
from django.views import View
from django.views.decorators.cache import never_cache

from customers.errors import Refusal
from customers.models import CustomerUser
from licensing.models import CustomerRevision
from licensing.portal.gate import Visit, visit
from licensing.portal.listing import load_board
from licensing.portal.words import listed
from licensing.services.erasing import erase_user
from licensing.services.people import Edited, create_user, edit_user

WRITES: Final = "users:write"
LONGEST_REASON: Final = 500


class UserForm(forms.Form):
    """What people say of a user."""

    name = forms.CharField(max_length=200, label="Name", widget=forms.TextInput({"autocomplete": "off"}))
    email = forms.EmailField(
        max_length=254, required=False, label="E-mail", widget=forms.EmailInput({"autocomplete": "off"})
    )
    can_log_in = forms.BooleanField(required=False, initial=True, label="Can log in")

    def __init__(self, data: Any = None, **options: Any) -> None:
        super().__init__(data, label_suffix="", **options)

    def refuse(self, refusal: Refusal) -> None:
        """Says what the service refused, beside its field where it has one."""
        faults = refusal.details.get("faults")
        for fault in faults or ():
            self.add_error(fault["field"] if fault["field"] in self.fields else None, fault["message"])
        if not faults:
            self.add_error(None, f"{refusal.message} {refusal.next_action}")


class EditUserForm(UserForm):
    """Knows what it was shown with, so that what somebody else has changed meanwhile is not put back."""

    def __init__(self, data: Any = None, **options: Any) -> None:
        super().__init__(data, **options)
        for field in self.fields.values():
            field.show_hidden_initial = True

    @property
    def changed(self) -> dict[str, Any]:
        """The fields that whoever sends it has changed; all of them where it is not told what was shown."""
        is_told = all(f"initial-{name}" in self.data for name in self.fields)
        return {name: self.cleaned_data[name] for name in (self.changed_data if is_told else self.fields)}


class NewUserForm(UserForm):
    code = forms.CharField(
        max_length=64,
        label="Code",
        help_text="Names the user in addresses and other systems, for good. Letters, digits, dots, hyphens, "
        "underscores.",
        widget=forms.TextInput({"autocomplete": "off", "spellcheck": "false", "autocapitalize": "none"}),
    )
    field_order = ("name", "code", "email", "can_log_in")


@method_decorator(never_cache, name="dispatch")
class AddUser(LoginRequiredMixin, View):
    def get(self, request: HttpRequest, customer: str) -> HttpResponse:
        return self._asking(request, visit(request, customer, WRITES), NewUserForm())

    def post(self, request: HttpRequest, customer: str) -> HttpResponse:
        found, form = visit(request, customer, WRITES), NewUserForm(request.POST)
        if form.is_valid():
            try:
                user = create_user(customer=found.customer, actor=found.access.actor, **form.cleaned_data)
            except Refusal as refusal:
                form.refuse(refusal)
            else:
                messages.success(request, f"{user.name} is a user now, and holds nothing yet.")
                if "another" in request.POST:
                    return redirect("portal:user_new", customer=found.customer.code)
                return redirect("portal:user", customer=found.customer.code, user=user.code)
        return self._asking(request, found, form, status=400)

    def _asking(self, request: HttpRequest, found: Visit, form: NewUserForm, status: int = 200) -> HttpResponse:
        crumbs = [*found.crumbs, ("Users & seats", reverse("portal:users", args=[found.customer.code]))]
        context = {"customer": found.customer, "form": form, "crumbs": crumbs, "here": "Add a user"}
        return render(request, "licensing/portal/user_form.html", context, status=status)


@method_decorator(never_cache, name="dispatch")
class EditUser(LoginRequiredMixin, View):
    """Name, address, and whether they can log in; where that takes seats, they are shown before."""

    def get(self, request: HttpRequest, customer: str, user: str) -> HttpResponse:
        found = visit(request, customer, WRITES)
        whom = found.user(user)
        now = {"name": whom.name, "email": whom.email, "can_log_in": whom.can_log_in}
        return self._asking(request, found, whom, EditUserForm(initial=now))

    def post(self, request: HttpRequest, customer: str, user: str) -> HttpResponse:
        found, form = visit(request, customer, WRITES), EditUserForm(request.POST)
        whom = found.user(user)
        if not form.is_valid():
            return self._asking(request, found, whom, form, status=400)
        try:
            told = _edit(found, whom, dry_run=True, **form.changed)
            if told.released and not is_confirmed(request, found):
                return _previewed(request, found, whom, told, "Can’t log in any more")
            return _edited(request, found, whom, **form.changed)
        except Refusal as refusal:
            form.refuse(refusal)
            return self._asking(request, found, whom, form, status=refusal.status)

    def _asking(
        self, request: HttpRequest, found: Visit, whom: CustomerUser, form: UserForm, status: int = 200
    ) -> HttpResponse:
        context = {**user_frame(found, whom), "form": form, "here": "Edit"}
        return render(request, "licensing/portal/user_form.html", context, status=status)


@method_decorator(never_cache, name="dispatch")
class UserLeaves(LoginRequiredMixin, View):
    """Makes a former employee of somebody, or an employee again: looked at first, then confirmed."""

    def get(self, request: HttpRequest, customer: str, user: str) -> HttpResponse:
        found = visit(request, customer, WRITES)
        return self._shown(request, found, found.user(user))

    def post(self, request: HttpRequest, customer: str, user: str) -> HttpResponse:
        found = visit(request, customer, WRITES)
        whom = found.user(user)
        leaves = "returns" not in request.POST
        if leaves == whom.is_former_employee or not is_confirmed(request, found):
            return self._shown(request, found, whom)
        return _edited(request, found, whom, is_former_employee=leaves)

    def _shown(self, request: HttpRequest, found: Visit, whom: CustomerUser) -> HttpResponse:
        told = _edit(found, whom, dry_run=True, is_former_employee=not whom.is_former_employee)
        title = "Former employee" if not whom.is_former_employee else "Employee again"
        return _previewed(request, found, whom, told, title)


def _edit(found: Visit, whom: CustomerUser, *, dry_run: bool, **fields: Any) -> Edited:
    return edit_user(customer=found.customer, actor=found.access.actor, user=whom, dry_run=dry_run, **fields)


def _edited(request: HttpRequest, found: Visit, whom: CustomerUser, **fields: Any) -> HttpResponse:
    """Does it, and says what it freed."""
    edited = _edit(found, whom, dry_run=False, reason=reason_of(request), **fields)
    names = load_board(found.customer).names
    freed = listed(tuple(names.get(module, module) for module in edited.released))
    messages.success(request, f"{edited.user.name} is saved." + (f" Freed: {freed}." if freed else ""))
    return redirect("portal:user", customer=found.customer.code, user=whom.code)


def _previewed(request: HttpRequest, found: Visit, whom: CustomerUser, told: Edited, title: str) -> HttpResponse:
    names = load_board(found.customer).names
    own = ("csrfmiddlewaretoken", "confirm", "revision", "reason", "returns")
    is_stale = "confirm" in request.POST
    context = {
        **user_frame(found, whom),
        "title": title,
        "released": [names.get(module, module) for module in told.released],
        "returns": whom.is_former_employee,
        "sent": [(name, value) for name, value in request.POST.items() if name not in own],
        "revision": revision_of(found),
        "reason": request.POST.get("reason", ""),
        "is_stale": is_stale,
        "here": title,
    }
    return render(request, "licensing/portal/user_leaves.html", context, status=409 if is_stale else 200)


# ── Erasing ─────────────────────────────────────────────────────────────────
@method_decorator(never_cache, name="dispatch")
class EraseUser(LoginRequiredMixin, View):
    """Says what is erased and what stays; done when the user's code is typed."""

    def get(self, request: HttpRequest, customer: str, user: str) -> HttpResponse:
        found = visit(request, customer, WRITES)
        return self._shown(request, found, found.user(user))

    def post(self, request: HttpRequest, customer: str, user: str) -> HttpResponse:
        found = visit(request, customer, WRITES)
        whom = found.user(user)
        typed = request.POST.get("confirm", "").strip()
        if typed != whom.code:
            return self._shown(request, found, whom, f"Type {whom.code} exactly as it is written here.")
        erased = erase_user(
            customer=found.customer,
            actor=found.access.actor,
            user=whom,
            confirm=typed,
            reason=reason_of(request),
        )
        messages.success(request, f"The person is erased. What they held is told of {erased.user.name}.")
        return redirect("portal:user", customer=found.customer.code, user=erased.user.code)

    def _shown(self, request: HttpRequest, found: Visit, whom: CustomerUser, fault: str = "") -> HttpResponse:
        told = erase_user(customer=found.customer, actor=found.access.actor, user=whom, dry_run=True)
        names = load_board(found.customer).names
        context = {
            **user_frame(found, whom),
            "told": told,
            "released": [names.get(module, module) for module in told.released],
            "records": told.records,
            "fault": fault,
            "reason": request.POST.get("reason", ""),
            "here": "Erase",
        }
        return render(request, "licensing/portal/user_erase.html", context, status=400 if fault else 200)


# ── What they share ─────────────────────────────────────────────────────────
def user_frame(found: Visit, whom: CustomerUser) -> dict[str, Any]:
    code = found.customer.code
    crumbs = [
        *found.crumbs,
        ("Users & seats", reverse("portal:users", args=[code])),
        (whom.name, reverse("portal:user", args=[code, whom.code])),
    ]
    return {"customer": found.customer, "whom": whom, "crumbs": crumbs}


def reason_of(request: HttpRequest) -> str:
    return request.POST.get("reason", "").replace("\0", "").strip()[:LONGEST_REASON]


def revision_of(found: Visit) -> int:
    return int(CustomerRevision.objects.get(customer=found.customer).number)


def is_confirmed(request: HttpRequest, found: Visit) -> bool:
    """Whether what is sent was looked at and confirmed, and nothing happened at the customer since."""
    return "confirm" in request.POST and request.POST.get("revision") == str(revision_of(found))
