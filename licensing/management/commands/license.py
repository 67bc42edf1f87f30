"""`manage.py license …`: packages as files. One method and one `_add_…` per subcommand."""

from __future__ import annotations

import sys
from argparse import ArgumentParser, BooleanOptionalAction
from pathlib import Path
from typing import Any, Final

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from customers.actor import SYSTEM
from customers.errors import Refusal
from customers.models import Customer
from licensing.errors import BadPackage
from licensing.keyring import all_keys_of
from licensing.models import Package
from licensing.own_key import write_new_key
from licensing.package_form import PackageForm
from licensing.package_rules import faults_of
from licensing.package_xml import PackageFault, parse_package, write_package
from licensing.recorded import SEALED, document_of
from licensing.services.importing import Imported, import_package, with_key_id
from licensing.services.removing import remove_license
from licensing.services.sealing import seal_earlier, unsealed, verify_all
from licensing.signing import BadKey, PublicKey, examine, load_private_key, load_public_key, sign_package

NOT_GOOD: Final = 1  # what `verify` ends with when something isn't what was signed
UNREADABLE: Final = 2  # … and when there was nothing to verify
WAITS: Final = 3  # what `import` ends with when the package doesn't fit yet
SHOWN_EVERY: Final = 50


class Command(BaseCommand):
    help = "Licence packages as signed XML."
    requires_system_checks: Any = []  # verifying needs no database, and making a key no key

    def add_arguments(self, parser: ArgumentParser) -> None:
        subcommands = parser.add_subparsers(dest="subcommand", required=True, metavar="COMMAND")
        self._add_export(subcommands)
        self._add_import(subcommands)
        self._add_verify(subcommands)
        self._add_sign(subcommands)
        self._add_keygen(subcommands)
        self._add_remove(subcommands)

    def handle(self, *args: Any, **options: Any) -> None:
        run = options.pop("run")
        try:
            run(**options)
        except BadPackage as bad:
            self._tell([PackageFault(**_fault(each)) for each in bad.details["warnings"]], "warning")
            self._tell([PackageFault(**_fault(each)) for each in bad.details["faults"]], "fault")
            raise CommandError("Nothing was stored.") from bad
        except Refusal as refusal:
            raise CommandError(f"{refusal.message} {refusal.next_action}") from refusal

    # ── Out and in ──────────────────────────────────────────────────────────
    def _add_export(self, subcommands: Any) -> None:
        parser = subcommands.add_parser("export", help="Write a customer's package as XML to the standard output.")
        parser.add_argument("customer", metavar="CUSTOMER")
        parser.add_argument("--owner", default=settings.OWN_OWNER, help="Whose package; our own if not given.")
        parser.add_argument("--number", type=int, help="Which one; the active one if not given.")
        parser.set_defaults(run=self.export)

    def export(self, *, customer: str, owner: str, number: int | None, **options: Any) -> None:
        packages = Package.objects.filter(customer=_customer(customer), owner__code__iexact=owner)
        packages = packages.filter(number=number) if number else packages.active()
        package = packages.select_related(*SEALED).first()
        if package is None:
            raise CommandError(f"{customer} has no {f'package {number}' if number else 'active package'} of {owner}.")
        self.stdout.write(document_of(package).decode(), ending="")

    def _add_import(self, subcommands: Any) -> None:
        parser = subcommands.add_parser(
            "import", help="Take a package in. Ends with 3 if it waits for seats to be given back."
        )
        parser.add_argument("file", type=Path, metavar="FILE")
        parser.add_argument("--customer", required=True, help="The customer's code.")
        parser.add_argument("--activate", action=BooleanOptionalAction, default=True, help="If it fits.")
        parser.add_argument("--dry-run", action="store_true", help="Tell what would come of it, and write nothing.")
        parser.set_defaults(run=self.import_)

    def import_(self, *, file: Path, customer: str, activate: bool, dry_run: bool, **options: Any) -> None:
        imported = import_package(
            customer=_customer(customer), actor=SYSTEM, data=_bytes(file), activate=activate, dry_run=dry_run
        )
        self._tell(imported.warnings, "warning")
        self._tell_import(imported, dry_run)
        if imported.superfluous:
            sys.exit(WAITS)

    def _tell_import(self, imported: Imported, dry_run: bool) -> None:
        for change in imported.changes:
            was, now = ("unlimited" if total is None else total for total in (change.was, change.now))
            self.stdout.write(f"{change.module}: {was} → {now}, {change.in_use} in use")
        for row in imported.superfluous:
            self.stderr.write(f"{row.module}: give back {row.remove} of {row.in_use} seats ({', '.join(row.holders)})")
        package = imported.package
        if imported.is_known:
            self.stdout.write(f"{package} says all that already: nothing changed.")
        else:
            self.stdout.write(f"{package} {'would be' if dry_run else 'is'} {package.state}.")

    # ── Signatures ──────────────────────────────────────────────────────────
    def _add_verify(self, subcommands: Any) -> None:
        parser = subcommands.add_parser(
            "verify",
            help="Say whether a package is what was signed. Ends with 1 if it isn't, with 2 if it can't be read.",
        )
        parser.add_argument("file", nargs="?", type=Path, metavar="FILE")
        parser.add_argument(
            "--public-key",
            action="append",
            default=[],
            metavar="KEY",
            help="Base64 or PEM, or a file with it; may be repeated. Then no database is needed. Without it: the "
            "keys of the package's owner.",
        )
        parser.add_argument("--all", action="store_true", help="Verify every package that is recorded here.")
        parser.set_defaults(run=self.verify)

    def verify(self, *, file: Path | None, public_key: list[str], **options: Any) -> None:
        if options["all"] == (file is not None):
            raise CommandError("Name a file, or say --all.", returncode=UNREADABLE)
        if file is None:
            self._verify_all()
            return
        read = parse_package(_bytes(file, UNREADABLE))
        self._tell(read.warnings, "warning")
        if read.form is None:
            self._tell(read.faults, "fault")
            raise CommandError("This is no package that can be read.", returncode=UNREADABLE)
        form = with_key_id(read.form)
        self._verify_one(form, _public_keys(public_key) if public_key else all_keys_of(form.owner_name))

    def _verify_one(self, form: PackageForm, keys: dict[str, PublicKey]) -> None:
        faults = faults_of(form)
        examined = examine(form, keys)
        for each in examined.breaks:
            self.stderr.write(f"line {each.line}: {each.message}")
        self._tell(faults, "fault")
        if not examined.is_intact or faults:
            raise CommandError("Not good.", returncode=NOT_GOOD)
        self.stdout.write(f"Good: {len(form.rows)} rows of {form.owner_name}, signed with {form.key_id}.")

    def _verify_all(self) -> None:
        count = Package.objects.count()
        damaged = 0
        progress = self._progress(count, "verified")
        for damage in verify_all(actor=SYSTEM, at=timezone.now(), progress=progress):
            damaged += 1
            for each in damage.breaks:
                self.stderr.write(f"{damage.package.customer.code}, {damage.package}: {each.message}")
        if damaged:
            raise CommandError(f"{damaged} of {count} packages are not what was signed.", returncode=NOT_GOOD)
        self.stdout.write(f"Good: all {count} packages.")

    def _add_sign(self, subcommands: Any) -> None:
        parser = subcommands.add_parser(
            "sign", help="Sign what was issued before packages were signed; or, with FILE, a package of yours."
        )
        parser.add_argument("file", nargs="?", type=Path, metavar="FILE", help="Printed signed; needs no database.")
        parser.add_argument("--private-key", type=Path, metavar="FILE", help="The key to sign FILE with.")
        parser.set_defaults(run=self.sign)

    def sign(self, *, file: Path | None, private_key: Path | None, **options: Any) -> None:
        if (file is None) != (private_key is None):
            raise CommandError("A file and --private-key go together; without both, what is recorded is signed.")
        if file is not None and private_key is not None:
            self._sign_file(file, private_key)
            return
        count = unsealed().count()
        done = seal_earlier(at=timezone.now(), progress=self._progress(count, "signed"))
        self.stdout.write(f"Signed {done} package{'s' * (done != 1)}." if done else "Everything is signed already.")

    def _sign_file(self, file: Path, private_key: Path) -> None:
        read = parse_package(_bytes(file))
        faults = [*read.faults, *(faults_of(read.form) if read.form is not None else ())]
        self._tell(read.warnings, "warning")
        if read.form is None or faults:
            self._tell(faults, "fault")
            raise CommandError("Nothing was signed.")
        try:
            key = load_private_key(_bytes(private_key).decode(errors="replace"))
        except BadKey as fault:
            raise CommandError(str(fault)) from fault
        self.stdout.write(write_package(sign_package(read.form, key)).decode(), ending="")

    def _add_keygen(self, subcommands: Any) -> None:
        parser = subcommands.add_parser("keygen", help="Make a private key in FILE, and print its public half.")
        parser.add_argument("file", type=Path, metavar="FILE")
        parser.set_defaults(run=self.keygen)

    def keygen(self, *, file: Path, **options: Any) -> None:
        try:
            key = write_new_key(file)
        except OSError as fault:
            raise CommandError(f"{file}: {fault.strerror}.") from fault
        self.stdout.write(f"{key.public.text}\nkey {key.key_id}; the private half is in {file}.")

    # ── Removal ─────────────────────────────────────────────────────────────
    def _add_remove(self, subcommands: Any) -> None:
        parser = subcommands.add_parser("remove", help="Take a partner's licence away from a customer.")
        parser.add_argument("customer", metavar="CUSTOMER")
        parser.add_argument("owner", metavar="OWNER")
        parser.add_argument("--reason", default="")
        parser.add_argument("--yes", action="store_true", help="Do it. Without, it is told who would lose what.")
        parser.set_defaults(run=self.remove)

    def remove(self, *, customer: str, owner: str, reason: str, yes: bool, **options: Any) -> None:
        removed = remove_license(
            customer=_customer(customer), actor=SYSTEM, owner=owner, reason=reason, dry_run=not yes
        )
        for loss in removed.losses:
            self.stdout.write(f"{loss.user.code}: {', '.join(loss.modules)}")
        self.stdout.write(f"Features: {', '.join(removed.features.values()) or 'none'}")
        listed = ", ".join(str(package) for package in removed.packages)
        self.stdout.write(f"Removed: {listed}." if yes else f"Would be removed: {listed}. Say --yes to do it.")

    # ── What they share ─────────────────────────────────────────────────────
    def _tell(self, faults: Any, kind: str) -> None:
        for fault in faults:
            self.stderr.write(f"{kind}: {fault}")

    def _progress(self, count: int, what: str) -> Any:
        def tell(done: int) -> None:
            if done % SHOWN_EVERY == 0 or done == count:
                self.stderr.write(f"{what} {done} of {count} ({100 * done // max(count, 1)} %)")

        return tell


def _fault(told: dict[str, Any]) -> dict[str, Any]:
    return {"line": told["line"], "element": told["field"], "message": told["message"]}


def _customer(code: str) -> Customer:
    customer: Customer | None = Customer.objects.named(code).first()
    if customer is None:
        raise CommandError(f"There is no customer {code!r}.")
    return customer


def _bytes(file: Path, status: int = 1) -> bytes:
    try:
        return sys.stdin.buffer.read() if str(file) == "-" else file.read_bytes()
    except OSError as fault:
        raise CommandError(f"{file}: {fault.strerror}.", returncode=status) from fault


def _public_keys(given: list[str]) -> dict[str, PublicKey]:
    """Returns the keys by id. Each is a key or names a file with one."""
    found = {}
    for each in given:
        path = Path(each)
        is_file = len(each) < 4096 and "-----BEGIN" not in each and path.is_file()
        try:
            key = load_public_key(path.read_text() if is_file else each)
        except (BadKey, OSError, UnicodeDecodeError) as fault:
            raise CommandError(f"--public-key {each[:60]!r}: {fault}", returncode=UNREADABLE) from fault
        found[key.key_id] = key
    return found
