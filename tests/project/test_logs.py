"""Which address the log says a request came from: one that nobody can make up."""

from collections.abc import Iterator

import pytest
import structlog
from django.test import RequestFactory
from pytest_django import Settings

from config.logs import RequestMiddleware


@pytest.fixture(autouse=True)
def _nothing_bound() -> Iterator[None]:
    structlog.contextvars.clear_contextvars()
    yield
    structlog.contextvars.clear_contextvars()


def address_logged(forwarded_for: str) -> str:
    request = RequestFactory().get("/healthz", headers={"X-Forwarded-For": forwarded_for}, REMOTE_ADDR="10.0.0.7")
    RequestMiddleware.bind_ip(request)
    return str(structlog.contextvars.get_contextvars()["ip"])


def test_without_a_proxy_it_is_the_peer_whatever_the_header_says(settings: Settings) -> None:
    settings.BEHIND_TLS = False
    assert address_logged("203.0.113.9") == "10.0.0.7"


@pytest.mark.parametrize(
    ("forwarded_for", "logged"),
    [("203.0.113.9", "203.0.113.9"), ("6.6.6.6, 203.0.113.9", "203.0.113.9"), ("", "10.0.0.7")],
)
def test_behind_our_proxy_it_is_the_address_that_the_proxy_saw(
    settings: Settings, forwarded_for: str, logged: str
) -> None:
    settings.BEHIND_TLS = True
    assert address_logged(forwarded_for) == logged
