from django.urls import path

import customers.api.base  # noqa: F401 - it registers the converter <code:…>
from licensing.portal.migrating import Act, MigrationPage, Migrations, Propose, RollBackOne

app_name = "migrations"
urlpatterns = [
    path("", Migrations.as_view(), name="list"),
    path("new/", Propose.as_view(), name="propose"),
    path("<int:migration>/", MigrationPage.as_view(), name="migration"),
    path("<int:migration>/customers/<code:customer>/roll-back/", RollBackOne.as_view(), name="roll_back_one"),
    path("<int:migration>/<slug:act>/", Act.as_view(), name="act"),
]
