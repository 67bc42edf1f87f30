"""Customers, contracts, licences and seats in the admin. What is frozen is read-only; every change goes through a
service, and a refusal becomes a message."""

from . import contracts, people, records, seats

__all__ = ["contracts", "people", "records", "seats"]
