"""Forms of the licensing admin."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from django import forms
from django.utils import timezone

from catalog.kinds import KINDS, BadValue
from catalog.models import Version
from customers.models import Customer
from licensing.facts import Mode
from licensing.models import Override, Subscription, SubscriptionItem

# Django's form classes have type parameters for the type checker only.
if TYPE_CHECKING:
    ModelForm = forms.ModelForm[Override]
else:
    ModelForm = forms.ModelForm


class ItemsForm(forms.Form):
    """How many of every plan and add-on: those on sale, and those that the customer has."""

    billing_months = forms.TypedChoiceField(
        label="Billing period", coerce=int, choices=Subscription.BillingPeriod.choices, initial=12
    )

    def __init__(self, data: Any = None, *, customer: Customer) -> None:
        super().__init__(data)
        now = timezone.now()
        self.subscription = Subscription.objects.running().filter(customer=customer).first()
        if self.subscription is not None:
            del self.fields["billing_months"]
        items = SubscriptionItem.objects.filter(customer=customer).in_force(now).select_related("version__offer")
        self.present = {item.version.offer.code: item.quantity for item in items}
        offers = {item.version.offer.code: item.version.offer for item in items}
        on_sale = Version.objects.live(now).filter(offer__for_sale=True).select_related("offer")
        offers |= {version.offer.code: version.offer for version in on_sale}
        for code, offer in sorted(offers.items(), key=lambda pair: (pair[1].type != "plan", pair[1].position, pair[0])):
            self.fields[code] = forms.IntegerField(
                label=f"{offer.name} ({offer.get_type_display()})",
                min_value=0,
                max_value=10_000_000,
                required=False,
                initial=self.present.get(code, 0),
            )

    def quantities(self) -> dict[str, int]:
        """Returns the quantities that differ from what the customer has."""
        wanted = {code: value or 0 for code, value in self.cleaned_data.items() if code != "billing_months"}
        return {code: n for code, n in wanted.items() if n != self.present.get(code, 0)}


class OverrideForm(ModelForm):
    value = forms.CharField(
        required=False, help_text="true or false; a whole number or unlimited; the code of a choice. Nothing for deny."
    )

    class Meta:
        model = Override
        fields = ("customer", "user", "feature", "mode", "value", "reason", "starts_at", "ends_at")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if "starts_at" in self.fields:
            self.fields["starts_at"].required = False

    def clean_value(self) -> Any:
        text = self.cleaned_data["value"].strip()
        try:
            return json.loads(text) if text else None
        except ValueError:
            return text

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        feature, user = data.get("feature"), data.get("user")
        if user is not None and data.get("customer") is not None and user.customer_id != data["customer"].pk:
            self.add_error("user", "This user is another customer's.")
        if feature is not None and not feature.published_in.exists():
            self.add_error("feature", "No published version names this feature.")
        elif feature is not None and data.get("mode") not in (None, Mode.DENY):
            try:
                KINDS[feature.kind].parse(data.get("value"), [choice.code for choice in feature.choices.all()])
            except BadValue as fault:
                self.add_error("value", str(fault))
        starts, ends = data.get("starts_at"), data.get("ends_at")
        now = timezone.now()
        if starts is not None and starts < now:
            self.add_error("starts_at", "An override can't begin in the past; leave it empty for now.")
        if ends is not None and ends <= (starts or now):
            self.add_error("ends_at", "The end lies after the start, and in the future.")
        live = Override.objects.filter(
            customer=data.get("customer"), user=user, feature=feature, mode=data.get("mode"), ended_at=None
        ).not_over(now)
        if not self.errors and live.exists():
            self.add_error("mode", "There is a live override of this kind; end that one first.")
        return data

    def _post_clean(self) -> None:
        """Leaves the rest of the checks to the service: the row isn't complete before it has written it."""

    def wish(self) -> dict[str, Any]:
        """Returns what the service `grant_override` is asked for."""
        data = self.cleaned_data
        deny = data["mode"] == Mode.DENY
        return {
            "customer": data["customer"],
            "user": data["user"],
            "feature": data["feature"].code,
            "mode": Mode(data["mode"]),
            "value": None if deny else data["value"],
            "reason": data["reason"],
            "starts_at": data["starts_at"],
            "ends_at": data["ends_at"],
        }
