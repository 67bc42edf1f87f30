from django.urls import path

import customers.api.base  # noqa: F401 - it registers the converter <code:…>
from licensing.portal.views import Customers, Users

app_name = "portal"
urlpatterns = [
    path("", Customers.as_view(), name="customers"),
    path("<code:customer>/users/", Users.as_view(), name="users"),
]
