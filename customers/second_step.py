"""Who has to sign in with a second step (an authenticator app, a passkey), and who has none (rules Y-10 to Y-13).

`SECOND_STEP_FOR_STAFF` asks it of our own people; a customer may ask it of its people. API keys are no people.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from allauth.mfa.models import Authenticator
from django.conf import settings

from customers.errors import Refusal
from customers.models import Account, Customer

# Recovery codes are what helps when one of these is lost.
STEPS: Final = (Authenticator.Type.TOTP, Authenticator.Type.WEBAUTHN)


class SecondStepRequired(Refusal):
    code = "second_step_required"
    status = 403
    title = "Second step required"

    def __init__(self) -> None:
        super().__init__(
            "Your account needs a second step to sign in, and has none yet.",
            next_action="Open /account/2fa/ in the browser and set one up.",
        )


def is_ours(account: Account) -> bool:
    """Whether the account is one of our own people's: `is_staff` goes with every staff role."""
    return account.is_staff or account.is_superuser


def asked_by(account: Account, customers: Iterable[Customer]) -> list[str]:
    """Returns who asks a second step of the account, among us and the `customers` that it is a member of; no query."""
    asking = [customer.name for customer in customers if customer.requires_second_step]
    return ["Planarium", *asking] if settings.SECOND_STEP_FOR_STAFF and is_ours(account) else asking


def lacks_second_step(account: Account, customers: Iterable[Customer]) -> bool:
    """Whether a second step is asked of the account that it doesn't have; a query only where one is asked for."""
    return bool(asked_by(account, customers)) and not steps_of(account).exists()


def who_asks(account: Account) -> list[str]:
    """Returns who asks a second step of the account. One query."""
    return asked_by(account, Customer.objects.filter(memberships__account=account, requires_second_step=True))


def steps_of(account: Account) -> Any:
    """Returns the second steps that the account can sign in with, recovery codes aside."""
    return Authenticator.objects.filter(user_id=account.pk, type__in=STEPS)


def must_keep(account: Account, step: Authenticator) -> bool:
    """Whether this is the only second step of an account that has to have one."""
    is_last = step.type in STEPS and not steps_of(account).exclude(pk=step.pk).exists()
    return is_last and bool(who_asks(account))
