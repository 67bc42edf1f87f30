"""One HTTP POST to an address that somebody else chose: pinned, bounded, and not into our own network. Pure.

The name is resolved once, every address it has is looked at, and the connection goes to that very address: a name that
points elsewhere a moment later leads nowhere else. Redirects are not followed. What is read of the answer is bounded in
bytes and in time, however slowly it comes.
"""

from __future__ import annotations

import ipaddress
import socket
import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import SplitResult, urlsplit

import idna
import urllib3
from urllib3.connection import HTTPConnection, HTTPSConnection

KEPT_BYTES: Final = 2_000
READ_BYTES: Final = 16_384
_PORTS: Final = {"https": 443, "http": 80}
_MOST_ADDRESSES: Final = 4
_NOT_CONNECTED: Final = (urllib3.exceptions.NewConnectionError, urllib3.exceptions.ConnectTimeoutError)
_LATE: Final = "The answer took too long."
# Networks that are special to this version of `ipaddress` no more, or not yet.
_NOT_EVERYBODYS: Final = tuple(
    map(ipaddress.ip_network, ("192.0.0.0/24", "192.88.99.0/24", "fec0::/10", "3fff::/20", "64:ff9b:1::/48"))
)
# A translator makes an IPv4 address of the last 32 bits (networks with IPv6 alone): that one is judged.
_TRANSLATED: Final = ipaddress.ip_network("64:ff9b::/96")


class BadAddress(ValueError):
    """An address that nothing is sent to; the message is a sentence for people."""


class NoAnswer(Exception):
    """Nobody answered, or not in time."""


class _NobodyThere(NoAnswer):
    """Nothing was sent, for nobody took the call."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Seconds to connect and in all; whether private networks and plain HTTP are allowed."""

    connect: float = 5.0
    total: float = 15.0
    allow_private: bool = False


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    text: str
    headers: Mapping[str, str] = field(default_factory=dict)


def checked(url: str, limits: Limits) -> SplitResult:
    """Returns the parts of an address that may be posted to, as far as its text tells. Raises BadAddress.

    A name in letters beyond ASCII is spelled as the network spells it.
    """
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as fault:
        raise BadAddress("This is no address.") from fault
    if parts.scheme not in _PORTS or not parts.hostname:
        raise BadAddress("An address begins with https:// and names a host.")
    if parts.scheme != "https" and not limits.allow_private:
        raise BadAddress("Events go out encrypted: the address begins with https://.")
    if parts.username is not None or parts.password is not None:
        raise BadAddress("An address has no user name or password in it.")
    if parts.fragment:
        raise BadAddress("An address has no fragment (#).")
    if port is not None and port != _PORTS[parts.scheme] and port < 1024 and not limits.allow_private:
        raise BadAddress("The port is 443, or one from 1024 on.")
    literal = _literal(parts.hostname)
    if literal is not None:
        _refuse_private([literal], limits)
    return parts if parts.hostname.isascii() else _in_ascii(parts, port)


def _in_ascii(parts: SplitResult, port: int | None) -> SplitResult:
    try:
        name = idna.encode(str(parts.hostname), uts46=True).decode()
    except idna.IDNAError as fault:
        raise BadAddress(f"{parts.hostname} can't be the name of a host.") from fault
    if _literal(name) is not None:  # digits that only look like letters
        raise BadAddress("An address begins with https:// and names a host.")
    return parts._replace(netloc=name if port is None else f"{name}:{port}")


def post(url: str, body: bytes, headers: Mapping[str, str], limits: Limits) -> Answer:
    """Returns what is answered, whatever its status. Raises BadAddress and NoAnswer.

    A name may have several addresses, of both kinds: the next one is tried where nobody takes the call.
    """
    deadline = time.monotonic() + limits.total
    parts = checked(url, limits)
    host, port = str(parts.hostname), parts.port or _PORTS[parts.scheme]
    addresses = _resolved(host, port, limits)
    for address in addresses[:-1]:
        with suppress(_NobodyThere):
            return _post(address, parts, body, headers, limits, deadline)
    return _post(addresses[-1], parts, body, headers, limits, deadline)


def _post(
    address: str, parts: SplitResult, body: bytes, headers: Mapping[str, str], limits: Limits, deadline: float
) -> Answer:
    host, port = str(parts.hostname), parts.port or _PORTS[parts.scheme]
    timeout = urllib3.Timeout(connect=limits.connect, read=limits.total)
    how: dict[str, Any] = {"timeout": timeout, "retries": False, "maxsize": 1}
    pool: urllib3.HTTPConnectionPool
    if parts.scheme == "https":
        pool = urllib3.HTTPSConnectionPool(address, port, server_hostname=host, assert_hostname=host, **how)
    else:
        pool = urllib3.HTTPConnectionPool(address, port, **how)
    name = f"[{host}]" if ":" in host else host
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    sent = {**headers, "Host": name if port == _PORTS[parts.scheme] else f"{name}:{port}"}
    try:
        with _cut_off(pool, deadline):
            answer = pool.urlopen("POST", target, body=body, headers=sent, redirect=False, preload_content=False)
            text = _read(answer, deadline)
        return Answer(answer.status, text, {k.lower(): v for k, v in answer.headers.items()})
    except (urllib3.exceptions.HTTPError, OSError, ValueError) as fault:
        is_late = time.monotonic() >= deadline
        is_there = is_late or not isinstance(fault, _NOT_CONNECTED)
        told = _LATE if is_late else _told(fault)
        raise (NoAnswer if is_there else _NobodyThere)(told[:KEPT_BYTES]) from fault
    finally:
        pool.close()


def _told(fault: Exception) -> str:
    """Returns a sentence for whoever reads the record of deliveries."""
    if isinstance(fault, urllib3.exceptions.NewConnectionError):  # a ConnectTimeoutError, too
        return f"Nobody takes the call: {_why(fault)}."
    if isinstance(fault, urllib3.exceptions.ConnectTimeoutError):
        return "Nobody took the call in time."
    if isinstance(fault, urllib3.exceptions.TimeoutError):
        return _LATE
    if isinstance(fault, urllib3.exceptions.SSLError):
        return f"The encrypted connection failed: {_why(fault)}."
    return f"The connection broke off: {_why(fault)}."


def _why(fault: BaseException) -> str:
    """Returns the words of what lies at the bottom of a failure, without numbers of errors and addresses of objects."""
    below = [each for each in (fault.__cause__, *fault.args) if isinstance(each, BaseException)]
    if below:
        return _why(below[0])
    said = getattr(fault, "verify_message", "") or getattr(fault, "strerror", "") or str(fault)
    return str(said).strip().rstrip(".")


@contextmanager
def _cut_off(pool: urllib3.HTTPConnectionPool, deadline: float) -> Iterator[None]:
    """Ends the pool's connection at the deadline, whatever it is about.

    A time-out of a socket begins anew with every byte, so a receiver that sends one now and then would hold the worker
    for hours: in the handshake, in the headers, in the body. The copy of the socket outlives its wrapping in TLS.
    """
    held: list[socket.socket] = []

    def cut() -> None:
        for each in held:
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)

    base: Any = HTTPSConnection if pool.scheme == "https" else HTTPConnection

    class Watched(base):  # type: ignore[misc] # one of two classes, by the scheme
        def _new_conn(self) -> socket.socket:
            connected: socket.socket = super()._new_conn()
            held.append(connected.dup())
            return connected

    pool.ConnectionCls = Watched
    timer = threading.Timer(max(0.0, deadline - time.monotonic()), cut)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
        for each in held:
            each.close()


def _read(answer: urllib3.BaseHTTPResponse, deadline: float) -> str:
    """Returns how the answer begins. Raises NoAnswer where it takes too long."""
    kept = b""
    for chunk in answer.stream(1024, decode_content=False):
        kept += chunk
        if len(kept) >= READ_BYTES:
            break
    if time.monotonic() >= deadline:  # it was cut off, which may look like its end
        raise NoAnswer(_LATE)
    return kept[:KEPT_BYTES].decode(errors="replace").replace("\x00", "\ufffd")


def _resolved(host: str, port: int, limits: Limits) -> list[str]:
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as fault:
        raise NoAnswer(f"The name {host} leads nowhere: {_why(fault)}.") from fault
    addresses = list(dict.fromkeys(str(entry[4][0]) for entry in found))
    _refuse_private(map(_parsed, addresses), limits)
    return addresses[:_MOST_ADDRESSES]


def _literal(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return _parsed(host)
    except ValueError:
        return None


def _parsed(address: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    found = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(found, ipaddress.IPv4Address):
        return found
    if found in _TRANSLATED:
        return ipaddress.IPv4Address(int(found) & 0xFFFFFFFF)
    return found.ipv4_mapped or found.sixtofour or found


def _refuse_private(addresses: Iterable[ipaddress.IPv4Address | ipaddress.IPv6Address], limits: Limits) -> None:
    """Raises BadAddress if any of the addresses lies in a network that isn't everybody's (J-5)."""
    if limits.allow_private:
        return
    for address in addresses:
        is_special = any(address in network for network in _NOT_EVERYBODYS)
        if not address.is_global or address.is_multicast or address.is_reserved or is_special:
            raise BadAddress(f"{address} lies in a private network, or in none.")
