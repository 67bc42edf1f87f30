"""Versions: drafts are edited, handed in and published here; what is published is read here."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from django.conf import settings
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import F, QuerySet
from django.forms import Form
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone

from catalog.admin.base import COMMENT, DRAFT, PUBLISH, CatalogAdmin, Refused, attempt, gone, tell
from catalog.admin.comparing import compare
from catalog.admin.drafts import ExtraModuleInline, GrantInline, IncludeInline, RuleInline
from catalog.admin.reading import consequences, content_context, planned, preview_context
from catalog.admin.rebasing import rebase_context
from catalog.errors import EffectiveInThePast, OtherThanPreviewed, PublishRefused
from catalog.forms import ApproveForm, PublishForm, ReasonForm
from catalog.models import Offer, Version
from catalog.services import commenting, drafting, publishing, rebasing
from customers.admin_base import actor_of, holds

View = Callable[[HttpRequest, Any], HttpResponse]

COMMENT_LENGTH: Final = 2000

_VERBS = ("drafted", "submitted", "approved", "published", "retired")
# The scopes of which one is needed to take a step.
_NEEDED = {
    "draft": DRAFT,
    "submit": DRAFT,
    "discard": DRAFT,
    "rebase": DRAFT,
    "begin_again": DRAFT,
    "send_back": PUBLISH,
    "approve": PUBLISH,
    "publish": PUBLISH,
    "retire": PUBLISH,
    "comment": COMMENT,
}


@admin.register(Version)
class VersionAdmin(CatalogAdmin):
    """Drafts begin at a plan, an add-on or a published version, and end published or discarded."""

    add_scopes = delete_scopes = ()
    list_display = ("label", "offer", "number", "stage", "effective_from", "changelog", "published_by")
    list_filter = ("state", "offer__type", "offer__solutions", "offer__tier")
    list_select_related = ("offer", "published_by")
    search_fields = ("offer__code", "offer__name", "changelog")
    ordering = ("offer__position", "offer__code", F("number").desc(nulls_first=True))
    inlines = (GrantInline, IncludeInline, ExtraModuleInline, RuleInline)
    change_form_template = "admin/catalog/version/change_form.html"
    actions = ("submit_chosen",)

    DRAFT_FACTS = ("offer", "stage", "base", "drafted_by", "edited_by", "submitted_by", "approved_by", "approved_at")
    FROZEN_FACTS = (
        *("offer", "number", "stage", "changelog", "max_quantity", "effective_from", "base"),
        *("drafted_by", "edited_by", "submitted_by", "approved_by", "approved_at", "published_by", "published_at"),
        *("retired_by", "retired_at", "digest"),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Version]:
        rows: QuerySet[Version] = super().get_queryset(request)
        if request.resolver_match is not None and request.resolver_match.url_name == "catalog_version_changelist":
            return rows.defer("content")  # a list shows none of it
        return rows.select_related("offer", "base__offer", *(f"{verb}_by" for verb in _VERBS))

    @admin.display(description="Version", ordering="offer__code")
    def label(self, version: Version) -> str:
        return str(version)

    @admin.display(description="State", ordering="state")
    def stage(self, version: Version) -> str:
        return version.stage(timezone.now())

    @admin.display(description="Edited by")
    def edited_by(self, version: Version) -> str:
        return ", ".join(str(account) for account in version.editors.all()) or "–"

    def traced_as(self, row: Any) -> dict[str, Any]:
        return {"object_type": row.offer.type, "object_code": row.offer.code}

    # ── Who may, and what is shown ──────────────────────────────────────────

    def has_change_permission(self, request: HttpRequest, obj: Version | None = None) -> bool:
        return super().has_change_permission(request, obj) and (obj is None or not obj.is_frozen)

    def get_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        return self.FROZEN_FACTS if obj is None or obj.is_frozen else ("changelog", "max_quantity", *self.DRAFT_FACTS)

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        return self.FROZEN_FACTS if obj is None or obj.is_frozen else self.DRAFT_FACTS

    def get_inlines(self, request: HttpRequest, obj: Any) -> Any:
        return () if obj is None or obj.is_frozen else self.inlines

    def render_change_form(self, request: HttpRequest, context: Any, *args: Any, **kwargs: Any) -> HttpResponse:
        version = kwargs.get("obj")
        if version is not None:
            now = timezone.now()
            if version.is_frozen:
                told = content_context(version, at=now)
            else:
                told = preview_context(version, at=planned(version, now), now=now)
            context.update(told, **self._offered(request, version, told))
        response: HttpResponse = super().render_change_form(request, context, *args, **kwargs)
        return response

    def _steps(self, request: HttpRequest, version: Any) -> dict[str, bool]:
        """Returns which steps whoever is signed in may take with the version as it is."""
        drafts, publishes, state = holds(request, *DRAFT), holds(request, *PUBLISH), version.state
        is_superseded = not version.is_frozen and publishing.superseding(version) is not None
        return {
            "draft": drafts and version.is_frozen,
            "submit": drafts and state == Version.State.DRAFT,
            "rebase": drafts and not version.is_frozen and is_superseded,
            "begin_again": drafts and not version.is_frozen and is_superseded,
            "send_back": publishes and state == Version.State.IN_REVIEW,
            "approve": publishes and state == Version.State.IN_REVIEW,
            "publish": publishes and not version.is_frozen,
            "discard": drafts and not version.is_frozen,
            "retire": publishes and state == Version.State.PUBLISHED,
            "comment": holds(request, *COMMENT) and not version.is_frozen,
        }

    def _offered(self, request: HttpRequest, version: Any, told: dict[str, Any]) -> dict[str, Any]:
        """Returns which steps to offer, without those that would be refused, and which of them is the one to take."""
        may = self._steps(request, version)
        is_approved = version.is_approved and not told.get("is_outdated")
        waits = may["publish"] and publishing.waits_for_others(version, request.user, told["content"])
        if waits or told.get("newer"):
            may |= {"approve": False, "publish": False}
        if told.get("newer"):
            may["submit"] = False
        if settings.FOUR_EYES and not is_approved:
            may["publish"] = False
        may["approve"] = may["approve"] and not is_approved
        # What it would do to customers, and moving them, are pages of their own.
        looks = holds(request, "customers:read") and holds(request, *DRAFT)
        may |= {"impact": looks and told["content"] is not None}
        may |= {"move": looks and version.state == Version.State.PUBLISHED}
        main = next((step for step in ("rebase", "approve", "publish", "submit") if may[step]), "")
        return {"may": may, "main": main, "waits_for_others": waits}

    # ── Saving a draft ──────────────────────────────────────────────────────

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        data = form.cleaned_data
        drafting.update_draft(
            version=obj,
            actor=actor_of(request),
            at=timezone.now(),
            changelog=data["changelog"],
            max_quantity=data["max_quantity"],
        )

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        """The lock taken by `save_model` holds until the end of the request, so rows are read and written as one."""
        inlines = {inline.model: inline for inline in self.inlines}
        for formset in formsets:
            inlines[formset.model].write(form.instance, formset, actor_of(request), timezone.now())

    def construct_change_message(self, request: HttpRequest, form: Any, formsets: Any, add: bool = False) -> Any:
        return "Edited; the audit trail tells what."

    @admin.action(description="Submit for review", permissions=["change"])
    def submit_chosen(self, request: HttpRequest, queryset: QuerySet[Version]) -> None:
        for version in queryset.select_related("offer"):
            self._submit(request, version)

    def _submit(self, request: HttpRequest, version: Any, comment: str = "") -> None:
        who: Any = {"actor": actor_of(request), "at": timezone.now(), "comment": comment}
        attempt(request, lambda: drafting.submit(version=version, **who), f"{version.offer.name} is in review.")

    # ── Steps ───────────────────────────────────────────────────────────────

    def get_urls(self) -> list[URLPattern]:
        views: dict[str, View] = {
            "draft": self._draft_view,
            "submit": self._submit_view,
            "publish": self._publish_view,
            "approve": self._approve_view,
            "rebase": self._rebase_view,
            "comment": self._comment_view,
            "begin_again": self._reason_view("begin_again", rebasing.begin_again, "reason", "Begin again"),
            "send_back": self._reason_view("send_back", drafting.send_back, "comment", "Send back", is_wanted=True),
            "discard": self._reason_view("discard", drafting.discard_draft, "reason", "Discard"),
            "retire": self._reason_view("retire", publishing.retire, "reason", "Retire"),
        }
        steps = [
            path(
                f"<path:object_id>/{step.replace('_', '-')}/",
                self.admin_site.admin_view(self._step(step, view)),
                name=f"catalog_version_{step}",
            )
            for step, view in views.items()
        ]
        compared = self.admin_site.admin_view(self._compare_view)
        return [path("compare/<str:code>/", compared, name="catalog_version_compare"), *steps, *super().get_urls()]

    def _step(self, step: str, view: View) -> Callable[[HttpRequest, str], HttpResponse]:
        """Returns the page of a step: for whoever may take it with a version that exists."""

        def page(request: HttpRequest, object_id: str) -> HttpResponse:
            version: Any = self.get_object(request, object_id)
            if version is None:
                return gone(request, self, object_id)
            if not holds(request, *_NEEDED[step]):
                raise PermissionDenied
            if not self._steps(request, version)[step]:
                stage = version.stage(timezone.now())
                messages.error(request, f"{version} is {stage}: this is not its next step.")
                return self._to(version)
            return view(request, version)

        return page

    def _to(self, version: Any) -> HttpResponseRedirect:
        return HttpResponseRedirect(reverse("admin:catalog_version_change", args=[version.pk]))

    def _page(self, request: HttpRequest, version: Any, template: str, **context: Any) -> HttpResponse:
        shared = {**self.admin_site.each_context(request), "opts": self.opts, "original": version}
        return TemplateResponse(request, f"admin/catalog/version/{template}.html", {**shared, **context})

    def _draft_view(self, request: HttpRequest, version: Any) -> HttpResponse:
        who: Any = {"actor": actor_of(request), "at": timezone.now()}
        draft = None
        if request.method == "POST":
            act = lambda: drafting.draft_from(offer=version.offer, base=version, **who)  # noqa: E731 - named for the line
            draft = attempt(request, act, f"A draft of {version.offer.name} has begun.")
        return self._to(draft or version)

    def _submit_view(self, request: HttpRequest, version: Any) -> HttpResponse:
        if request.method == "POST":
            self._submit(request, version, request.POST.get("comment", "").strip()[:COMMENT_LENGTH])
        return self._to(version)

    def _comment_view(self, request: HttpRequest, version: Any) -> HttpResponse:
        if request.method == "POST":
            said: Any = {"text": request.POST.get("text", ""), "actor": actor_of(request), "at": timezone.now()}
            attempt(request, lambda: commenting.comment(version=version, **said), "Your comment is there.")
        return HttpResponseRedirect(f"{self._to(version).url}#comments")

    def _approve_view(self, request: HttpRequest, version: Any) -> HttpResponse:
        """Shows what would be approved, as of a moment, and asks to confirm it."""
        now = timezone.now()
        moment = planned(version, now)
        form = ApproveForm(request.POST or None, initial={"effective_from": moment if moment > now else None})
        if request.method == "POST" and form.is_valid():
            moment = form.cleaned_data["effective_from"] or now
            try:
                approved = publishing.approve(
                    version=version,
                    actor=actor_of(request),
                    at=now,
                    effective_from=form.cleaned_data["effective_from"],
                    expected_digest=request.POST.get("digest") or "nothing was shown",
                    comment=form.cleaned_data["comment"],
                )
            except PublishRefused:
                pass  # the page below lists the faults
            except Refused as refusal:
                tell(request, refusal)
                if not isinstance(refusal, OtherThanPreviewed | EffectiveInThePast):
                    return self._to(version)
            else:
                messages.success(request, f"{approved.offer.name} is approved.")
                return self._to(approved)
        told = preview_context(version, at=max(now, moment), now=now)
        told |= self._offered(request, version, told)
        return self._page(request, version, "approve", title=f"Approve {version.offer.name}", form=form, **told)

    def _rebase_view(self, request: HttpRequest, version: Any) -> HttpResponse:
        """Shows what would be taken over and asks, per conflict, which side stays."""
        who: Any = {"actor": actor_of(request), "at": timezone.now()}
        if request.method == "POST":
            choices: Any = {
                name.removeprefix("choice:"): side for name, side in request.POST.items() if name.startswith("choice:")
            }
            act: Callable[[], Any] = lambda: rebasing.rebase(version=version, choices=choices, **who)  # noqa: E731
            if "keep" in request.POST:
                act = lambda: rebasing.keep_as_drafted(version=version, **who)  # noqa: E731
            if attempt(request, act, f"The draft of {version.offer.name} stands on the newest version."):
                return self._to(version)
        told = rebase_context(version, request.POST)
        return self._page(request, version, "rebase", title=f"Rebase {version}", **told)

    def _compare_view(self, request: HttpRequest, code: str) -> HttpResponse:
        if not self.has_view_permission(request):
            raise PermissionDenied
        offer = get_object_or_404(Offer, code=code)
        context = {**self.admin_site.each_context(request), "opts": self.opts}
        return compare(request, offer, context)

    def _publish_view(self, request: HttpRequest, version: Any) -> HttpResponse:
        """Lists every fault; without any, shows what changes and asks to confirm."""
        now = timezone.now()
        moment = planned(version, now)
        form = PublishForm(request.POST or None, initial={"effective_from": moment if moment > now else None})
        if request.method == "POST" and form.is_valid():
            moment = form.cleaned_data["effective_from"] or now
            try:
                published = publishing.publish(
                    version=version,
                    actor=actor_of(request),
                    at=now,
                    effective_from=moment,
                    expected_digest=request.POST.get("digest") or "nothing was shown",
                )
            except PublishRefused:
                pass  # the page below lists the faults
            except Refused as refusal:
                tell(request, refusal)
                if not isinstance(refusal, OtherThanPreviewed | EffectiveInThePast):
                    return self._to(version)
            else:
                scheduled = f"scheduled for {published.effective_from:%Y-%m-%d %H:%M} UTC"
                stage = scheduled if published.is_scheduled(now) else "published"
                messages.success(request, f"{published} is {stage}.")
                return self._to(published)
        told = preview_context(version, at=max(now, moment), now=now)
        told |= self._offered(request, version, told)
        told["overtaken_by"] = publishing.overtaking(version, effective_from=max(now, moment))
        return self._page(request, version, "publish", title=f"Publish {version.offer.name}", form=form, **told)

    def _reason_view(
        self, step: str, act: Callable[..., Any], field: str, verb: str, *, is_wanted: bool = False
    ) -> View:
        """Returns a page that says what would come of it and asks why (`is_wanted`: a must), and then does it."""

        def view(request: HttpRequest, version: Any) -> HttpResponse:
            now = timezone.now()
            form: Form = ReasonForm(request.POST or None)
            form.fields["reason"].required = is_wanted
            named = "Call off" if step == "retire" and version.is_scheduled(now) else verb
            if request.method == "POST" and form.is_valid():
                who: Any = {"actor": actor_of(request), "at": now, field: form.cleaned_data["reason"]}
                done = attempt(request, lambda: act(version=version, **who), f"{named}: done.")
                if step == "discard":
                    return HttpResponseRedirect(reverse("admin:catalog_version_changelist"))
                return self._to(done if step == "begin_again" and done else version)
            told = consequences(version, now) if step == "retire" else {}
            title = f"{named} {version}"
            return self._page(request, version, "confirm", title=title, form=form, step=step, verb=named, **told)

        return view
