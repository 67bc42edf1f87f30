from django.urls import path

from customers.api.views import CustomerDetail, CustomerList

urlpatterns = [
    path("customers/", CustomerList.as_view(), name="customers"),
    path("customers/<code:customer>/", CustomerDetail.as_view(), name="customer"),
]
