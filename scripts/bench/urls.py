"""The product's addresses, then the benchmark's own, which exist nowhere else."""

from django.urls import path

from config.urls import handler400, handler403, handler404, handler500
from config.urls import urlpatterns as of_the_product
from scripts.bench.views import FullMemory, NaiveEntitlements, Nothing, Worker

__all__ = ["handler400", "handler403", "handler404", "handler500", "urlpatterns"]

urlpatterns = [
    *of_the_product,
    path("bench/nothing/", Nothing.as_view()),
    path("bench/worker/", Worker.as_view()),
    path("bench/full/", FullMemory.as_view()),
    path("bench/naive/<str:customer>/<str:user>/", NaiveEntitlements.as_view()),
]
