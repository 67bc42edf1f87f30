from typing import Any

from allauth.account.adapter import DefaultAccountAdapter


class AccountAdapter(DefaultAccountAdapter):
    """Accounts are made by us or by invitation; nobody signs up by themselves."""

    def is_open_for_signup(self, request: Any) -> bool:
        return False
