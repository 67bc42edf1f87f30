"""The page that an invitation's link opens: whoever has it reads the mail of the address; nobody else learns of it."""

from __future__ import annotations

from typing import Any

from allauth.account.utils import perform_login
from django import forms
from django.contrib import messages
from django.contrib.auth.password_validation import password_validators_help_text_html, validate_password
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.decorators import method_decorator
from django.views import View
from django.views.decorators.cache import never_cache

from customers.models import Account, Invitation
from customers.services.invitations import (
    InvitationGone,
    accept_as,
    accept_as_new,
    find_invitation,
    invited_account,
)


class NewAccountForm(forms.Form):
    """Who comes for the first time says their name and chooses a password, by the rules of every password here."""

    name = forms.CharField(label="Your name", max_length=150, widget=forms.TextInput(attrs={"autocomplete": "name"}))
    password1 = forms.CharField(
        label="Password",
        strip=False,
        max_length=4096,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
        help_text=password_validators_help_text_html,
    )
    password2 = forms.CharField(
        label="The password again",
        strip=False,
        max_length=4096,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
    )

    def __init__(self, *args: Any, email: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.email = email

    def clean(self) -> dict[str, Any]:
        said = super().clean() or {}
        first, second = said.get("password1"), said.get("password2")
        if first and second and first != second:
            self.add_error("password2", "The two passwords are not the same.")
        elif first:
            try:
                validate_password(first, Account(email=self.email, name=said.get("name", "")))
            except forms.ValidationError as faults:
                self.add_error("password1", faults)
        return said


@method_decorator(never_cache, name="dispatch")
class AcceptInvitation(View):
    """Looking at it changes nothing: what scans mail for danger opens links as well."""

    def get(self, request: HttpRequest, token: str) -> HttpResponse:
        try:
            invitation = find_invitation(token, at=timezone.now())
        except InvitationGone:
            return _gone(request)
        return _page(request, invitation)

    def post(self, request: HttpRequest, token: str) -> HttpResponse:
        now = timezone.now()
        try:
            invitation = find_invitation(token, at=now)
            if request.user.is_authenticated:
                account: Any = request.user
                accept_as(token=token, account=account, at=now)
                return _welcome(request, invitation)
            if invited_account(invitation) is not None:
                return _page(request, invitation)
            form = NewAccountForm(request.POST, email=invitation.email)
            if not form.is_valid():
                return _page(request, invitation, form, status=400)
            said = form.cleaned_data
            account = accept_as_new(token=token, name=said["name"], password=said["password1"], at=now)
        except InvitationGone:
            return _gone(request)
        response: HttpResponse = perform_login(request, account, email_verification=None)
        return response if response.status_code >= 400 else _welcome(request, invitation)


def _page(
    request: HttpRequest, invitation: Invitation, form: NewAccountForm | None = None, status: int = 200
) -> HttpResponse:
    account: Any = request.user
    is_theirs = account.is_authenticated and account.email.lower() == invitation.email.lower()
    has_account = is_theirs or invited_account(invitation) is not None
    context = {
        "invitation": invitation,
        "is_theirs": is_theirs,
        "has_account": has_account,
        "form": form or NewAccountForm(email=invitation.email),
    }
    return render(request, "customers/invitation.html", context, status=status)


def _gone(request: HttpRequest) -> HttpResponse:
    return render(request, "customers/invitation_gone.html", status=InvitationGone.status)


def _welcome(request: HttpRequest, invitation: Invitation) -> HttpResponse:
    messages.success(request, f"Welcome to {invitation.customer.name}.")
    return redirect("portal:customer", customer=invitation.customer.code)
