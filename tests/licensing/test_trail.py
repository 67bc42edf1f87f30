"""Every service that changes something leaves its event: who, when, what, from, to, and why. Rule T-1.

A new service with an `actor` fails here until it has a row in `ACTS` or a reason in `NO_CHANGE`.
"""

from __future__ import annotations

import inspect
import pkgutil
from collections.abc import Callable, Iterator
from importlib import import_module
from typing import Any, Final

import pytest
from allauth.mfa.models import Authenticator
from django.test import Client

import catalog.services
import customers.services
import licensing.services
from catalog.document import CatalogDocument
from catalog.models import Feature, Offer, Owner, Solution, Version
from catalog.services import (
    applying,
    cells,
    commenting,
    documents,
    drafting,
    editing,
    planning,
    publishing,
    rebasing,
)
from customers.actor import Actor
from customers.errors import Refusal
from customers.models import Account, AuditEvent, Invitation, Membership, WebhookEndpoint
from customers.posting import Limits
from customers.services import accounts, invitations, keys, members, webhooks
from customers.services import customers as customer_rows
from licensing.bulk_plan import BulkWish
from licensing.facts import Mode
from licensing.models import ChangePreview, Migration, OwnerPlan, Package
from licensing.recorded import SEALED
from licensing.services import (
    activation,
    bulk,
    bulk_applying,
    erasing,
    importing,
    migrating,
    moving,
    onboarding,
    overrides,
    people,
    removing,
    replaying,
    requests,
    sealing,
    seats,
    subscriptions,
)
from licensing.services import keys as owner_keys
from licensing.signing import Break
from tests.factories.catalog import draft, published
from tests.factories.customers import AccountFactory
from tests.licensing.issuing import KEY
from tests.licensing.market import Market, Town, hours
from tests.licensing.moving import proposed, row_of, runs, started
from tests.licensing.partners import Partner
from tests.licensing.tampering import edit

# What takes an actor and changes nothing that a trail is for.
NO_CHANGE: Final = {
    "licensing.services.commit.customer_commit": "the frame of every write at a customer",
    "licensing.services.impacting.request_impact": "asks for a report; nobody's data changes",
    "licensing.services.bulk.preview_changes": "tells what would come of it; nobody's seats change",
    "licensing.services.bulk.preview_undo": "tells what would come of it; nobody's seats change",
    "licensing.services.bulk_worker.work_out_preview": "tells what would come of it; nobody's seats change",
    "licensing.services.bulk_worker.send_to_worker": "calls the others, later",
    "licensing.services.bulk_worker.begin_applying": "calls the others, later",
    "licensing.services.bulk_worker.apply_large": "calls the others",
    "licensing.services.demo.make_demo_customers": "calls the others",
    "licensing.services.demo.map_ten_plans": "calls the others",
    "catalog.services.drafting.record_edit": "the record itself",
    "licensing.services.migrating.look_again": "asks for another report; nobody's data changes",
    "licensing.services.migrating.record": "the record itself",
    "catalog.services.trail.audit": "the record itself",
}


class World:
    """Pia does it all, at eight o'clock in the evening, for a reason where one can be given."""

    def __init__(self, market: Market, pia: Account) -> None:
        self.market, self.pia, self.by = market, pia, Actor(account=pia)
        self.who: dict[str, Any] = {"actor": self.by, "at": hours(8)}
        self.offer = market.chat

    @property
    def draft(self) -> Version:
        found: Version = draft(self.offer, grants={"chat": True}, max_quantity=1)
        return found

    @property
    def submitted(self) -> Version:
        return drafting.submit(version=self.draft, actor=Actor(), at=hours(1))

    @property
    def town(self) -> Town:
        town = Town("tindra")
        town.buys(sales_premium=2, at=hours(1))
        return town

    def at_town(self, act: Callable[..., Any], **how: Any) -> Any:
        return act(customer=self.town.customer, **self.who, **how)

    @property
    def behind(self) -> Version:
        """A draft whose base has been superseded."""
        begun = self.draft
        Version.objects.filter(pk=begun.pk).update(base=None)
        found: Version = Version.objects.get(pk=begun.pk)
        return found

    @property
    def document(self) -> CatalogDocument:
        text = b"planarium-catalog: 1\nsolutions:\n  juggling:\n    name: Juggling\n"
        return documents.read_contents([("more.yaml", text)])


def _previewed(w: World) -> ChangePreview:
    wishes = [BulkWish(1, "ola", ("ten-sales-premium",))]
    return bulk.preview_changes(customer=w.town.customer, actor=Actor(), wishes=wishes, reason="New", at=hours(7))


def _applied(w: World) -> Any:
    preview = _previewed(w)
    return bulk.apply_preview(customer=preview.customer, token=preview.token, **w.who)


def _override(w: World) -> Any:
    town = w.town
    granted = overrides.grant_override(
        customer=town.customer, actor=Actor(), feature="quotes", mode=Mode.DENY, reason="Audit", at=hours(2)
    )
    return overrides.end_override(customer=town.customer, override=granted, **w.who)


def _package(w: World) -> Any:
    town = w.town
    for person in ("ola", "ida"):
        town.gives(person, "ten-sales-premium", at=hours(2))
    town.buys(sales_premium=1, at=hours(3))
    town.takes("ida", "ten-sales-premium", at=hours(4))
    return activation.activate_package(customer=town.customer, **w.who)


def _superfluous(w: World) -> Any:
    town = w.town
    for person in ("ola", "ida"):
        town.gives(person, "ten-sales-premium", at=hours(2))
    town.buys(sales_premium=1, at=hours(3))
    release = {"superoffice.ten-sales-premium": ["ida"]}
    return activation.release_superfluous(customer=town.customer, release=release, **w.who)


def _taken_back(w: World) -> Any:
    town = w.town
    items, due = {"sales-premium": 5}, hours(100)
    subscriptions.change_items(customer=town.customer, actor=Actor(), items=items, due=due, at=hours(2))
    return subscriptions.cancel_scheduled(customer=town.customer, **w.who)


def _resumed(w: World) -> Any:
    town = w.town
    subscriptions.cancel_subscription(customer=town.customer, actor=Actor(), at=hours(2))
    return subscriptions.resume_subscription(customer=town.customer, **w.who)


def _moved(w: World) -> Any:
    town = w.town
    return subscriptions.move_to_version(customer=town.customer, version=_newer(w), **w.who)


def _newer(w: World) -> Version:
    """A second version of Sales Premium, which nobody has yet."""
    return published(w.market.sales_premium, at=hours(2), grants={"quotes": True}, includes=("sales-essentials",))


def _proposed(w: World) -> Migration:
    w.town.gives("ola", "ten-sales-premium", at=hours(2))
    return migrating.propose(target=_newer(w), reason="Quotes", **w.who)


def _proposal(w: World) -> Migration:
    w.town.gives("ola", "ten-sales-premium", at=hours(2))
    return proposed(_newer(w), at=hours(3))


def _start(w: World) -> Migration:
    w.town.gives("ola", "ten-sales-premium", at=hours(2))
    return started(_newer(w), at=hours(3))


def _paused(w: World) -> Migration:
    return migrating.pause(migration=_start(w), actor=Actor(), at=hours(4))


def _blocked(w: World) -> Any:
    """Its package would not fit: more seats are held than will be sold."""
    migration = _start(w)
    runs(migration, hours(4))
    migration.rows.update(state="failed", was=None, moved_at=None, try_at=None)
    return migrating.try_again(migration=migration, **w.who)


def _gone_back(w: World) -> Any:
    town, newer = w.town, _newer(w)
    migration = started(newer, at=hours(3))
    runs(migration, hours(4))
    return moving.roll_back(row=row_of(migration, town), **w.who)


def _all_gone_back(w: World) -> Any:
    migration = _start(w)
    runs(migration, hours(4))
    return moving.roll_back_all(migration=migration, **w.who)


def _imported(w: World) -> Any:
    file = Partner().file()
    return w.at_town(importing.import_package, data=file)


def _removed(w: World) -> Any:
    town = w.town
    Partner().issues_to(town, at=hours(2))
    return removing.remove_license(customer=town.customer, owner="ACME", reason="Gone", **w.who)


def _mapped(w: World) -> Any:
    plan = OwnerPlan(owner=Partner().owner, module_name="pad-plan")
    return owner_keys.save_plan(plan=plan, solutions=Solution.objects.filter(code="sales"), **w.who)


def _edited(w: World) -> Package:
    """A package that somebody has edited behind our back."""
    w.town  # noqa: B018 - it is there for its package
    edit("UPDATE licensing_package SET company_name = 'Another AS'")
    found: Package = Package.objects.select_related(*SEALED).get()
    return found


def _second_step(w: World) -> Any:
    step = Authenticator.objects.create(user=AccountFactory(name="Lost"), type="totp", data={})
    return accounts.remove_second_step(second_step=step, **w.who)


def _client() -> Any:
    return keys.create_client(actor=Actor(), name="CRM", scopes=["catalog:read"], customer=None, at=hours(1))


def _membership(w: World) -> Membership:
    return members.add_member(
        customer=w.town.customer, account=AccountFactory(name="Kari"), role="viewer", actor=Actor(), at=hours(2)
    )


def _invitation(w: World) -> Invitation:
    return invitations.invite(
        customer=w.town.customer, email="kari@tindra.example", role="viewer", link=str, actor=Actor(), at=hours(2)
    )


def _renamed(w: World) -> Any:
    feature = Feature.objects.get(code="quotes")
    feature.name = "Offers"
    return editing.save_row(row=feature, **w.who)


def _key(w: World) -> Any:
    key, _ = keys.issue_key(actor=Actor(), client=_client(), at=hours(1))
    return keys.revoke_key(key=key, **w.who)


def _cells(w: World) -> Any:
    edit = cells.CellEdit("quotes", seen=None, value=True)
    return cells.save_cells(columns=[cells.ColumnEdit("chat", w.draft.pk, True, [edit])], **w.who)


def _erased(w: World) -> Any:
    return erasing.erase_user(customer=(t := w.town).customer, user=t.users["ola"], confirm="ola", **w.who)


def _request(w: World, act: Callable[..., Any] | None = None, **how: Any) -> Any:
    """Asks for seats (or, with an `act`, asked before does that with the request)."""
    town = w.town
    who: dict[str, Any] = {"actor": Actor(), "at": hours(7)} if act else w.who
    asked = requests.ask_for_seats(customer=town.customer, module="ten-sales-premium", quantity=2, **who)
    return act(customer=town.customer, request=asked, **w.who, **how) if act else asked


# Service → what is done with it, and the event that tells: action, object (nothing: whatever its number), what it says.
def _webhook(w: World) -> WebhookEndpoint:
    return webhooks.create_webhook(customer=w.town.customer, url="https://example.com/", allowed=Limits(), **w.who)[0]


def _replayed(w: World, endpoint: WebhookEndpoint) -> None:
    if endpoint.customer is not None:
        replaying.replay(endpoint=endpoint, customer=endpoint.customer, after=0, **w.who)


def _retired(w: World) -> None:
    endpoint = _webhook(w)
    webhooks.issue_secret(endpoint=endpoint, **w.who)
    webhooks.retire_secret(endpoint=endpoint, **w.who)


ACTS: Final[dict[str, tuple[Callable[[World], Any], str, str, str]]] = {
    "catalog.services.drafting.draft_from": (
        lambda w: drafting.draft_from(offer=w.offer, **w.who),
        *("draft.begun", "chat", "base"),
    ),
    "catalog.services.drafting.discard_draft": (
        lambda w: drafting.discard_draft(version=w.draft, reason="No", **w.who),
        *("draft.discarded", "chat", "base"),
    ),
    "catalog.services.drafting.submit": (
        lambda w: drafting.submit(version=w.draft, comment="Please", **w.who),
        *("draft.submitted", "chat", "state"),
    ),
    "catalog.services.drafting.send_back": (
        lambda w: drafting.send_back(version=w.submitted, comment="No", **w.who),
        *("draft.sent_back", "chat", "state"),
    ),
    "catalog.services.drafting.update_draft": (
        lambda w: drafting.update_draft(version=w.draft, max_quantity=7, **w.who),
        *("draft.edited", "chat", "max_quantity"),
    ),
    "catalog.services.drafting.set_grants": (
        lambda w: drafting.set_grants(version=w.draft, grants={"quotes": True}, **w.who),
        *("draft.edited", "chat", "grants.quotes"),
    ),
    "catalog.services.drafting.set_includes": (
        lambda w: drafting.set_includes(version=w.draft, codes=["common"], **w.who),
        *("draft.edited", "chat", "includes.common"),
    ),
    "catalog.services.drafting.set_extra_modules": (
        lambda w: drafting.set_extra_modules(version=w.draft, names=["web"], **w.who),
        *("draft.edited", "chat", "extra_modules.superoffice.web"),
    ),
    "catalog.services.drafting.set_rules": (
        lambda w: drafting.set_rules(version=w.draft, needs=["sales-premium"], excludes=[], **w.who),
        *("draft.edited", "chat", "rules.sales-premium"),
    ),
    "catalog.services.commenting.comment": (
        lambda w: commenting.comment(version=w.draft, text="Why?", **w.who),
        *("draft.commented", "chat", ""),
    ),
    "catalog.services.publishing.approve": (
        lambda w: publishing.approve(version=w.submitted, comment="Yes", four_eyes=False, **w.who),
        *("draft.approved", "chat", "digest"),
    ),
    "catalog.services.publishing.publish": (
        lambda w: publishing.publish(version=w.draft, four_eyes=False, **w.who),
        *("version.published", "chat", "version"),
    ),
    "catalog.services.publishing.retire": (
        lambda w: publishing.retire(version=w.offer.versions.get(), reason="Old", **w.who),
        *("version.retired", "chat", "state"),
    ),
    "catalog.services.rebasing.rebase": (
        lambda w: rebasing.rebase(version=w.behind, choices={}, **w.who),
        *("draft.rebased", "chat", "base"),
    ),
    "catalog.services.rebasing.keep_as_drafted": (
        lambda w: rebasing.keep_as_drafted(version=w.behind, **w.who),
        *("draft.rebased", "chat", "base"),
    ),
    "catalog.services.rebasing.begin_again": (
        lambda w: rebasing.begin_again(version=w.draft, **w.who),
        *("draft.begun", "chat", "base"),
    ),
    "catalog.services.cells.save_cells": (_cells, *("draft.edited", "chat", "grants.quotes")),
    "catalog.services.editing.save_row": (_renamed, *("feature.changed", "quotes", "name")),
    "catalog.services.editing.delete_row": (
        lambda w: editing.delete_row(row=Solution.objects.create(code="juggling", name="Juggling"), **w.who),
        *("solution.deleted", "juggling", "name"),
    ),
    "catalog.services.editing.set_solutions": (
        lambda w: editing.set_solutions(
            offer=Offer.objects.get(code="chat"), solutions=Solution.objects.all(), **w.who
        ),
        *("addon.changed", "chat", "solutions"),
    ),
    "catalog.services.applying.apply_document": (
        lambda w: applying.apply_document(w.document, publish=False, **w.who),
        *("solution.created", "juggling", "name"),
    ),
    "catalog.services.planning.apply_planned": (
        lambda w: planning.apply_planned(
            w.document, expected=planning.plan_document(w.document, at=hours(8)).digest, **w.who
        ),
        *("solution.created", "juggling", "name"),
    ),
    "customers.services.accounts.create_account": (
        lambda w: accounts.create_account(email="new@planarium.example", **w.who),
        *("account.created", "new@planarium.example", ""),
    ),
    "customers.services.accounts.edit_account": (
        lambda w: accounts.edit_account(
            account=AccountFactory(name="Old"), email="old@planarium.example", name="New", is_active=True, **w.who
        ),
        *("account.edited", "old@planarium.example", "name"),
    ),
    "customers.services.accounts.set_staff_roles": (
        lambda w: accounts.set_staff_roles(account=AccountFactory(name="Old"), roles=["auditor"], **w.who),
        *("account.roles_set", "old@planarium.example", "roles"),
    ),
    "customers.services.accounts.set_password": (
        lambda w: accounts.set_password(account=AccountFactory(name="Old"), password="a lighthouse", **w.who),
        *("account.password_set", "old@planarium.example", ""),
    ),
    "customers.services.accounts.remove_second_step": (
        _second_step,
        *("account.second_step_removed", "lost@planarium.example", "second_step"),
    ),
    "customers.services.customers.edit_customer": (
        lambda w: w.at_town(customer_rows.edit_customer, name="Tindra ASA", serial_number=""),
        *("customer.edited", "tindra", "name"),
    ),
    "customers.services.webhooks.create_webhook": (
        _webhook,
        *("webhook.created", "", "url"),
    ),
    "customers.services.webhooks.edit_webhook": (
        lambda w: webhooks.edit_webhook(endpoint=_webhook(w), allowed=Limits(), description="CRM", **w.who),
        *("webhook.changed", "", "description"),
    ),
    "customers.services.webhooks.switch_webhook": (
        lambda w: webhooks.switch_webhook(endpoint=_webhook(w), is_active=False, **w.who),
        *("webhook.switched", "", "is_active"),
    ),
    "customers.services.webhooks.delete_webhook": (
        lambda w: webhooks.delete_webhook(endpoint=_webhook(w), **w.who),
        *("webhook.deleted", "", "url"),
    ),
    "customers.services.webhooks.issue_secret": (
        lambda w: webhooks.issue_secret(endpoint=_webhook(w), **w.who),
        *("webhook.secret_issued", "", ""),
    ),
    "customers.services.webhooks.retire_secret": (
        _retired,
        *("webhook.secret_retired", "", ""),
    ),
    "customers.services.webhooks.send_test": (
        lambda w: webhooks.send_test(endpoint=_webhook(w), **w.who),
        *("webhook.tested", "", ""),
    ),
    "licensing.services.replaying.replay": (
        lambda w: _replayed(w, _webhook(w)),
        *("webhook.replayed", "", "after"),
    ),
    "customers.services.webhooks.send_again": (
        lambda w: webhooks.send_again(delivery=webhooks.send_test(endpoint=_webhook(w), **w.who), **w.who),
        *("webhook.sent_again", "", "event"),
    ),
    "customers.services.keys.create_client": (
        lambda w: keys.create_client(name="CRM", scopes=["catalog:read"], customer=None, **w.who),
        *("client.created", "CRM", "scopes"),
    ),
    "customers.services.keys.edit_client": (
        lambda w: keys.edit_client(client=_client(), name="CRM 2", scopes=["catalog:read"], is_active=True, **w.who),
        *("client.edited", "CRM 2", "name"),
    ),
    "customers.services.keys.issue_key": (
        lambda w: keys.issue_key(client=_client(), **w.who),
        *("key.issued", "CRM", "prefix"),
    ),
    "customers.services.keys.revoke_key": (_key, *("key.revoked", "CRM", "prefix")),
    "customers.services.members.add_member": (
        lambda w: w.at_town(members.add_member, account=AccountFactory(name="Kari"), role="admin"),
        *("member.added", "kari@planarium.example", "role"),
    ),
    "customers.services.members.change_member": (
        lambda w: members.change_member(membership=_membership(w), role="admin", **w.who),
        *("member.changed", "kari@planarium.example", "role"),
    ),
    "customers.services.members.remove_member": (
        lambda w: members.remove_member(membership=_membership(w), **w.who),
        *("member.removed", "kari@planarium.example", "role"),
    ),
    "customers.services.customers.require_second_step": (
        lambda w: w.at_town(customer_rows.require_second_step, is_required=True),
        *("customer.second_step_required", "tindra", "requires_second_step"),
    ),
    "customers.services.invitations.invite": (
        lambda w: w.at_town(invitations.invite, email="kari@tindra.example", role="admin", link=str),
        *("invitation.sent", "kari@tindra.example", "role"),
    ),
    "customers.services.invitations.resend_invitation": (
        lambda w: invitations.resend_invitation(invitation=_invitation(w), link=str, **w.who),
        *("invitation.sent_again", "kari@tindra.example", "expires_at"),
    ),
    "customers.services.invitations.withdraw_invitation": (
        lambda w: invitations.withdraw_invitation(invitation=_invitation(w), **w.who),
        *("invitation.withdrawn", "kari@tindra.example", "role"),
    ),
    "licensing.services.onboarding.create_customer": (
        lambda w: onboarding.create_customer(code="havbris", name="Havbris AS", **w.who),
        *("customer.created", "havbris", "name"),
    ),
    "licensing.services.people.create_user": (
        lambda w: w.at_town(people.create_user, code="kim", name="Kim"),
        *("user.created", "tindra/kim", "name"),
    ),
    "licensing.services.people.create_users": (
        lambda w: w.at_town(
            people.create_users, users=[{"code": "kim", "name": "Kim"}, {"code": "ada", "name": "Ada"}]
        ),
        *("user.created", "tindra/ada", "name"),
    ),
    "licensing.services.people.edit_user": (
        lambda w: people.edit_user(customer=(t := w.town).customer, user=t.users["ola"], name="Ola II", **w.who),
        *("user.edited", "tindra/ola", "name"),
    ),
    "licensing.services.erasing.erase_user": (_erased, *("user.erased", "", "events")),
    "licensing.services.requests.ask_for_seats": (_request, *("seats.requested", "", "quantity")),
    "licensing.services.requests.withdraw_request": (
        lambda w: _request(w, requests.withdraw_request),
        *("seats.request_withdrawn", "", "state"),
    ),
    "licensing.services.requests.decline_request": (
        lambda w: _request(w, requests.decline_request, reason="Not this year"),
        *("seats.request_declined", "", "state"),
    ),
    "licensing.services.requests.grant_request": (
        lambda w: _request(w, requests.grant_request),
        *("seats.request_granted", "", "state"),
    ),
    "licensing.services.bulk.apply_preview": (
        _applied,
        *("seats.changed", "tindra/ola", "seats"),
    ),
    "licensing.services.bulk_applying.apply_now": (
        lambda w: bulk_applying.apply_now(_previewed(w), w.by, at=hours(8)),
        *("seats.changed", "tindra/ola", "seats"),
    ),
    "licensing.services.bulk_applying.apply_in_batches": (
        lambda w: bulk_applying.apply_in_batches(_previewed(w), w.by, at=hours(8)),
        *("seats.changed", "tindra/ola", "seats"),
    ),
    "licensing.services.seats.change_seats": (
        lambda w: w.at_town(seats.change_seats, wishes=[seats.UserWish("ola", ("ten-sales-premium",))], reason="New"),
        *("seats.changed", "tindra/ola", "seats"),
    ),
    "licensing.services.overrides.grant_override": (
        lambda w: w.at_town(overrides.grant_override, feature="quotes", mode=Mode.DENY, reason="Audit"),
        *("override.granted", "quotes deny", "value"),
    ),
    "licensing.services.overrides.end_override": (_override, *("override.ended", "quotes deny", "value")),
    "licensing.services.activation.release_superfluous": (
        _superfluous,
        *("seats.changed", "tindra/ida", "seats"),
    ),
    "licensing.services.activation.activate_package": (_package, *("package.activated", "SUPEROFFICE #2", "state")),
    "licensing.services.importing.import_package": (_imported, *("package.imported", "ACME #1", "key")),
    "licensing.services.removing.remove_license": (_removed, *("license.removed", "ACME", "packages")),
    "licensing.services.keys.register_key": (
        lambda w: owner_keys.register_key(
            owner=Owner.objects.get(), public_key=KEY.public.text, valid_from=hours(8), **w.who
        ),
        *("key.registered", KEY.public.key_id, "owner"),
    ),
    "licensing.services.keys.retire_key": (
        lambda w: owner_keys.retire_key(key=Partner().key, **w.who),
        *("key.retired", KEY.public.key_id, "owner"),
    ),
    "licensing.services.keys.save_plan": (_mapped, *("owner_plan.created", "acme.pad-plan", "solutions")),
    "licensing.services.sealing.is_sound": (
        lambda w: sealing.is_sound(_edited(w), **w.who),
        *("package.damaged", "SUPEROFFICE #1", "damage"),
    ),
    "licensing.services.sealing.verify_all": (
        lambda w: (_edited(w), list(sealing.verify_all(**w.who))),
        *("package.damaged", "SUPEROFFICE #1", "damage"),
    ),
    "licensing.services.sealing.record_damage": (
        lambda w: sealing.record_damage(_edited(w), [Break("It was edited.")], **w.who),
        *("package.damaged", "SUPEROFFICE #1", "damage"),
    ),
    "licensing.services.subscriptions.subscribe": (
        lambda w: subscriptions.subscribe(
            customer=Town("havbris", ()).customer, billing_months=1, items={"sales-premium": 1}, **w.who
        ),
        *("subscription.started", "havbris", "sales-premium"),
    ),
    "licensing.services.subscriptions.change_items": (
        lambda w: w.at_town(subscriptions.change_items, items={"sales-premium": 5}),
        *("subscription.changed", "tindra", "sales-premium"),
    ),
    "licensing.services.subscriptions.cancel_scheduled": (
        _taken_back,
        *("subscription.changed", "tindra", "sales-premium"),
    ),
    "licensing.services.subscriptions.cancel_subscription": (
        lambda w: w.at_town(subscriptions.cancel_subscription, reason="Merges with another"),
        *("subscription.cancelled", "tindra", "ends_at"),
    ),
    "licensing.services.subscriptions.resume_subscription": (
        _resumed,
        *("subscription.resumed", "tindra", "ends_at"),
    ),
    "licensing.services.subscriptions.move_to_version": (
        _moved,
        *("version.moved", "tindra", "sales-premium"),
    ),
    "licensing.services.migrating.propose": (
        _proposed,
        *("migration.proposed", "", ""),
    ),
    "licensing.services.migrating.start": (
        lambda w: migrating.start(migration=_proposal(w), **w.who),
        *("migration.started", "", "customers"),
    ),
    "licensing.services.migrating.pause": (
        lambda w: migrating.pause(migration=_start(w), **w.who),
        *("migration.paused", "", ""),
    ),
    "licensing.services.migrating.resume": (
        lambda w: migrating.resume(migration=_paused(w), **w.who),
        *("migration.resumed", "", ""),
    ),
    "licensing.services.migrating.try_again": (_blocked, *("migration.tried_again", "", "customers")),
    "licensing.services.migrating.cancel": (
        lambda w: migrating.cancel(migration=_start(w), **w.who),
        *("migration.cancelled", "", "not_moved"),
    ),
    "licensing.services.moving.roll_back": (_gone_back, *("version.rolled_back", "tindra", "sales-premium")),
    "licensing.services.moving.roll_back_all": (_all_gone_back, *("migration.rolled_back", "", "customers")),
}


def services() -> Iterator[str]:
    """Yields every public function of the services that takes an actor."""
    for package in (customers.services, catalog.services, licensing.services):
        for found in pkgutil.iter_modules(package.__path__):
            module = import_module(f"{package.__name__}.{found.name}")
            for name, function in inspect.getmembers(module, inspect.isfunction):
                is_own = function.__module__ == module.__name__ and not name.startswith("_")
                if is_own and "actor" in inspect.signature(function).parameters:
                    yield f"{module.__name__}.{name}"


def test_every_service_has_its_row() -> None:
    assert set(services()) == ACTS.keys() | NO_CHANGE.keys()


@pytest.mark.parametrize("service", ACTS)
def test_what_is_done_is_told(market: Market, pia: Account, service: str) -> None:
    act, action, code, named = ACTS[service]
    act(World(market, pia))
    events = AuditEvent.objects.filter(action=action)
    event = (events.filter(object_code=code) if code else events).latest("pk")
    assert (event.account, event.actor) == (pia, "Pia Product")
    assert event.at == hours(8)
    assert not named or named in event.changes, event.changes


def test_what_is_refused_is_not_told(market: Market, pia: Account) -> None:
    w = World(market, pia)
    begun, before = w.draft, AuditEvent.objects.count()
    for act in (
        lambda: drafting.draft_from(offer=w.offer, **w.who),
        lambda: drafting.send_back(version=begun, **w.who),
        lambda: commenting.comment(version=begun, text="", **w.who),
    ):
        with pytest.raises(Refusal):
            act()
    assert AuditEvent.objects.count() == before


def test_what_people_change_about_their_own_sign_in_is_told(pia: Account) -> None:
    pia.set_password("lighthouse in the fog")
    pia.save()
    client = Client()
    client.post("/account/login/", {"login": pia.email, "password": "lighthouse in the fog"})
    new = {"password1": "a different lighthouse", "password2": "a different lighthouse"}
    client.post("/account/password/change/", {"oldpassword": "lighthouse in the fog", **new})
    event = AuditEvent.objects.get(action="account.password_changed")
    assert (event.object_code, event.account) == (pia.email, pia)
