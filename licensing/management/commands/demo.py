"""`manage.py demo`: demo people, customers and an API key, and where to sign in. A second run changes nothing."""

from __future__ import annotations

import json
import os
import secrets
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from catalog.services.demo import make_demo_drafts
from customers.actor import SYSTEM, Actor
from customers.api_keys import find_key
from customers.models import Account, ApiClient, Customer, Membership
from customers.scopes import SCOPES
from customers.services import accounts, keys, members
from licensing.services.demo import make_demo_customers, map_ten_plans
from licensing.services.demo_changes import make_demo_changes
from licensing.services.demo_integrations import make_demo_integrations
from licensing.services.demo_migrations import make_demo_migrations
from licensing.services.demo_requests import make_demo_requests
from licensing.services.demo_usage import make_demo_usage

STAFF = {
    "product_manager": ("pia@planarium.example", "Pia Product"),
    "publisher": ("paul@planarium.example", "Paul Publisher"),
    "customer_success": ("cara@planarium.example", "Cara Care"),
    "auditor": ("aud@planarium.example", "Aud Auditor"),
}
MEMBERS = {
    "customer_admin": ("kari@fjordlys.example", "Kari Nordmann", "admin"),
    "customer_viewer": ("vera@fjordlys.example", "Vera Vik", "viewer"),
}
MEMBERS_AT = "fjordlys"
CLIENT = "Demo app"


class Command(BaseCommand):
    help = "Makes demo data and writes var/demo.json. Only with DEMO=1."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--port", type=int, default=8000)

    def handle(self, *args: Any, port: int, **options: Any) -> None:
        if not (settings.DEMO or settings.TESTING):
            raise CommandError("This makes accounts with known passwords, so it runs with DEMO=1 only.")
        path = Path(os.environ.get("DEMO_FILE", settings.BASE_DIR / "var" / "demo.json"))
        known = _known(path)
        made = make_demo_customers(at=timezone.now())
        map_ten_plans(at=timezone.now())
        told = {
            "url": f"http://127.0.0.1:{port}",
            "api_key": _api_key(known.get("api_key", "")),
            "logins": _logins(known.get("logins", {})),
        }
        make_demo_requests(answerer=_actor("customer_success"), at=timezone.now())
        make_demo_migrations(proposer=_actor("product_manager"), runner=_actor("customer_success"), at=timezone.now())
        make_demo_usage(publisher=_actor("publisher"), runner=_actor("customer_success"), at=timezone.now())
        make_demo_integrations(admin=_actor("customer_admin"), runner=_actor("customer_success"), at=timezone.now())
        make_demo_changes(admin=_actor("customer_admin"), at=timezone.now())
        make_demo_drafts(editor=_actor("product_manager"), approver=_actor("publisher"), at=timezone.now())
        path.parent.mkdir(exist_ok=True)
        path.write_text(json.dumps(told, indent=2) + "\n")
        path.chmod(0o600)
        self._tell(told, made)

    def _tell(self, told: dict[str, Any], made: list[str]) -> None:
        self.stdout.write(f"Customers made: {', '.join(made) or 'none, all are there'}\n\n")
        self.stdout.write(f"  Planarium   {told['url']}\n  API docs    {told['url']}/api/docs/\n")
        self.stdout.write(f"  API key     {told['api_key']}\n\n")
        for role, login in told["logins"].items():
            self.stdout.write(f"  {role.replace('_', ' '):<18}{login['email']:<28}{login['password']}\n")


def _actor(role: str) -> Actor:
    return Actor(account=Account.objects.filter(email={**STAFF, **MEMBERS}[role][0]).first())


def _known(path: Path) -> dict[str, Any]:
    try:
        known = json.loads(path.read_text())
    except (OSError, ValueError):
        return {}
    return known if isinstance(known, dict) else {}


def _logins(known: dict[str, Any]) -> dict[str, dict[str, str]]:
    people = [(role, email, name) for role, (email, name) in STAFF.items()]
    people += [(role, email, name) for role, (email, name, _) in MEMBERS.items()]
    return {role: _login(role, email, name, known.get(role, {})) for role, email, name in people}


def _login(role: str, email: str, name: str, known: dict[str, str]) -> dict[str, str]:
    """Returns a login that works; the password stays as long as the file tells it right."""
    account = Account.objects.filter(email__iexact=email).first()
    password = known.get("password", "")
    now = timezone.now()
    if account is None:
        password = secrets.token_urlsafe(12)
        roles = [role] if role in STAFF else []
        account = accounts.create_account(actor=SYSTEM, email=email, name=name, password=password, roles=roles, at=now)
    elif not account.check_password(password):
        password = secrets.token_urlsafe(12)
        accounts.set_password(actor=SYSTEM, account=account, password=password, at=now)
    if role in MEMBERS and not Membership.objects.filter(account=account).exists():
        customer = Customer.objects.get(code=MEMBERS_AT)
        members.add_member(actor=SYSTEM, customer=customer, account=account, role=MEMBERS[role][2], at=now)
    return {"email": email, "password": password}


def _api_key(known: str) -> str:
    """Returns a live key of the demo client; the one in the file as long as it works."""
    now = timezone.now()
    if known and find_key(known, at=now) is not None:
        return known
    client = ApiClient.objects.filter(name=CLIENT).first()
    if client is None:
        client = keys.create_client(actor=SYSTEM, name=CLIENT, scopes=sorted(SCOPES), at=now)
    for key in client.keys.filter(revoked_at=None):
        keys.revoke_key(actor=SYSTEM, key=key, at=now)
    return keys.issue_key(actor=SYSTEM, client=client, at=now)[1]
