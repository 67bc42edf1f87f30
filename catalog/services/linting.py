"""What is odd about a version beside all that is for sale: read, then handed to the pure `lint`. Rules E-6 to E-12."""

from __future__ import annotations

from datetime import datetime

from catalog.content import DraftFacts, Finding, VersionContent, lint, outline
from catalog.models import Version
from catalog.services.mapping import draft_facts, frozen_content
from catalog.shelving import read_shelf


def lint_version(*, version: Version, at: datetime) -> list[Finding]:
    """Returns the findings about a draft, as if published with effect from `at`, or about what a version froze."""
    content = frozen_content(version)
    return lint_content(content, at=at) if content is not None else lint_draft(draft_facts(version, at=at), at=at)


def lint_draft(draft: DraftFacts, *, at: datetime) -> list[Finding]:
    """Returns the findings about a draft that has been read already, other faults it may have notwithstanding."""
    return lint_content(outline(draft), at=at)


def lint_content(content: VersionContent, *, at: datetime) -> list[Finding]:
    """Returns the findings about a content beside what is sold at `at`. Five queries at most."""
    is_add_on = content.offer.type == "addon"
    return lint(content, read_shelf(at, values_of=content.features if is_add_on else ()))
