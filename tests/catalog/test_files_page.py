"""The catalog as files in a browser: downloaded, compared, confirmed, and applied as drafts; all without JavaScript."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import time_machine
from django.conf import LazySettings
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from catalog.models import Feature, FeatureGroup, Version
from catalog.services.exporting import export_text
from customers.models import Account, AuditEvent
from tests.catalog.test_applying import HELPDESK, apply, everything, part
from tests.catalog.visiting import as_
from tests.factories.catalog import NOON

PAGE = "/catalog/files/"
DOWNLOAD = "/catalog/files/catalog.yaml"
MORE = HELPDESK.replace("space: 5", "space: 50").replace("name: Charts", "name: Pictures")

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def clock() -> Iterator[time_machine.Traveller]:
    with time_machine.travel(NOON, tick=False) as traveller:
        yield traveller


@pytest.fixture
def browser(pia: Account) -> Client:
    apply(HELPDESK)
    return as_(pia)


def upload(browser: Client, *texts: str | bytes, **options: Any) -> Any:
    contents = [text.encode() if isinstance(text, str) else text for text in texts]
    files = [SimpleUploadedFile(f"{number}.yaml", content) for number, content in enumerate(contents, 1)]
    return browser.post(PAGE, {"files": files}, **options)


def confirm(browser: Client, compared: Any, **changed: str) -> Any:
    context = compared.context
    return browser.post(PAGE, {"token": context["token"], "digest": context["plan"].digest, **changed})


def words(answer: Any) -> str:
    return " ".join(answer.content.decode().split())


def test_the_download_is_the_export(browser: Client) -> None:
    answer = browser.get(DOWNLOAD)
    assert answer.content.decode() == export_text()
    assert answer["Content-Type"] == "application/yaml; charset=utf-8"
    assert answer["Content-Disposition"] == 'attachment; filename="catalog.yaml"'
    apply(MORE, publish=False)
    assert "space: 50\n" in browser.get(DOWNLOAD, {"drafts": "1"}).content.decode()
    assert "space: 5\n" in browser.get(DOWNLOAD).content.decode()


def test_what_the_files_would_change_is_shown_and_nothing_happens(browser: Client) -> None:
    before = everything()
    answer = upload(browser, MORE)
    assert answer.status_code == 200
    shown = words(answer)
    for expected in ("charts: name", '<del class="is-removed">5 GB</del>', '<ins class="is-added">50 GB</ins>'):
        assert expected in shown
    assert "A draft will be begun." in shown
    assert everything() == before


def test_what_was_shown_is_applied_as_drafts(browser: Client, pia: Account) -> None:
    answer = confirm(browser, upload(browser, MORE))
    assert (answer.status_code, answer["Location"]) == (302, PAGE)
    assert Feature.objects.get(code="charts").name == "Pictures"
    assert set(Version.objects.drafts().values_list("offer__code", flat=True)) == {"low", "high"}
    assert not Version.objects.filter(number=2).exists()
    assert AuditEvent.objects.get(action="feature.changed").account == pia
    page = browser.get(PAGE)
    assert "Applied: 1 definition created or changed, 2 drafts begun or edited. Nothing is published." in words(page)


def test_several_files_are_read_together(browser: Client) -> None:
    names, offers = HELPDESK.split("plans:\n")
    answer = upload(browser, names, part("plans:\n" + offers))
    assert answer.context["plan"].is_published
    assert "The catalog says all that already." in words(answer)
    assert 'name="token"' not in words(answer)


def test_what_waits_in_drafts_is_shown_and_there_is_nothing_to_confirm(browser: Client) -> None:
    apply(MORE, publish=False)
    answer = words(upload(browser, MORE))
    assert "Its draft says so already, and waits to be published." in answer
    assert 'name="token"' not in answer


def test_faults_are_listed_with_their_lines(browser: Client) -> None:
    answer = upload(browser, HELPDESK.replace("tier: low", "tier: lowly"), "\xff".encode("latin-1"))
    assert answer.status_code == 400
    assert "<b>2.yaml, line 1</b>: This isn&#x27;t UTF-8 text." in words(answer)
    answer = upload(browser, HELPDESK.replace("tier: low", "tier: lowly"))
    assert "<b>1.yaml, line 23</b> (plans.low.tier): There is no tier &#x27;lowly&#x27;." in words(answer)


def test_of_many_faults_the_first_are_listed(browser: Client) -> None:
    bad = part("groups:\n" + "".join(f"  g{number}: {{}}\n" for number in range(250)))
    answer = words(upload(browser, bad))
    assert "250 faults, so nothing was changed" in answer
    assert answer.count(", line ") == 200
    assert "… and 50 more." in answer


def test_what_moved_meanwhile_is_shown_anew_and_not_applied(browser: Client) -> None:
    compared = upload(browser, MORE)
    apply(part("groups: {main: {name: Principal}}\n"))
    before = everything()
    answer = confirm(browser, compared)
    assert answer.status_code == 409
    assert "The catalog has changed meanwhile" in words(answer)
    assert everything() == before
    assert confirm(browser, answer).status_code == 302


def test_another_digest_than_the_one_shown_applies_nothing(browser: Client) -> None:
    before = everything()
    assert confirm(browser, upload(browser, MORE), digest="0" * 64).status_code == 409
    assert everything() == before


def test_files_that_no_longer_fit_are_faults(browser: Client) -> None:
    compared = upload(browser, part("features: {links: {name: Links, group: more}}\n"))
    Feature.objects.update(group=FeatureGroup.objects.get(code="main"))
    FeatureGroup.objects.get(code="more").delete()
    answer = confirm(browser, compared)
    assert answer.status_code == 400
    assert "There is no group &#x27;more&#x27;." in words(answer)


def test_a_token_of_somebody_else_or_of_long_ago_is_no_good(
    browser: Client, paul: Account, clock: time_machine.Traveller
) -> None:
    compared = upload(browser, MORE)
    for answer in (confirm(as_(paul), compared), confirm(browser, compared, token="made up")):
        assert answer.status_code == 400
        assert "These files were compared too long ago. Choose them again." in words(answer)
    clock.shift(3601)
    assert confirm(browser, compared).status_code == 400
    assert not Version.objects.drafts().exists()


def test_nothing_chosen_and_too_much_are_refused(browser: Client) -> None:
    assert "Choose at least one file." in words(browser.post(PAGE, {}))
    answer = upload(browser, "#" * 2_000_001, "#" * 2_000_001)
    assert answer.status_code == 400
    assert "Together these files are too large: 4 MB at most." in words(answer)


def test_what_could_not_be_carried_along_is_refused_before_anybody_confirms(
    browser: Client, settings: LazySettings
) -> None:
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 40_000
    assert upload(browser, MORE).status_code == 200
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 20_500
    answer = upload(browser, MORE)
    assert answer.status_code == 400
    assert "Together these files are too large" in words(answer)


@pytest.mark.parametrize(
    ("who", "status"), [("pia", 200), ("paul", 200), ("cara", 403), ("aud", 403), ("kari", 403), (None, 302)]
)
def test_it_is_for_those_who_may_draft(who: str | None, status: int, request: pytest.FixtureRequest) -> None:
    visitor = as_(request.getfixturevalue(who)) if who else Client()
    assert visitor.get(PAGE).status_code == visitor.get(DOWNLOAD).status_code == status
    assert upload(visitor, HELPDESK).status_code == status
    assert (visitor.get("/plans/").content.decode().count(f'href="{PAGE}"') > 0) == (status == 200)


def test_a_larger_file_takes_no_more_queries(browser: Client) -> None:
    def queries(count: int) -> int:
        features = "".join(f"  f{n}: {{name: N, group: main, user: desk-cal}}\n" for n in range(count))
        plans = "".join(f"  p{n}: {{name: P, for_sale: false, features: {{f{n}: true}}}}\n" for n in range(count // 10))
        with CaptureQueriesContext(connection) as captured:
            assert upload(browser, part(f"features:\n{features}plans:\n{plans}")).status_code == 200
        return len(captured)

    queries(10)
    assert queries(400) == queries(20)


def test_the_seed_that_was_applied_is_nothing_to_do(pia: Account) -> None:
    seed = Path(__file__).parents[2] / "catalog" / "seed"
    texts = [file.read_text() for file in sorted(seed.glob("*.yaml"))]
    apply(*texts)
    assert upload(as_(pia), *texts).context["plan"].is_published
