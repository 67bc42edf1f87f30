from __future__ import annotations

from typing import Any, Final

from django.urls import reverse
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from customers.models import Customer

# What hangs below a customer's address; the views belong to the apps above this one.
_BELOW: Final = ("users", "licenses", "entitlements")

_LINKS: Final = {
    "type": "object",
    "properties": {name: {"type": "string"} for name in ("self", *_BELOW)},
    "required": ["self", *_BELOW],
    "description": "Paths of what else there is to ask about this customer.",
}


class CustomerSerializer(serializers.ModelSerializer[Customer]):
    links = serializers.SerializerMethodField()

    class Meta:
        model = Customer
        fields = ("code", "name", "serial_number", "created_at", "links")

    @extend_schema_field(_LINKS)
    def get_links(self, customer: Customer) -> dict[str, Any]:
        own = reverse("customer", args=[customer.code])
        return {"self": own} | {name: f"{own}{name}/" for name in _BELOW}
