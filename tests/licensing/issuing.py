"""Packages as an issuer makes them, without a database: one sound one, any that can be drawn, and two keys."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, Final

from hypothesis import strategies as st

from licensing.package_form import HEADER, ROW, PackageForm, RowForm, in_order
from licensing.package_xml import write_package
from licensing.signing import SigningKey, load_private_key, new_private_key, sign_package

KEY: Final = load_private_key(new_private_key())
OTHER_KEY: Final = load_private_key(new_private_key())


def sound_package(owner: str = "ACME", **header: Any) -> PackageForm:
    """Returns ACME's package: a site module, a plan, and the hidden module that it switches on."""
    rows = (
        RowForm(owner, 1, "pad-site", "Pad", 1, 1),
        RowForm(owner, 3, "pad-cal", "Edit pads", 5, 2, allowed_user_type="InternalAssociate", hidden=True),
        RowForm(owner, 3, "pad-plan", "Pad plan", 5, 3, extra_flags=1, extra_info="set=pad-cal"),
    )
    return replace(PackageForm(owner, "Fjordlys AS", rows, license_version="11.11"), **header)


def signed_xml(form: PackageForm, key: SigningKey = KEY) -> bytes:
    return write_package(sign_package(form, key))


def with_row(form: PackageForm, module: str, **changes: Any) -> PackageForm:
    """Returns the package with one row changed."""
    rows = tuple(replace(row, **changes) if row.module_name == module else row for row in form.rows)
    return replace(form, rows=rows)


def _texts(most: int) -> st.SearchStrategy[str]:
    # What XML can hold; line ends of other systems too, which a reader would otherwise make its own.
    marks = st.characters(exclude_categories=("Cs",), exclude_characters="\ufffe\uffff", min_codepoint=32)
    return st.text(marks | st.sampled_from("\t\n\r<>&\"']"), max_size=min(most, 20))


_INSTANTS: Final = st.datetimes(datetime(1990, 1, 1), datetime(2200, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001
_JSON: Final = st.recursive(
    st.none() | st.booleans() | st.integers(0, 2**53) | st.text(st.characters(exclude_categories=("Cs", "Cc"))),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("abc", max_size=3), inner, max_size=3),
    max_leaves=5,
)


def _value(field: Any) -> st.SearchStrategy[Any]:
    drawn: dict[str, st.SearchStrategy[Any]] = {
        "text": _texts(field.most),
        "number": st.integers(0, 2**31 - 1) | (st.none() if field.default is None else st.nothing()),
        "yes": st.booleans(),
        "instant": st.none() | _INSTANTS,
        "type": st.sampled_from([1, 2, 3]),
        "names": st.lists(st.text("abc-", min_size=1, max_size=5), max_size=3).map(tuple),
        "data": st.dictionaries(st.text("abc", max_size=3), _JSON, max_size=2),
    }
    return drawn[field.kind]


def rows() -> st.SearchStrategy[RowForm]:
    return st.builds(RowForm, **{field.attribute: _value(field) for field in ROW})


@st.composite
def packages(draw: st.DrawFn) -> PackageForm:
    """Draws packages whose rows can be told apart; what they say need make no sense."""
    listed = draw(st.lists(rows(), min_size=1, max_size=4, unique_by=lambda row: (row.sort_order, row.module_name)))
    header = {field.attribute: draw(_value(field)) for field in HEADER}
    return PackageForm(rows=in_order(listed), **header)


@st.composite
def sound_packages(draw: st.DrawFn, owner: str = "ACME") -> PackageForm:
    """Draws packages that have no fault: plans, what they switch on in numbers that suffice, and site modules."""
    words = _texts(20)
    plans = draw(st.lists(st.frozensets(st.integers(0, 3)), max_size=3))
    counts = [draw(st.integers(1, 500)) for _ in plans]
    listed = [
        RowForm(
            owner,
            3,
            f"plan-{n}",
            draw(words),
            counts[n],
            draw(st.integers(0, 90)),
            tooltip=draw(words),
            extra_flags=1,
            extra_info="set=" + ",".join(f"hidden-{m}" for m in sorted(names)),
        )
        for n, names in enumerate(plans)
    ]
    for hidden in range(4):
        needed = sum(count for count, names in zip(counts, plans, strict=True) if hidden in names)
        number = needed + draw(st.integers(1, 9))
        listed.append(RowForm(owner, 3, f"hidden-{hidden}", draw(words), number, draw(st.integers(0, 90)), hidden=True))
    listed.append(
        RowForm(owner, 1, "site", draw(words), 1, 5, module_version=draw(words), unrestricted=draw(st.booleans()))
    )
    dates = sorted(draw(st.lists(_INSTANTS, min_size=3, max_size=3)))
    ends = dict(zip(("warning_at", "expires_at", "grace_until"), dates, strict=True)) if draw(st.booleans()) else {}
    return PackageForm(
        owner,
        draw(words),
        in_order(listed),
        license_version=draw(words),
        owner_description=draw(words),
        deployment_type=draw(st.none() | st.integers(0, 9)),
        next_check_at=draw(st.none() | _INSTANTS),
        **ends,
    )
