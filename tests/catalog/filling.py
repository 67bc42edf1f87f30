"""What a browser would send of a page's form, and which inputs have no name for those who don't see them."""

from __future__ import annotations

from html.parser import HTMLParser
from typing import Any


class FormReader(HTMLParser):
    """Collects the fields of the form `form_id` as they would be sent."""

    def __init__(self, html: str, form_id: str) -> None:
        super().__init__()
        self.data: dict[str, Any] = {}
        self.nameless: list[str] = []
        self._form_id = form_id
        self._inside = False
        self._select = ""
        self._area = ""
        self._labelled: set[str] = set()
        self._ids: dict[str, str] = {}
        self.feed(html)
        self.nameless = [name for name, id_ in self._ids.items() if id_ not in self._labelled]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "form":
            self._inside = given.get("id") == self._form_id
        if not self._inside:
            return
        name = given.get("name", "")
        if tag == "label":
            self._labelled.add(given.get("for", ""))
        elif tag == "input" and name:
            self._input(name, given)
        elif tag == "select" and name:
            self._select = name
            self._remember(name, given)
            self.data.setdefault(name, "")
        elif tag == "option" and self._select and ("selected" in given):
            self.data[self._select] = given.get("value", "")
        elif tag == "textarea" and name:
            self._area = name
            self._remember(name, given)
            self.data[name] = ""

    def _input(self, name: str, given: dict[str, str]) -> None:
        kind = given.get("type", "text")
        if kind not in {"hidden", "submit"}:
            self._remember(name, given)
        if kind in {"checkbox", "radio"}:
            if "checked" in given:
                self.data[name] = given.get("value", "on")
        elif kind != "submit":
            self.data[name] = given.get("value", "")

    def _remember(self, name: str, given: dict[str, str]) -> None:
        if "aria-label" not in given:
            self._ids[name] = given.get("id", name)

    def handle_data(self, data: str) -> None:
        if self._area:
            self.data[self._area] += data.removeprefix("\n")

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._inside = False
        elif tag == "select":
            self._select = ""
        elif tag == "textarea":
            self._area = ""


def filled(response: Any, form_id: str = "version_form") -> dict[str, Any]:
    """Returns what sending the page's form unchanged would send."""
    return FormReader(response.content.decode(), form_id).data


def row_of(data: dict[str, Any], response: Any, named: str) -> str:
    """Returns the prefix of the inline row that shows `named`, for instance `grants-2`."""
    for formset in response.context["inline_admin_formsets"]:
        for form in formset.formset.initial_forms:
            if str(getattr(form.instance, form.named, "")) == named:
                assert any(name.startswith(f"{form.prefix}-") for name in data)
                return str(form.prefix)
    raise AssertionError(f"No row shows {named}.")


def add_row(data: dict[str, Any], prefix: str, **values: Any) -> None:
    """Adds a row to the formset `prefix`, as the browser's *Add another* does."""
    count = int(data[f"{prefix}-TOTAL_FORMS"])
    data[f"{prefix}-TOTAL_FORMS"] = str(count + 1)
    data |= {f"{prefix}-{count}-{name}": value for name, value in values.items()}
