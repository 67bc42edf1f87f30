"""Customers, contracts, licences and seats in the admin. What is frozen is read-only; every change goes through a
service, and a refusal becomes a message."""

from . import contracts, owners, people, records, seats

__all__ = ["contracts", "owners", "people", "records", "seats"]
