"""Where the pages about webhooks are: those for all customers, and, below a customer, its own (integration_urls)."""

from django.urls import path

from licensing.portal import webhooks

app_name = "listening"

_WEBHOOK = "<int:webhook>/"

urlpatterns = [
    path("", webhooks.Webhooks.as_view(), name="webhooks"),
    path("new/", webhooks.NewWebhook.as_view(), name="webhook_new"),
    path(_WEBHOOK, webhooks.WebhookPage.as_view(), name="webhook"),
    path(f"{_WEBHOOK}edit/", webhooks.EditWebhook.as_view(), name="webhook_edit"),
    path(f"{_WEBHOOK}secret/", webhooks.RotateSecret.as_view(), name="webhook_rotate"),
    path(f"{_WEBHOOK}replay/", webhooks.ReplayPage.as_view(), name="webhook_replay"),
    path(f"{_WEBHOOK}delete/", webhooks.DeleteWebhook.as_view(), name="webhook_delete"),
    path(f"{_WEBHOOK}deliveries/<int:delivery>/", webhooks.DeliveryPage.as_view(), name="webhook_delivery"),
    path(f"{_WEBHOOK}deliveries/<int:delivery>/again/", webhooks.SendAgain.as_view(), name="webhook_again"),
]
