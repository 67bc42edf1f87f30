"""What allauth asks us: who may have an account, where to go next, and which words an error has."""

from typing import Any, Final

from allauth.account.adapter import DefaultAccountAdapter
from allauth.mfa.adapter import DefaultMFAAdapter
from django.urls import reverse
from django.utils import timezone

from customers.services.accounts import note_seen, record_own_change

_WRONG_LOGIN: Final = "This e-mail address and password are not correct together. Check both, or reset the password."


class AccountAdapter(DefaultAccountAdapter):
    """Accounts are made by us or by invitation; nobody signs up by themselves."""

    error_messages = DefaultAccountAdapter.error_messages | {
        "account_inactive": "This account is closed. Ask whoever manages accounts to open it again.",
        "email_password_mismatch": _WRONG_LOGIN,
        "enter_current_password": "This is not your current password.",
        "incorrect_password": "This is not your password.",
        "too_many_login_attempts": "Too many attempts. Wait a few minutes, then try again.",
    }

    def is_open_for_signup(self, request: Any) -> bool:
        return False

    def post_login(self, request: Any, user: Any, **kwargs: Any) -> Any:
        """Whoever signs in was seen, at every customer that knows the account as one of its users (U-16)."""
        note_seen(account=user, at=timezone.now())
        return super().post_login(request, user, **kwargs)

    def send_notification_mail(self, template_prefix: str, user: Any, *args: Any, **kwargs: Any) -> None:
        """What allauth would tell people about their account (a new password, a second step) the trail tells too."""
        record_own_change(account=user, what=template_prefix.rpartition("/")[2], at=timezone.now())
        super().send_notification_mail(template_prefix, user, *args, **kwargs)

    def get_password_change_redirect_url(self, request: Any) -> str:
        return reverse("account")


class SecondStepAdapter(DefaultMFAAdapter):
    error_messages = DefaultMFAAdapter.error_messages | {
        "incorrect_code": "This code is not right. Type the one that the app shows now.",
        "cannot_generate_recovery_codes": "Recovery codes are for the second step. Set that up first.",
    }
