"""Searching among many users and customers without reading all of them."""

from typing import ClassVar

from django.db import migrations

from customers.indexes import AddSubstringIndex


class Migration(migrations.Migration):
    atomic = False  # an index is built while others write
    dependencies: ClassVar = [("customers", "0003_words")]
    operations: ClassVar = [
        AddSubstringIndex("user_by_words", "customers_customeruser", ("code", "name", "email")),
        AddSubstringIndex("customer_by_words", "customers_customer", ("code", "name")),
    ]
