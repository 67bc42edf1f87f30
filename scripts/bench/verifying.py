"""How long it takes to verify a package in the process: its hashes and its signature, as every answer's work begins."""

from __future__ import annotations

import time
from dataclasses import replace
from statistics import median
from typing import Final

from licensing.keyring import OWN_KEYS
from licensing.models import Package
from licensing.own_key import own_key
from licensing.recorded import SEALED, form_of
from licensing.signing import examine, sign_package

ROWS: Final = 60
TIMES: Final = 50


def verify_ms() -> float:
    """Returns the median, in milliseconds of processor time, for a package as it is sold, brought to 60 rows."""
    package = Package.objects.active().select_related(*SEALED).order_by("pk").first()
    if package is None:
        raise LookupError("There is no package to verify.")
    form = form_of(package, package.rows.order_by("sort_order", "pk"), package.seal)
    rows = [replace(form.rows[n % len(form.rows)], module_name=f"row-{n}", sort_order=n) for n in range(ROWS)]
    signed = sign_package(replace(form, rows=tuple(rows)), own_key())
    taken = []
    for _ in range(TIMES):
        started = time.process_time()
        if not examine(signed, OWN_KEYS).is_intact:
            raise LookupError("What was just signed does not verify.")
        taken.append(1000 * (time.process_time() - started))
    return median(taken)
