from .access import ApiClient, ApiKey, Membership, StaffRole
from .account import Account
from .customer import Customer, CustomerUser
from .invitation import Invitation
from .trail import AuditEvent, IdempotencyRecord, OutboxMessage
from .webhook import WebhookAttempt, WebhookDelivery, WebhookEndpoint, WebhookEvent, WebhookSecret

__all__ = [
    "Account",
    "ApiClient",
    "ApiKey",
    "AuditEvent",
    "Customer",
    "CustomerUser",
    "IdempotencyRecord",
    "Invitation",
    "Membership",
    "OutboxMessage",
    "StaffRole",
    "WebhookAttempt",
    "WebhookDelivery",
    "WebhookEndpoint",
    "WebhookEvent",
    "WebhookSecret",
]
