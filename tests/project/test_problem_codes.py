"""docs/api.md lists every problem code with its status, and no other."""

from __future__ import annotations

import importlib
import pkgutil
import re
from collections.abc import Iterator
from pathlib import Path

import catalog
import config.errors
import customers
import licensing
from customers.errors import Refusal

DOCS = Path(__file__).parents[2] / "docs" / "api.md"


def refusals(kind: type[Refusal] = Refusal) -> Iterator[type[Refusal]]:
    for below in kind.__subclasses__():
        if "code" in vars(below):
            yield below
        yield from refusals(below)


def codes_in_use() -> dict[str, int]:
    """Returns code → status of every refusal and of what the error handler makes of other exceptions."""
    for app in (customers, catalog, licensing):
        for module in pkgutil.walk_packages(app.__path__, f"{app.__name__}."):
            if "migrations" not in module.name:
                importlib.import_module(module.name)
    found = {refusal.code: refusal.status for refusal in refusals() if refusal.__module__.split(".")[0] != "tests"}
    found |= {code: kind.status_code for kind, (code, *_) in config.errors._PLAIN.items()}
    source = Path(config.errors.__file__).read_text()
    found |= {code: int(status) for status, code in re.findall(r'Problem\((\d{3}), "(\w+)"', source)}
    found |= {code: int(status) for status, code in re.findall(r'status=(\d{3}),\s+code="(\w+)"', source)}
    return found


def test_every_problem_code_is_documented_with_its_status() -> None:
    listed = {code: int(status) for code, status in re.findall(r"^\| `(\w+)` \| (\d{3}) \|", DOCS.read_text(), re.M)}
    assert listed == codes_in_use()
