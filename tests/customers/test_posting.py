"""Posting to addresses that others chose: pinned, bounded in bytes and time, never into our own network. Rule J-5."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from customers.posting import KEPT_BYTES, BadAddress, Limits, NoAnswer, checked, post

NEAR = Limits(connect=2.0, total=10.0, allow_private=True)
BRIEF = Limits(connect=0.5, total=0.5, allow_private=True)
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


def request_of(connection: socket.socket) -> bytes:
    """Returns what arrives until the body is as long as these tests' are, or whatever a TLS client begins with."""
    got = connection.recv(65_536)
    while got.startswith(b"POST ") and not got.endswith(b"}"):
        got += connection.recv(65_536)
    return got


@contextmanager
def receiver(*behaviours: Callable[[socket.socket, threading.Event], None]) -> Iterator[tuple[str, list[bytes]]]:
    """Yields the address of a receiver that answers its first callers so, one after the other, and what each sent."""
    heard: list[bytes] = []
    over = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            for behave in behaviours:
                try:
                    connection, _ = server.accept()
                except OSError:
                    return
                with connection:
                    heard.append(request_of(connection))
                    behave(connection, over)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.getsockname()[1]}/hook?x=1", heard
        finally:
            over.set()
            server.shutdown(socket.SHUT_RDWR)  # whoever still waits for a caller waits no longer
            thread.join(5)


def says(answer: bytes) -> Callable[[socket.socket, threading.Event], None]:
    return lambda connection, over: connection.sendall(answer)


def hangs(connection: socket.socket, over: threading.Event) -> None:
    over.wait(30)


def drips(start: bytes) -> Callable[[socket.socket, threading.Event], None]:
    """Sends `start`, then a byte every now and then, for ever."""

    def behave(connection: socket.socket, over: threading.Event) -> None:
        try:
            connection.sendall(start)
            while not over.wait(0.05):
                connection.sendall(b"x")
        except OSError:
            pass  # the caller has gone

    return behave


def test_what_is_answered_is_returned() -> None:
    with receiver(says(OK)) as (url, heard):
        answer = post(url, b'{"n":1}', {"webhook-id": "msg_1"}, NEAR)
    assert (answer.status, answer.text) == (200, "ok")
    head, _, body = heard[0].partition(b"\r\n\r\n")
    assert head.startswith(b"POST /hook?x=1 HTTP/1.1\r\n")
    assert b"webhook-id: msg_1" in head
    assert body == b'{"n":1}'


@pytest.mark.parametrize("status", [302, 307, 308])
def test_a_redirect_is_an_answer_and_is_not_followed(status: int) -> None:
    with receiver(says(OK)) as (elsewhere, heard_elsewhere):
        moved = f"HTTP/1.1 {status} Moved\r\nLocation: {elsewhere}\r\nContent-Length: 0\r\n\r\n"
        with receiver(says(moved.encode())) as (url, _):
            assert post(url, b"{}", {}, NEAR).status == status
        assert heard_elsewhere == []


def test_of_a_long_answer_only_the_beginning_is_kept() -> None:
    long = b"HTTP/1.1 500 Oops\r\nContent-Length: 10000000\r\n\r\n" + b"y" * 100_000

    with receiver(says(long)) as (url, _):
        answer = post(url, b"{}", {}, NEAR)
    assert (answer.status, answer.text) == (500, "y" * KEPT_BYTES)


@pytest.mark.parametrize(
    "behave",
    [
        hangs,
        drips(b""),
        drips(b"HTTP/1.1 200 OK\r\nX-Slow: "),
        drips(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n"),
        drips(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n"),
    ],
    ids=["hangs", "drips its status", "drips a header", "drips a body", "drips a body without end"],
)
def test_who_takes_too_long_is_cut_off(behave: Callable[[socket.socket, threading.Event], None]) -> None:
    """A receiver that sends a byte now and then would otherwise hold the worker for hours."""
    with receiver(behave) as (url, _), pytest.raises(NoAnswer, match=r"^The answer took too long\.$"):
        post(url, b"{}", {}, BRIEF)


def test_a_hanging_tls_handshake_is_cut_off() -> None:
    with receiver(drips(b"\x16\x03\x03\x40\x00")) as (url, _), pytest.raises(NoAnswer):
        post(url.replace("http:", "https:"), b"{}", {}, BRIEF)


def test_nobody_there_is_no_answer() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    with pytest.raises(NoAnswer, match=r"^Nobody takes the call: Connection refused\.$"):
        post(f"http://127.0.0.1:{port}/", b"{}", {}, NEAR)


@pytest.mark.parametrize(
    ("answer", "scheme", "told"),
    [
        (b"", "http", "The connection broke off: Remote end closed connection without response."),
        (b"SSH-2.0-OpenSSH_9.2\r\n", "http", "The connection broke off: SSH-2.0-OpenSSH_9.2."),
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", "https", "The encrypted connection failed: "),
    ],
    ids=["hangs up", "speaks something else", "speaks in the clear"],
)
def test_what_went_wrong_is_told_in_a_sentence(answer: bytes, scheme: str, told: str) -> None:
    with receiver(says(answer)) as (url, _), pytest.raises(NoAnswer) as wrong:
        post(url.replace("http:", f"{scheme}:"), b"{}", {}, NEAR)
    assert str(wrong.value).startswith(told)
    assert "object at 0x" not in str(wrong.value)


def test_a_name_that_nobody_has_is_told_without_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*args: Any, **how: Any) -> Any:
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    with pytest.raises(NoAnswer, match=r"^The name crm\.example leads nowhere: Name or service not known\.$"):
        post("https://crm.example/", b"{}", {}, Limits())


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "10.1.2.3",
        "169.254.169.254",
        "100.64.0.1",
        "224.0.0.1",
        "0.0.0.0",  # noqa: S104 - nothing is bound to it; it is refused
        "[::1]",
        "[::]",
        "[fe80::1]",
        "[fd00::1]",
        "[ff02::1]",
        "[::ffff:10.0.0.1]",
        "[2002:a00:1::]",
        "[64:ff9b::a00:1]",
        "[64:ff9b:1::a00:1]",
        "[fec0::1]",
        "[3fff::1]",
        "192.0.0.8",
        "１０.0.0.1",
    ],
)
def test_addresses_in_networks_of_our_own_are_refused(host: str) -> None:
    with pytest.raises(BadAddress):
        checked(f"https://{host}/hook", Limits())


@pytest.mark.parametrize(
    "url",
    [
        "http://hooks.example/",
        "https://user:word@hooks.example/",
        "https://user@hooks.example/",
        "https://hooks.example/#there",
        "https://hooks.example:22/",
        "https://hooks.example:99999/",
        "https://",
        "ftp://hooks.example/",
        "https://[::1/",
        "https://kro‹kus.example/",
        "",
    ],
)
def test_addresses_that_say_too_much_or_too_little_are_refused(url: str) -> None:
    with pytest.raises(BadAddress):
        checked(url, Limits())


@pytest.mark.parametrize(
    "url",
    [
        "https://hooks.example/",
        "https://hooks.example:8443/a?b=c",
        "https://93.184.216.34/",
        "https://[64:ff9b::5db8:d822]/",
    ],
)
def test_public_addresses_pass(url: str) -> None:
    assert checked(url, Limits()).geturl() == url


def test_a_name_beyond_ascii_is_spelled_as_the_network_does() -> None:
    """Kept and posted to so: neither the header nor the certificate knows another spelling."""
    url = "https://Bücher.example:8443/høst?a=ø"
    assert checked(url, Limits()).geturl() == "https://xn--bcher-kva.example:8443/høst?a=ø"


def test_a_name_is_looked_up_once_and_refused_for_any_address_of_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def answers(host: str, port: int, **how: object) -> list[tuple[object, ...]]:
        asked.append(host)
        return [(0, 0, 0, "", ("93.184.216.34", port)), (0, 0, 0, "", ("10.0.0.7", port))]

    monkeypatch.setattr(socket, "getaddrinfo", answers)
    with pytest.raises(BadAddress):
        post("https://hooks.example/", b"{}", {}, Limits())
    assert asked == ["hooks.example"]


def test_where_nobody_takes_the_call_the_next_address_of_the_name_is_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    with receiver(says(b"HTTP/1.1 204 No Content\r\n\r\n")) as (url, got):
        port = int(url.split(":")[2].split("/")[0])

        real = socket.getaddrinfo

        def answers(host: str, *args: Any, **how: Any) -> Any:
            if host != "hooks.example":
                return real(host, *args, **how)
            return [(0, 0, 0, "", (address, port)) for address in ("127.0.0.77", "127.0.0.1")]

        monkeypatch.setattr(socket, "getaddrinfo", answers)
        answer = post(f"http://hooks.example:{port}/", b"{}", {}, NEAR)
    assert answer.status == 204
    assert b"Host: hooks.example" in got[0]
