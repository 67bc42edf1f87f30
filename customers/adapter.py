"""What allauth asks us: who may have an account, where to go next, how letters go out, and which words an error has."""

from typing import Any, Final

from allauth.account.adapter import DefaultAccountAdapter
from allauth.core import context as current
from allauth.core.exceptions import ImmediateHttpResponse
from allauth.core.internal.ratelimit import respond_429
from allauth.mfa.adapter import DefaultMFAAdapter
from django.core.exceptions import ImproperlyConfigured, PermissionDenied
from django.urls import reverse
from django.utils import timezone

from customers.letters import seal
from customers.outbox import enqueue
from customers.second_step import must_keep
from customers.services.accounts import note_seen, record_own_change
from customers.services.sessions import end_sessions

_WRONG_LOGIN: Final = "This e-mail address and password are not correct together. Check both, or reset the password."
KEPT: Final = "You have to have a second step. Set up another one first, then remove this one."


class AccountAdapter(DefaultAccountAdapter):
    """Accounts are made by us or by invitation; nobody signs up by themselves."""

    error_messages = DefaultAccountAdapter.error_messages | {
        "account_inactive": "This account is closed. Ask whoever manages accounts to open it again.",
        "email_password_mismatch": _WRONG_LOGIN,
        "enter_current_password": "This is not your current password.",
        "incorrect_password": "This is not your password.",
    }

    def is_open_for_signup(self, request: Any) -> bool:
        return False

    def post_login(self, request: Any, user: Any, **kwargs: Any) -> Any:
        """Whoever signs in was seen, at every customer that knows the account as one of its users (U-16)."""
        note_seen(account=user, at=timezone.now())
        return super().post_login(request, user, **kwargs)

    def validation_error(self, code: str, *args: Any) -> Any:
        """Too many attempts are answered in one way, wherever they were made: by the page that says so, with a 429."""
        if code == "too_many_login_attempts":
            raise ImmediateHttpResponse(respond_429(current.request))
        return super().validation_error(code, *args)

    def get_client_ip(self, request: Any) -> str:
        """Returns the address that limits count by; whoever came past the proxy counts by their own."""
        try:
            return str(super().get_client_ip(request))
        except (ImproperlyConfigured, PermissionDenied):
            return str(request.META.get("REMOTE_ADDR") or "0.0.0.0")  # noqa: S104 - it is no address to listen on

    def send_mail(self, template_prefix: str, email: str, context: dict[str, Any]) -> None:
        """Letters wait in the outbox, sealed: a dead mail server loses none, and tells nobody who has an account."""
        letter = self.render_mail(template_prefix, email, {"request": current.request, "email": email, **context})
        payload = {"to": letter.to, "subject": str(letter.subject), "sealed": seal(str(letter.body))}
        enqueue(topic="mail", payload=payload, at=timezone.now())

    def send_notification_mail(self, template_prefix: str, user: Any, *args: Any, **kwargs: Any) -> None:
        """What allauth would tell people about their account (a new password, a second step) the trail tells too."""
        record_own_change(account=user, what=template_prefix.rpartition("/")[2], at=timezone.now())
        super().send_notification_mail(template_prefix, user, *args, **kwargs)

    def set_password(self, user: Any, password: str) -> None:
        """A new password ends the sessions that were begun with the old one, but for the one it was chosen in."""
        super().set_password(user, password)
        end_sessions(account=user, but=current.request.session.session_key)

    def get_password_change_redirect_url(self, request: Any) -> str:
        return reverse("account")


class SecondStepAdapter(DefaultMFAAdapter):
    error_messages = DefaultMFAAdapter.error_messages | {
        "incorrect_code": "This code is not right. Type the one that the app shows now.",
        "cannot_delete_authenticator": KEPT,
        "cannot_generate_recovery_codes": "Recovery codes are for the second step. Set that up first.",
    }

    def can_delete_authenticator(self, authenticator: Any) -> bool:
        return not must_keep(authenticator.user, authenticator)

    def generate_authenticator_name(self, user: Any, type: Any) -> str:  # noqa: A002 - allauth calls it so
        """Returns what a new passkey is called unless somebody says better."""
        count = user.authenticator_set.filter(type=type).count()
        return f"Passkey {count + 1}"

    def _get_site_name(self) -> str:
        return "Planarium"
