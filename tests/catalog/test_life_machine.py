"""Whatever three people do to a plan, in whatever order: what is published stays, and nothing skips its approval.

The machine keeps its own book of who did what, foretells of every call whether it is refused and why, and looks at the
database after each.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.conf import settings as django_settings
from django.db import transaction
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from catalog.content import Side, digest
from catalog.errors import (
    AlreadyApproved,
    AlreadyInReview,
    AlreadyRetired,
    ApprovalOutdated,
    BaseIsCurrent,
    BaseSuperseded,
    DraftExists,
    NotApproved,
    NotInReview,
    PublishRefused,
    RebaseUndecided,
    SecondPairOfEyesNeeded,
    VersionFrozen,
)
from catalog.models import Module, Offer, Version
from catalog.services import drafting, publishing, rebasing
from catalog.services.editing import save_row
from customers.actor import Actor
from customers.errors import Refusal
from customers.models import Account, AuditEvent
from tests.catalog.test_version_properties import frozen
from tests.factories.catalog import NOON, Shop, published
from tests.factories.customers import AccountFactory

PEOPLE = ("pia", "paul", "petra")
PLAN, INCLUDED = "sales-essentials", "common"
people = st.sampled_from(PEOPLE)
days = st.integers(1, 5)


@dataclass
class Draft:
    """What the book says of the draft that there is."""

    base: int
    hands: set[str]
    state: str = "draft"
    approved_by: str = ""
    approved: str = ""  # the digest

    def reopen(self) -> None:
        self.state, self.approved_by, self.approved = "draft", "", ""


@dataclass
class Published:
    begins: datetime
    is_retired: bool = False


@dataclass
class Book:
    draft: Draft | None = None
    published: dict[int, Published] = field(default_factory=dict)
    moved_by: set[str] = field(default_factory=set)  # who changed, since the last publication, what the plan is made of

    @property
    def newest(self) -> int:
        """The version published last; retired ones for want of others."""
        return max(
            (number for number, row in self.published.items() if not row.is_retired), default=max(self.published)
        )

    @property
    def newer(self) -> bool:
        numbers = [number for number, row in self.published.items() if not row.is_retired]
        return self.draft is not None and max(numbers, default=0) > self.draft.base


class Life(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.atomic = transaction.atomic()
        self.atomic.__enter__()
        self.accounts: dict[str, Account] = {name: AccountFactory(name=name.title()) for name in PEOPLE}
        self.now = NOON + timedelta(days=1)
        self.count = 0
        self.book = Book(published={1: Published(NOON)})
        self.known = frozen()

    def teardown(self) -> None:
        transaction.set_rollback(True)
        self.atomic.__exit__(None, None, None)

    # ── What calls are made with ────────────────────────────────────────────
    @property
    def offer(self) -> Any:
        return Offer.objects.get(code=PLAN)

    @property
    def version(self) -> Any:
        """The draft if there is one, else the version published last: calls that fit and calls that don't."""
        versions = self.offer.versions
        return versions.drafts().first() or versions.order_by("number").last()

    def by(self, who: str) -> dict[str, Any]:
        self.now += timedelta(minutes=1)
        self.count += 1
        return {"actor": Actor(account=self.accounts[who]), "at": self.now}

    def expect(self, refused: type[Refusal] | None, call: Callable[[], Any]) -> Any:
        """Makes the call, which is refused in just this way, and then leaves no trace, or isn't refused (None)."""
        if refused is None:
            return call()
        events = AuditEvent.objects.count()
        with pytest.raises(refused) as found:
            call()
        assert found.type is refused
        assert AuditEvent.objects.count() == events
        return None

    def hands(self) -> set[str]:
        assert self.book.draft is not None
        return self.book.draft.hands | self.book.moved_by

    # ── What people do ──────────────────────────────────────────────────────
    @rule(who=people, of_first=st.booleans())
    def begin(self, who: str, of_first: bool) -> None:
        first = Version.objects.get(offer=self.offer, number=1)
        refused = DraftExists if self.book.draft else None
        base = first if of_first else None
        self.expect(refused, lambda: drafting.draft_from(offer=self.offer, base=base, **self.by(who)))
        if refused is None:
            self.book.draft = Draft(1 if of_first else self.book.newest, {who})

    @rule(who=people, value=st.sampled_from([700, 800, "unlimited"]))
    def edit(self, who: str, value: object) -> None:
        refused = None if self.book.draft else VersionFrozen
        version = self.version
        held = {grant.feature.code: "unlimited" if grant.unlimited else grant.value for grant in version.grants.all()}
        grants = {"sales": True, "email-limit": value}
        by = self.by(who)
        self.expect(refused, lambda: drafting.set_grants(version=version, grants=grants, **by))
        if self.book.draft and held != grants:
            self.book.draft.hands.add(who)
            self.book.draft.reopen()

    @rule(who=people)
    def word(self, who: str) -> None:
        refused = None if self.book.draft else VersionFrozen
        by = self.by(who)
        line = f"New: {self.count}."
        self.expect(refused, lambda: drafting.update_draft(version=self.version, changelog=line, **by))
        if self.book.draft:
            self.book.draft.hands.add(who)
            self.book.draft.reopen()

    @rule(who=people, of_plan=st.booleans())
    def change_what_it_is_made_of(self, who: str, of_plan: bool) -> None:
        row = self.offer if of_plan else Module.objects.get(name="web")
        by = self.by(who)
        row.description = f"Words {self.count}"
        save_row(row=row, **by)
        self.book.moved_by.add(who)

    @rule(value=st.sampled_from([900, 950]))
    def publish_what_it_includes(self, value: int) -> None:
        self.now += timedelta(minutes=1)
        grants = {"dashboards": "default-charts", "email-limit": value}
        published(Offer.objects.get(code=INCLUDED), at=self.now, grants=grants, extra_modules=("user", "web"))

    @rule(who=people)
    def submit(self, who: str) -> None:
        draft, version, by = self.book.draft, self.version, self.by(who)
        refused: type[Refusal] | None = None
        if draft is None:
            refused = VersionFrozen
        elif draft.state == "in_review":
            refused = AlreadyInReview
        elif self.book.newer:
            refused = BaseSuperseded
        elif publishing.check(version=version, at=self.now):
            refused = PublishRefused
        self.expect(refused, lambda: drafting.submit(version=version, **by))
        if draft is not None and refused is None:
            draft.state = "in_review"

    @rule(who=people)
    def send_back(self, who: str) -> None:
        draft, version, by = self.book.draft, self.version, self.by(who)
        refused = VersionFrozen if draft is None else None if draft.state == "in_review" else NotInReview
        self.expect(refused, lambda: drafting.send_back(version=version, comment="Why?", **by))
        if draft is not None:
            draft.reopen()

    @rule(who=people, later=st.none() | days)
    def approve(self, who: str, later: int | None) -> None:
        draft, version, by = self.book.draft, self.version, self.by(who)
        begins = self.now + timedelta(days=later) if later else None
        refused: type[Refusal] | None = None
        comes_to = "" if draft is None else publishing.preview(version=version, at=begins or self.now).digest
        if draft is None:
            refused = VersionFrozen
        elif draft.state != "in_review":
            refused = NotInReview
        elif self.book.newer:
            refused = BaseSuperseded
        elif not comes_to:
            refused = PublishRefused
        elif django_settings.FOUR_EYES and who in self.hands():
            refused = SecondPairOfEyesNeeded
        elif draft.approved == comes_to:
            refused = AlreadyApproved
        self.expect(refused, lambda: publishing.approve(version=version, effective_from=begins, **by))
        if draft is not None and refused is None:
            draft.approved_by, draft.approved = who, comes_to

    @rule(who=people, later=st.none() | days)
    def publish(self, who: str, later: int | None) -> None:
        draft, version, by = self.book.draft, self.version, self.by(who)
        begins = self.now + timedelta(days=later) if later else self.now
        comes_to = "" if draft is None else publishing.preview(version=version, at=begins).digest
        refused = self._why_not_published(draft, who, comes_to)
        made = self.expect(refused, lambda: publishing.publish(version=version, effective_from=begins, **by))
        if draft is None or refused is not None:
            return
        assert made.digest == comes_to == digest(made.content)
        assert made.published_by == self.accounts[who]
        assert made.approved_by == self.accounts[draft.approved_by or who]
        if django_settings.FOUR_EYES:
            assert draft.approved == made.digest
            assert {draft.approved_by, who}.isdisjoint(self.hands())
        self.book.published[made.number] = Published(begins)
        self.book.draft, self.book.moved_by = None, set()

    def _why_not_published(self, draft: Draft | None, who: str, comes_to: str) -> type[Refusal] | None:
        if draft is None:
            return VersionFrozen
        if self.book.newer:
            return BaseSuperseded
        if django_settings.FOUR_EYES and draft.state != "in_review":
            return NotInReview
        if not comes_to:
            return PublishRefused
        if django_settings.FOUR_EYES and who in self.hands():
            return SecondPairOfEyesNeeded
        if django_settings.FOUR_EYES and not draft.approved:
            return NotApproved
        if django_settings.FOUR_EYES and draft.approved_by in self.hands():
            return SecondPairOfEyesNeeded
        return ApprovalOutdated if draft.approved and draft.approved != comes_to else None

    @rule(who=people, data=st.data())
    def retire(self, who: str, data: st.DataObject) -> None:
        number, by = data.draw(st.sampled_from(sorted(self.book.published))), self.by(who)
        row = self.book.published[number]
        version = Version.objects.get(offer=self.offer, number=number)
        refused = AlreadyRetired if row.is_retired else None
        made = self.expect(refused, lambda: publishing.retire(version=version, reason="Enough", **by))
        if made is not None:
            row.is_retired = True
            assert made.was_called_off == (row.begins > self.now)

    @rule(who=people, anew=st.booleans())
    def throw_away(self, who: str, anew: bool) -> None:
        refused, version, by = None if self.book.draft else VersionFrozen, self.version, self.by(who)
        throw: Callable[..., Any] = rebasing.begin_again if anew else drafting.discard_draft
        self.expect(refused, lambda: throw(version=version, **by))
        if self.book.draft:
            self.book.draft = Draft(self.book.newest, {who}) if anew else None

    @rule(who=people, side=st.none() | st.sampled_from(["mine", "theirs"]))
    def rebase(self, who: str, side: Side | None) -> None:
        draft, version, by = self.book.draft, self.version, self.by(who)
        found = rebasing.preview_rebase(version=version) if draft else None
        conflicts = [conflict.path for conflict in found.merge.conflicts] if found else []
        choices = dict.fromkeys(conflicts, side) if side else {}
        refused: type[Refusal] | None = None
        if draft is None:
            refused = VersionFrozen
        elif not self.book.newer:
            refused = BaseIsCurrent
        elif conflicts and side is None:
            refused = RebaseUndecided
        self.expect(refused, lambda: rebasing.rebase(version=version, choices=choices, **by))
        if draft is not None and refused is None:
            self._stands_on_newest(draft, who)

    @rule(who=people)
    def keep(self, who: str) -> None:
        draft, version, by = self.book.draft, self.version, self.by(who)
        refused = None if draft else VersionFrozen
        self.expect(refused, lambda: rebasing.keep_as_drafted(version=version, **by))
        if draft is not None and self.book.newer:
            self._stands_on_newest(draft, who)

    def _stands_on_newest(self, draft: Draft, who: str) -> None:
        draft.base = self.book.newest
        draft.hands.add(who)
        draft.reopen()

    def _go_on(self, who: str) -> None:
        """Takes the step that comes next, so that lives get somewhere."""
        draft = self.book.draft
        if draft is None:
            self.begin(who, False)
            self.word(who)
        elif self.book.newer:
            self.keep(who)
        elif draft.state == "draft":
            self.submit(who)
        elif not draft.approved:
            self.approve(who, None)
        else:
            self.publish(who, None)

    @initialize(
        steps=st.sampled_from([0, 2, 3, 4, 4]),
        mover=st.sampled_from(["nobody", "include", "paul"]),
        who=st.sampled_from(["paul", "petra"]),
    )
    def so_far(self, steps: int, mover: str, who: str) -> None:
        """Nothing yet; a draft in review; one that is approved; or one that moved since, which somebody publishes."""
        for taker in ("pia", "pia", "paul")[:steps]:
            self._go_on(taker)
        if steps > 3:
            self.go_on_once_it_is_approved(mover, who, None)

    @rule(whos=st.lists(people, min_size=1, max_size=4))
    def go_on(self, whos: list[str]) -> None:
        for who in whos:
            self._go_on(who)

    @precondition(lambda self: self.book.draft is not None and self.book.draft.approved)
    @rule(mover=st.sampled_from(["nobody", "include", *PEOPLE]), who=people, later=st.none() | days)
    def go_on_once_it_is_approved(self, mover: str, who: str, later: int | None) -> None:
        """Something moves what the draft comes to, or nothing does; then somebody tries to publish it."""
        if mover == "include":
            self.publish_what_it_includes(1000 + self.count)
        elif mover in PEOPLE:
            self.change_what_it_is_made_of(mover, of_plan=False)
        self.publish(who, later)

    @rule(is_on=st.booleans())
    def four_eyes(self, is_on: bool) -> None:
        django_settings.FOUR_EYES = is_on

    @rule(wait=days)
    def wait(self, wait: int) -> None:
        self.now += timedelta(days=wait)

    # ── What holds all the time ─────────────────────────────────────────────
    @invariant()
    def what_is_published_stays(self) -> None:
        now = frozen()
        assert {pk: now[pk] for pk in self.known} == self.known
        self.known = now

    @invariant()
    def the_database_says_what_the_book_says(self) -> None:
        drafts = list(self.offer.versions.drafts())
        assert len(drafts) == (self.book.draft is not None)
        for row in drafts:
            draft = self.book.draft
            assert draft is not None
            approver = self.accounts.get(draft.approved_by)
            assert (row.state, row.digest, row.approved_by) == (draft.state, draft.approved, approver)
            assert row.is_approved == bool(draft.approved)
            assert row.base.number == draft.base
        states = dict(self.offer.versions.frozen().values_list("number", "state"))
        said = {number: "retired" if row.is_retired else "published" for number, row in self.book.published.items()}
        assert states == said
        assert sorted(states) == list(range(1, len(states) + 1))

    @invariant()
    def what_is_on_sale_follows_the_clock(self) -> None:
        for moment in (self.now, self.now + timedelta(days=3)):
            on_sale = [
                (row.begins, number)
                for number, row in self.book.published.items()
                if row.begins <= moment and not row.is_retired
            ]
            live = Version.objects.live(moment).filter(offer=self.offer).values_list("number", flat=True).first()
            assert live == (max(on_sale)[1] if on_sale else None)


@pytest.mark.django_db
@pytest.mark.parametrize("is_on", [False, True], ids=["one-pair-of-eyes", "four-eyes"])
def test_no_sequence_of_calls_changes_what_is_published_or_skips_its_approval(
    is_on: bool, shop: Shop, settings: Any
) -> None:
    class FromHere(Life):
        def __init__(self) -> None:
            super().__init__()
            django_settings.FOUR_EYES = is_on

    settings.FOUR_EYES = is_on  # as it was comes back after the test
    run_state_machine_as_test(FromHere, settings=CALLS)


CALLS = settings(max_examples=25, stateful_step_count=10, suppress_health_check=list(HealthCheck))
