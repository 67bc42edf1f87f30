"""The benchmark's own addresses, then the product's. They exist nowhere else."""

from django.urls import include, path

from scripts.bench.views import NaiveEntitlements, Nothing, Worker

urlpatterns = [
    path("bench/nothing/", Nothing.as_view()),
    path("bench/worker/", Worker.as_view()),
    path("bench/naive/<str:customer>/<str:user>/", NaiveEntitlements.as_view()),
    path("", include("config.urls")),
]

handler400 = "config.errors.bad_request"
handler403 = "config.errors.forbidden"
handler404 = "config.errors.not_found"
handler500 = "config.errors.server_error"
