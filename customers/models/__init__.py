from .access import ApiClient, ApiKey, Membership, StaffRole
from .account import Account
from .customer import Customer, CustomerUser
from .trail import AuditEvent, IdempotencyRecord, OutboxMessage

__all__ = [
    "Account",
    "ApiClient",
    "ApiKey",
    "AuditEvent",
    "Customer",
    "CustomerUser",
    "IdempotencyRecord",
    "Membership",
    "OutboxMessage",
    "StaffRole",
]
