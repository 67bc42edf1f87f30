"""Forms of the admin: they ask and check; services do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib.auth.password_validation import validate_password

from customers.models import Account, ApiClient, StaffRole
from customers.scopes import SCOPES

if TYPE_CHECKING:
    ModelForm = forms.ModelForm[Any]
else:
    ModelForm = forms.ModelForm


class AccountForm(ModelForm):
    roles = forms.MultipleChoiceField(
        label="Staff roles",
        choices=StaffRole.Role.choices,
        widget=forms.CheckboxSelectMultiple,
        required=False,
        help_text="With any of them the account may open the admin. Customers' people have none.",
    )
    new_password = forms.CharField(
        label="New password", widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}), required=False
    )

    class Meta:
        model = Account
        fields = ("email", "name", "is_active")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.instance.pk and "roles" in self.fields:
            self.initial["roles"] = [held.role for held in self.instance.staff_roles.all()]

    def clean_new_password(self) -> str:
        password: str = self.cleaned_data["new_password"]
        if password:
            validate_password(password, self.instance)
        return password


class ApiClientForm(ModelForm):
    scopes = forms.MultipleChoiceField(
        choices=[(scope, f"{scope}: {meaning}") for scope, meaning in SCOPES.items()],
        widget=forms.CheckboxSelectMultiple,
    )

    class Meta:
        model = ApiClient
        fields = ("name", "customer", "scopes", "calls_per_minute", "is_active")
