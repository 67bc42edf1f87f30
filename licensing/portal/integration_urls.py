"""Where the pages about API clients and webhooks are."""

from django.urls import include, path

from licensing.portal import clients, webhook_urls

_CLIENTS = "<code:customer>/clients/"
_CLIENT = f"{_CLIENTS}<int:client>/"

urlpatterns = [
    path(_CLIENTS, clients.Clients.as_view(), name="clients"),
    path(f"{_CLIENTS}new/", clients.NewClient.as_view(), name="client_new"),
    path(_CLIENT, clients.ClientPage.as_view(), name="client"),
    path(f"{_CLIENT}keys/new/", clients.IssueKey.as_view(), name="key_new"),
    path(f"{_CLIENT}keys/<int:number>/revoke/", clients.RevokeKey.as_view(), name="key_revoke"),
    path("<code:customer>/webhooks/", include(webhook_urls.urlpatterns)),
]
