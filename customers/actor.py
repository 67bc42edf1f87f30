"""Who does something: an account, an API client, or the system itself."""

from __future__ import annotations

from dataclasses import dataclass

from customers.models import Account, ApiClient


@dataclass(frozen=True, slots=True)
class Actor:
    """Exactly one of `account` and `client` is set; neither for what the system does by itself."""

    account: Account | None = None
    client: ApiClient | None = None

    @property
    def label(self) -> str:
        if self.account is not None:
            return self.account.get_full_name()
        return self.client.name if self.client is not None else "system"

    @property
    def key(self) -> str:
        """Returns `account:ID`, `client:ID` or `system`: what idempotency records and throttles count by."""
        if self.account is not None:
            return f"account:{self.account.pk}"
        return f"client:{self.client.pk}" if self.client is not None else "system"


SYSTEM = Actor()
