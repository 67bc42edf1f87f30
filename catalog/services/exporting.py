"""The catalog's rows as a CatalogDocument: what `apply` reads, the other way round. A constant number of queries."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from django.conf import settings

from catalog.document import (
    CatalogDocument,
    ChoiceEntry,
    FeatureEntry,
    GroupEntry,
    ModuleEntry,
    OfferEntry,
    OwnerEntry,
    Place,
    SolutionEntry,
    TierEntry,
    divide,
    normalise,
    write,
)
from catalog.kinds import UNLIMITED, Value
from catalog.models import (
    Feature,
    FeatureGroup,
    Grant,
    LevelChoice,
    Module,
    Offer,
    Owner,
    SiteMarker,
    Solution,
    Tier,
    Version,
    VersionInclude,
    VersionModule,
    VersionRule,
)
from catalog.targets import tier_of

_NOWHERE: Final = Place("", 1, 1, "")
Names = Mapping[int | None, str]  # primary key of a module → owner.module
Renames = Mapping[str, str]  # former code → code


@dataclass(frozen=True, slots=True)
class Statement:
    """What a version says by itself, before anything is included."""

    includes: frozenset[str] = frozenset()
    extra_modules: frozenset[str] = frozenset()
    grants: frozenset[tuple[str, type, Value]] = frozenset()  # the type too, as True is not 1
    needs: frozenset[str] = frozenset()
    excludes: frozenset[str] = frozenset()
    max_quantity: int | None = None

    @classmethod
    def of_entry(cls, entry: OfferEntry) -> Statement:
        return cls(
            frozenset(entry.includes),
            frozenset(entry.extra_modules),
            frozenset((code, type(value), value) for code, value in entry.grants),
            frozenset(entry.needs),
            frozenset(entry.excludes),
            entry.max_quantity,
        )

    @property
    def named(self) -> frozenset[str]:
        """The other plans and add-ons that it names."""
        return self.includes | {target for target in self.needs | self.excludes if tier_of(target) is None}

    def renamed(self, offers: Renames, modules: Renames, features: Renames) -> Statement:
        """Returns the same by the codes that others have by now; `offers` has tiers too, as `tier:CODE`."""
        return Statement(
            frozenset(offers.get(code, code) for code in self.includes),
            frozenset(modules.get(name, name) for name in self.extra_modules),
            frozenset((features.get(code, code), kind, value) for code, kind, value in self.grants),
            frozenset(offers.get(code, code) for code in self.needs),
            frozenset(offers.get(code, code) for code in self.excludes),
            self.max_quantity,
        )


def statements(versions: Iterable[Version]) -> dict[int, Statement]:
    """Returns what each of the versions says, by primary key. Four queries."""
    quantities = {version.pk: version.max_quantity for version in versions}
    of = {"version__in": list(quantities)}
    includes, modules, grants = (defaultdict[int, set[Any]](set) for _ in range(3))
    rules: dict[tuple[int, str], set[str]] = defaultdict(set)
    for pk, code in VersionInclude.objects.filter(**of).order_by().values_list("version", "offer__code"):
        includes[pk].add(code)
    fields = ("version", "module__owner__code", "module__name")
    for pk, owner, name in VersionModule.objects.filter(**of).order_by().values_list(*fields):
        modules[pk].add(f"{owner.lower()}.{name}")
    rows = Grant.objects.filter(**of).order_by().values_list("version", "feature__code", "value", "unlimited")
    for pk, code, value, unlimited in rows:
        said = UNLIMITED if unlimited else value
        grants[pk].add((code, type(said), said))
    targeted = VersionRule.objects.filter(**of).order_by().targeted()
    for pk, verb, target in targeted.values_list("version", "verb", "target"):
        rules[pk, verb].add(target)
    return {
        pk: Statement(
            frozenset(includes[pk]),
            frozenset(modules[pk]),
            frozenset(grants[pk]),
            frozenset(rules[pk, "needs"]),
            frozenset(rules[pk, "excludes"]),
            quantity,
        )
        for pk, quantity in quantities.items()
    }


def export_text(*, drafts: bool = False) -> str:
    """Returns the catalog as one file in normal form."""
    return write(export_document(drafts=drafts), own_owner=settings.OWN_OWNER)


def export_files(*, drafts: bool = False) -> dict[str, str]:
    """Returns the catalog as several files, by name, divided as the seed is."""
    parts = divide(export_document(drafts=drafts))
    return {name: write(part, own_owner=settings.OWN_OWNER) for name, part in parts.items()}


def export_document(*, drafts: bool = False) -> CatalogDocument:
    """Returns the catalog in normal order: all definitions, and of each plan and add-on its newest published version.

    With `drafts`, what is being drafted is told as the draft says it, and what was never published too. Without, what
    is retired or was never published is left out, unless something that is told names it.
    """
    modules = list(Module.objects.select_related("owner"))
    names: Names = {module.pk: module.full_name for module in modules}
    covered: dict[int, list[str]] = defaultdict(list)
    for offer, solution in Offer.solutions.through.objects.values_list("offer", "solution__code"):
        covered[offer].append(solution)
    offers = [_offer(row, said, covered[row.pk], names) for row, said in _told(drafts)]
    document = CatalogDocument(
        owners=tuple(OwnerEntry(_NOWHERE, row.code, _line(row.name), row.license_url) for row in Owner.objects.all()),
        modules=tuple(_module(row, names) for row in modules),
        tiers=tuple(
            TierEntry(_NOWHERE, row.code, _line(row.name), row.rank, names.get(row.user_marker_id))
            for row in Tier.objects.all()
        ),
        solutions=tuple(_solutions(names)),
        groups=tuple(GroupEntry(_NOWHERE, row.code, _line(row.name)) for row in FeatureGroup.objects.all()),
        features=tuple(_features(names)),
        plans=tuple(entry for entry in offers if entry.type == "plan"),
        add_ons=tuple(entry for entry in offers if entry.type == "addon"),
    )
    return normalise(document)


def newest_of_each(versions: Iterable[Version]) -> dict[int, Version]:
    """Returns per plan or add-on (primary key) its version with the highest number."""
    newest: dict[int, Version] = {}
    for version in sorted(versions, key=lambda version: version.number or 0):
        newest[version.offer_id] = version
    return newest


def _told(drafts: bool) -> list[tuple[Offer, Statement]]:
    """Returns the plans and add-ons to tell, in order, each with what it says."""
    offers = list(Offer.objects.select_related("tier").order_by("position", "code"))
    versions = list(Version.objects.defer("content"))
    newest = newest_of_each(version for version in versions if version.is_frozen)
    drafted = {version.offer_id: version for version in versions if not version.is_frozen}
    sold = {version.offer_id for version in versions if version.state == Version.State.PUBLISHED}
    told = drafted | newest
    if drafts:
        told |= drafted
        sold |= drafted.keys()
    said = statements(told.values())
    pks = {offer.code: offer.pk for offer in offers}
    told_as = {pk: said[version.pk] for pk, version in told.items()}
    wanted = _with_named(sold, told_as, pks)
    return [(offer, told_as.get(offer.pk, Statement())) for offer in offers if offer.pk in wanted]


def _with_named(first: Collection[int], said: Mapping[int, Statement], pks: Mapping[str, int]) -> set[int]:
    """Returns `first` and all that they name, and what those name."""
    found: set[int] = set()
    left = set(first)
    while left:
        found |= left
        left = {pks[code] for pk in left if pk in said for code in said[pk].named} - found
    return found


def _module(row: Any, names: Names) -> ModuleEntry:
    return ModuleEntry(
        place=_NOWHERE,
        code=row.full_name,
        owner=row.owner.code,
        name=row.name,
        type=Module.Type(row.type).label,  # type: ignore[arg-type]  # its labels are these three
        description=_line(row.description),
        tooltip=_line(row.tooltip),
        hidden=row.hidden,
        unrestricted=row.unrestricted,
        requires=names.get(row.prerequisite_id),
        sort=row.sort_order,
    )


def _solutions(names: Names) -> Iterable[SolutionEntry]:
    markers: dict[int, list[tuple[str, str]]] = defaultdict(list)
    for solution, tier, module in SiteMarker.objects.order_by().values_list("solution", "tier__code", "module"):
        markers[solution].append((tier, names[module]))
    for row in Solution.objects.all():
        yield SolutionEntry(_NOWHERE, row.code, _line(row.name), _text(row.description), tuple(markers[row.pk]))


def _features(names: Names) -> Iterable[FeatureEntry]:
    choices: dict[int, list[ChoiceEntry]] = defaultdict(list)
    for choice in LevelChoice.objects.order_by("rank"):
        modules = (names.get(choice.site_module_id), names.get(choice.user_module_id))
        choices[choice.feature_id].append(ChoiceEntry(_NOWHERE, choice.code, _line(choice.name), *modules))
    for row in Feature.objects.select_related("group").order_by("position", "code"):
        yield FeatureEntry(
            place=_NOWHERE,
            code=row.code,
            name=_line(row.name),
            description=_text(row.description),
            group=row.group.code,
            kind=row.kind,
            rule=row.rule,
            unit=_line(row.unit),
            counts=row.counts,
            resets=row.resets,
            site=names.get(row.site_module_id),
            user=names.get(row.user_module_id),
            read_only_without_seat=row.read_only_without_seat,
            choices=tuple(choices[row.pk]),
        )


def _offer(row: Any, said: Statement, solutions: Iterable[str], names: Names) -> OfferEntry:
    return OfferEntry(
        place=_NOWHERE,
        code=row.code,
        type=row.type,
        name=_line(row.name),
        description=_text(row.description),
        for_sale=row.for_sale,
        scope=row.scope,
        solutions=tuple(solutions),
        tier=row.tier.code if row.tier else None,
        module=names.get(row.module_id),
        includes=tuple(said.includes),
        extra_modules=tuple(said.extra_modules),
        grants=tuple((code, value) for code, _, value in said.grants),
        needs=tuple(said.needs),
        excludes=tuple(said.excludes),
        max_quantity=said.max_quantity,
    )


def _line(text: str) -> str:
    return text.strip()


def _text(text: str) -> str:
    """Returns a text of several lines as files hold it; browsers send them with carriage returns."""
    return text.replace("\r\n", "\n").replace("\r", "\n").strip()
