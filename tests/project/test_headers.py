"""What every answer says to the browser, whoever gives it; and that production settings pass Django's own check."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from django.test import Client

from customers.models import Account

ROOT = Path(__file__).resolve().parents[2]
POLICY = {
    "default-src": {"'self'"},
    "script-src": {"'self'"},
    "style-src": {"'self'"},
    "img-src": {"'self'", "data:"},
    "object-src": {"'none'"},
    "base-uri": {"'self'"},
    "form-action": {"'self'"},
    "frame-ancestors": {"'none'"},
}
ADDRESSES = [
    "/account/login/",
    "/account/password/reset/",
    "/admin/",
    "/nothing/here/",
    "/api/v1/customers/",
    "/api/nothing/",
    "/api/schema/",
    "/healthz",
    "/static/css/base.css",
]


def policy_of(answer: Any) -> dict[str, set[str]]:
    """Returns the policy an answer carries, without the nonce that differs each time."""
    directives = (directive.split() for directive in answer["Content-Security-Policy"].split(";"))
    return {name: {source for source in sources if not source.startswith("'nonce-")} for name, *sources in directives}


def assert_guarded(answer: Any) -> None:
    assert answer["X-Content-Type-Options"] == "nosniff"
    assert answer["Referrer-Policy"] == "same-origin"
    assert answer["Cross-Origin-Opener-Policy"] == "same-origin"
    assert answer["Cross-Origin-Resource-Policy"] == "same-origin"
    assert "camera=()" in answer["Permissions-Policy"]
    assert "Access-Control-Allow-Origin" not in answer


@pytest.mark.django_db
@pytest.mark.parametrize("address", ADDRESSES)
def test_every_answer_has_all_of_them(address: str) -> None:
    answer = Client().get(address)
    assert_guarded(answer)
    assert policy_of(answer) == POLICY
    if not address.startswith("/static/"):  # a file that nobody frames; frame-ancestors says so as well
        assert answer["X-Frame-Options"] == "DENY"
    answer.close()


@pytest.mark.parametrize("address", ["/", "/account/", "/admin/", "/admin/catalog/plan/", "/portal/", "/plans/"])
def test_so_has_every_page_for_those_who_are_signed_in(root: Account, address: str) -> None:
    client = Client()
    client.force_login(root, backend="django.contrib.auth.backends.ModelBackend")
    answer = client.get(address)
    assert answer.status_code == 200
    assert_guarded(answer)
    assert policy_of(answer) == POLICY
    assert answer["X-Frame-Options"] == "DENY"


@pytest.mark.django_db
def test_the_page_of_the_api_alone_may_style_inline() -> None:
    answer = Client().get("/api/docs/")
    assert_guarded(answer)
    assert policy_of(answer) == POLICY | {"style-src": {"'self'", "'unsafe-inline'"}}


def test_cookies_are_for_us_alone(root: Account, settings: Any) -> None:
    settings.SESSION_COOKIE_SECURE = settings.CSRF_COOKIE_SECURE = True  # as production sets them, see below
    root.set_password("lighthouse in the fog")
    root.save()
    client = Client()
    client.get("/account/login/", secure=True)
    client.post("/account/login/", {"login": root.email, "password": "lighthouse in the fog"}, secure=True)
    flags = {
        name: (bool(cookie["secure"]), bool(cookie["httponly"]), cookie["samesite"])
        for name, cookie in client.cookies.items()
        if name in {"sessionid", "csrftoken"}
    }
    # A page that talks to the API by session reads the token: docs/api.md says how.
    assert flags == {"sessionid": (True, True, "Lax"), "csrftoken": (True, False, "Lax")}


# ── Production ──────────────────────────────────────────────────────────────
TELL = """
import json
from django.conf import settings
from django.test import Client
client = Client(headers={"Host": "planarium.example"})
safe, plain = client.get("/healthz", secure=True), client.get("/account/login/")
print(json.dumps({
    "headers": dict(safe.headers), "redirect": [plain.status_code, plain["Location"]], "debug": settings.DEBUG,
    "cookies": [settings.SESSION_COOKIE_SECURE, settings.CSRF_COOKIE_SECURE, settings.SESSION_COOKIE_HTTPONLY],
}))
"""


def in_production(tmp_path: Path, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Runs manage.py as an operator does: no mode is on, the keys are real ones, the proxy speaks TLS."""
    unset = {"CACHE_URL", "DJANGO_SETTINGS_MODULE", "DJANGO_ALLOW_ASYNC_UNSAFE"}  # what tests have set
    environment = {name: value for name, value in os.environ.items() if name not in unset} | {
        "DEBUG": "0",  # named, because a file .env may say otherwise
        "DEMO": "0",
        "TESTING": "0",
        "BEHIND_TLS": "1",
        "SECRET_KEY": "q8Zr-0pXw3Vd_71kTnBfYh5sLmJc2GaEu9oRi4QeMtHxKvWyNzDbPg6S",
        "SIGNING_KEY": "c29tZSBrZXkgdGhhdCBhbiBvcGVyYXRvciBtYWRlIDE=",
        "ALLOWED_HOSTS": "planarium.example",
        "DATABASE_URL": f"sqlite:///{tmp_path / 'production.sqlite3'}",
        "PYTHONWARNINGS": "error",
        **variables,
    }
    command = [sys.executable, "manage.py", *arguments]
    return subprocess.run(command, cwd=ROOT, env=environment, check=False, capture_output=True, text=True)


def test_the_check_for_deployment_finds_nothing(tmp_path: Path) -> None:
    run = in_production(tmp_path, "check", "--deploy", "--fail-level", "WARNING")
    assert run.returncode == 0, run.stderr
    assert "no issues (0 silenced)" in run.stdout + run.stderr


def test_production_does_not_start_without_a_key_to_sign_with(tmp_path: Path) -> None:
    """Z-4: a server that could issue nothing says so at once, and what to do."""
    checked = in_production(tmp_path, "check", SIGNING_KEY="")
    assert (checked.returncode, "licensing.E001" in checked.stderr) == (1, True)
    started = in_production(tmp_path, "shell", "--no-imports", "-c", "import config.wsgi", SIGNING_KEY="")
    assert started.returncode != 0
    assert "ImproperlyConfigured: No key to sign packages with is set. Set SIGNING_KEY" in started.stderr
    made = in_production(tmp_path, "license", "keygen", str(tmp_path / "key.pem"), SIGNING_KEY="")
    assert made.returncode == 0, made.stderr
    file = str(tmp_path / "key.pem")
    found = {"SIGNING_KEY": "", "SIGNING_KEY_FILE": file, "PYTHONWARNINGS": "ignore"}  # static files, say
    started = in_production(tmp_path, "shell", "--no-imports", "-c", "import config.wsgi", **found)
    assert started.returncode == 0, started.stderr


def test_production_speaks_tls_only(tmp_path: Path) -> None:
    run = in_production(tmp_path, "shell", "--no-imports", "-c", TELL)
    assert run.returncode == 0, run.stderr
    told = json.loads(run.stdout.splitlines()[-1])
    assert told["headers"]["Strict-Transport-Security"] == "max-age=31536000; includeSubDomains; preload"
    assert told["redirect"] == [301, "https://planarium.example/account/login/"]
    assert told["cookies"] == [True, True, True]
    assert told["debug"] is False
