"""Where the pages about API clients and webhooks are."""

from django.urls import path

from licensing.portal import clients, webhooks

_CLIENTS = "<code:customer>/clients/"
_CLIENT = f"{_CLIENTS}<int:client>/"
_WEBHOOKS = "<code:customer>/webhooks/"
_WEBHOOK = f"{_WEBHOOKS}<int:webhook>/"

urlpatterns = [
    path(_CLIENTS, clients.Clients.as_view(), name="clients"),
    path(f"{_CLIENTS}new/", clients.NewClient.as_view(), name="client_new"),
    path(_CLIENT, clients.ClientPage.as_view(), name="client"),
    path(f"{_CLIENT}keys/new/", clients.IssueKey.as_view(), name="key_new"),
    path(f"{_CLIENT}keys/<int:number>/revoke/", clients.RevokeKey.as_view(), name="key_revoke"),
    path(_WEBHOOKS, webhooks.Webhooks.as_view(), name="webhooks"),
    path(f"{_WEBHOOKS}new/", webhooks.NewWebhook.as_view(), name="webhook_new"),
    path(_WEBHOOK, webhooks.WebhookPage.as_view(), name="webhook"),
    path(f"{_WEBHOOK}edit/", webhooks.EditWebhook.as_view(), name="webhook_edit"),
    path(f"{_WEBHOOK}secret/", webhooks.RotateSecret.as_view(), name="webhook_rotate"),
    path(f"{_WEBHOOK}replay/", webhooks.ReplayPage.as_view(), name="webhook_replay"),
    path(f"{_WEBHOOK}delete/", webhooks.DeleteWebhook.as_view(), name="webhook_delete"),
    path(f"{_WEBHOOK}deliveries/<int:delivery>/again/", webhooks.SendAgain.as_view(), name="webhook_again"),
]
