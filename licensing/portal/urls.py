from django.urls import path

import customers.api.base  # noqa: F401 - it registers the converter <code:…>
from licensing.portal.overview import CustomerPage, FiguresPage, UserPage
from licensing.portal.views import Customers, Users

app_name = "portal"
urlpatterns = [
    path("", Customers.as_view(), name="customers"),
    path("figures/", FiguresPage.as_view(), name="figures"),
    path("<code:customer>/", CustomerPage.as_view(), name="customer"),
    path("<code:customer>/users/", Users.as_view(), name="users"),
    path("<code:customer>/users/<code:user>/", UserPage.as_view(), name="user"),
]
