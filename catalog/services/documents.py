"""Catalog files: found, read and parsed against the names that the catalog holds."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from django.conf import settings

from catalog.document import (
    CatalogDocument,
    Fault,
    Known,
    KnownFeature,
    KnownModule,
    KnownOffer,
    Place,
    Source,
    parse,
)
from catalog.models import Feature, FeatureGroup, LevelChoice, Module, Offer, Owner, Solution, Tier
from catalog.services.collecting import without_collecting


def read_catalog(paths: Iterable[Path]) -> CatalogDocument:
    """Returns what the files say together; a folder stands for its `*.yaml` files. Raises BadDocument.

    They may refer to what the catalog holds already.
    """
    contents: list[tuple[str, bytes]] = []
    faults: list[Fault] = []
    for path in _files(paths, faults):
        try:
            contents.append((str(path), path.read_bytes()))
        except OSError as error:
            faults.append(_fault_of(path, f"This file can't be read: {error.strerror}."))
    return read_contents(contents, faults)


@without_collecting()
def read_contents(contents: Iterable[tuple[str, bytes]], unread: Iterable[Fault] = ()) -> CatalogDocument:
    """Returns what files, given by name and content, say together. Raises BadDocument; `unread` are faults before."""
    sources: list[Source] = []
    faults: list[Fault] = []
    for name, content in contents:
        try:
            sources.append(Source(name, content.decode("utf-8-sig")))
        except UnicodeDecodeError as error:
            line = error.object[: error.start].count(b"\n") + 1
            faults.append(Fault.at(Place(name, line, 1, ""), "This isn't UTF-8 text."))
    return parse(sources, own_owner=settings.OWN_OWNER, known=known_names(), unread=[*faults, *unread])


def _files(paths: Iterable[Path], faults: list[Fault]) -> Iterator[Path]:
    for path in paths:
        if not path.is_dir():
            yield path
            continue
        files = sorted(file for file in path.iterdir() if file.suffix in (".yaml", ".yml"))
        if not files:
            faults.append(_fault_of(path, "There is no *.yaml file in this folder."))
        yield from files


def _fault_of(path: Path, message: str) -> Fault:
    return Fault.at(Place(str(path), 1, 1, ""), message)


def known_names() -> Known:
    """Returns what files may refer to without defining it: all that the catalog holds."""
    modules = Module.objects.select_related("owner", "prerequisite__owner")
    names = {module.pk: module.full_name for module in modules}
    choices: dict[int, list[str]] = {}
    for feature, code in LevelChoice.objects.order_by("rank").values_list("feature_id", "code"):
        choices.setdefault(feature, []).append(code)
    features = Feature.objects.order_by().values_list("pk", "code", "kind")
    return Known(
        owners=frozenset(Owner.objects.values_list("code", flat=True)),
        modules={
            module.full_name: KnownModule(
                Module.Type(module.type).label,
                module.hidden,
                names[module.prerequisite_id] if module.prerequisite_id else None,
            )
            for module in modules
        },
        tiers=dict(Tier.objects.values_list("code", "rank")),
        solutions=frozenset(Solution.objects.values_list("code", flat=True)),
        groups=frozenset(FeatureGroup.objects.values_list("code", flat=True)),
        features={code: KnownFeature(kind, tuple(choices.get(pk, ()))) for pk, code, kind in features},
        offers={
            code: KnownOffer("plan" if type_ == Offer.Type.PLAN else "addon", names.get(module))
            for code, type_, module in Offer.objects.values_list("code", "type", "module")
        },
    )
