"""Foreign keys obey the same line as imports: config → licensing → catalog → customers."""

from django.apps import apps
from django.db.models import Model

APPS = ["customers", "catalog", "licensing"]  # each may point to itself and to those before it


def relations_of(model: type[Model]) -> list[tuple[str, str]]:
    """Returns (field, app it points to) for foreign keys, one-to-one and many-to-many fields declared on the model."""
    fields = [*model._meta.local_fields, *model._meta.local_many_to_many]
    return [(f.name, f.related_model._meta.app_label) for f in fields if isinstance(f.related_model, type)]


def test_no_model_points_up_the_line() -> None:
    upward = [
        f"{model._meta.label}.{field} → {target}"
        for position, app in enumerate(APPS)
        for model in apps.get_app_config(app).get_models(include_auto_created=True)
        for field, target in relations_of(model)
        if target in APPS[position + 1 :]
    ]
    assert upward == []


def test_the_check_sees_relations_between_apps() -> None:
    assert ("approved_by", "customers") in relations_of(apps.get_model("catalog", "Version"))


def test_nothing_of_django_or_other_packages_points_into_catalog_or_licensing() -> None:
    inward = [
        f"{model._meta.label}.{field}"
        for model in apps.get_models(include_auto_created=True)
        if model._meta.app_label not in APPS
        for field, target in relations_of(model)
        if target in {"catalog", "licensing"}
    ]
    assert inward == []
