"""`manage.py catalog …`: the catalog as code. One method and one `_add_…` per subcommand."""

from __future__ import annotations

import sys
from argparse import ArgumentParser
from collections import Counter
from collections.abc import Mapping
from datetime import datetime
from os import environ
from pathlib import Path
from typing import Any, Final

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from catalog.document import BadDocument
from catalog.management.planned import lines_of
from catalog.services.applying import ApplyResult, apply_document
from catalog.services.defining import Change
from catalog.services.documents import read_catalog
from catalog.services.exporting import export_files, export_text
from catalog.services.planning import plan_document
from customers.actor import SYSTEM, Actor
from customers.errors import Refusal
from customers.models import Account

FAULTS: Final = 1  # what every command ends with that could not do what it was asked to
CHANGES: Final = 2  # what `plan` ends with when there is something to do


class Command(BaseCommand):
    help = "The plan catalog as YAML files."
    has_changes = False

    def run_from_argv(self, argv: list[str]) -> None:
        """Ends with 1 for arguments that make no sense, where others end with 2: here that says *changes*."""
        try:
            super().run_from_argv(argv)
        except SystemExit as end:
            if end.code == CHANGES and not self.has_changes:
                sys.exit(FAULTS)
            raise

    def add_arguments(self, parser: ArgumentParser) -> None:
        subcommands = parser.add_subparsers(dest="subcommand", required=True, metavar="COMMAND")
        self._add_export(subcommands)
        self._add_plan(subcommands)
        self._add_apply(subcommands)

    def _add_export(self, subcommands: Any) -> None:
        parser = subcommands.add_parser("export", help="Write the catalog as YAML, in normal form; comments are lost.")
        parser.add_argument(
            "path",
            nargs="?",
            type=Path,
            metavar="PATH",
            help="A file (*.yaml), or a folder to divide it in; else it is printed.",
        )
        parser.add_argument("--drafts", action="store_true", help="As the drafts say, where there are any.")
        parser.set_defaults(run=self.export)

    def _add_plan(self, subcommands: Any) -> None:
        parser = subcommands.add_parser(
            "plan", help="Tell what `apply` would change, and write nothing. Ends with 2 if there is anything."
        )
        parser.add_argument("paths", nargs="+", type=Path, metavar="PATH", help="A file, or a folder of *.yaml files.")
        parser.add_argument("--publish", action="store_true", help="Count what `apply --publish` would publish, too.")
        parser.add_argument("--json", action="store_true", help="For machines.")
        parser.set_defaults(run=self.plan)

    def _add_apply(self, subcommands: Any) -> None:
        parser = subcommands.add_parser("apply", help="Make the catalog say what the files say, all of it or nothing.")
        parser.add_argument("paths", nargs="+", type=Path, metavar="PATH", help="A file, or a folder of *.yaml files.")
        parser.add_argument(
            "--publish", action="store_true", help="Publish the drafts; otherwise they wait for review."
        )
        parser.add_argument(
            "--changelog", default="", help="One line for every version published: what is new, for whom."
        )
        parser.add_argument(
            "--as", dest="email", default="", help="The account that does it; otherwise the system does."
        )
        parser.add_argument(
            "--as-of", type=datetime.fromisoformat, help="Count as done at this instant. For demo data only."
        )
        parser.set_defaults(run=self.apply)

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            options["run"](**options)
        except BadDocument as bad:
            for fault in bad.found:
                self.stderr.write(str(fault))
            raise CommandError(bad.message) from bad
        except Refusal as refusal:
            raise CommandError(f"{refusal.message} {refusal.next_action}".rstrip()) from refusal

    def export(self, *, path: Path | None, drafts: bool, **_: Any) -> None:
        if path is None:
            self.stdout.write(export_text(drafts=drafts), ending="")
            return
        try:
            if path.is_dir() or not (path.exists() or path.suffix):
                self._export_files(path, export_files(drafts=drafts))
            else:
                path.write_text(export_text(drafts=drafts), encoding="utf-8")
        except OSError as error:
            raise CommandError(f"{error.filename} can't be written: {error.strerror}.") from error

    def _export_files(self, folder: Path, files: dict[str, str]) -> None:
        folder.mkdir(exist_ok=True)
        others = sorted(file.name for file in folder.iterdir() if file.suffix in (".yaml", ".yml"))
        stale = [name for name in others if name not in files]
        if stale:
            raise CommandError(f"{folder} has other catalog files: {', '.join(stale)}. Move them away first.")
        for name, text in files.items():
            (folder / name).write_text(text, encoding="utf-8")
            self.stdout.write(f"wrote      {folder / name}")

    def plan(self, *, paths: list[Path], publish: bool, json: bool, **options: Any) -> None:
        plan = plan_document(read_catalog(paths), at=timezone.now())
        is_done = plan.is_published if publish else plan.is_empty
        if json:
            self.stdout.write(plan.as_text(indent=2, is_empty=is_done))
        else:
            for line in lines_of(plan, colour=self._is_coloured(options)):
                self.stdout.write(line)
            if is_done:
                self.stdout.write("The catalog says all that already: nothing to do.")
        if not is_done:
            self.has_changes = True
            sys.exit(CHANGES)

    def _is_coloured(self, options: Mapping[str, Any]) -> bool:
        """Whether to colour: on a terminal, unless --no-color or NO_COLOR say no; anywhere with --force-color."""
        is_wanted = self.stdout.isatty() and not options["no_color"] and not environ.get("NO_COLOR")
        return bool(options["force_color"] or is_wanted)

    def apply(
        self, *, paths: list[Path], publish: bool, changelog: str, email: str, as_of: datetime | None, **_: Any
    ) -> None:
        if as_of and not (settings.DEMO or settings.TESTING):
            raise CommandError("--as-of would forge history; it is for demo data, with DEMO=1.")
        result = apply_document(
            read_catalog(paths), actor=_actor(email), publish=publish, at=as_of or timezone.now(), changelog=changelog
        )
        if result.is_empty:
            self.stdout.write("The catalog says all that already: nothing changed.")
        self._tell_definitions(result)
        self._tell_offers(result)

    def _tell_definitions(self, result: ApplyResult) -> None:
        created = Counter(change.kind for change in result.changes if change.is_new)
        for kind, count in created.items():
            self.stdout.write(f"created    {count} {_in_words(kind, count)}")
        for change in result.changes:
            if not change.is_new:
                self.stdout.write(f"{change.verb:<10} {_in_words(change.kind, 1)} {change.code}: {_told(change)}")

    def _tell_offers(self, result: ApplyResult) -> None:
        for offer in result.offers:
            version = f"{offer.code} v{offer.number}" if offer.number else f"the draft of {offer.code}"
            self.stdout.write(f"{offer.action:<10} {version}, {offer.features} features")


def _actor(email: str) -> Actor:
    if not email:
        return SYSTEM
    account = Account.objects.filter(email__iexact=email, is_active=True).first()
    if account is None:
        raise CommandError(f"There is no active account {email!r}.")
    return Actor(account=account)


def _in_words(kind: str, count: int) -> str:
    words = {"addon": "add-on", "feature_group": "feature group"}.get(kind, kind)
    return words if count == 1 else f"{words}s"


def _told(change: Change) -> str:
    return ", ".join(
        f"{field.replace('_', ' ')} {_short(was)} → {_short(now)}" for field, (was, now) in change.fields.items()
    )


def _short(value: object) -> str:
    text = "none" if value in (None, "") else str(value)
    return text if len(text) <= 40 else f"{text[:39]}…"
