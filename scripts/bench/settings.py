"""The product's settings with the benchmark's addresses in front; what else differs stands in the environment."""

from config.settings import *  # noqa: F403 - the whole of them

ROOT_URLCONF = "scripts.bench.urls"
# Nobody collects static files for a benchmark, so their names go without a digest.
STORAGES["staticfiles"] = {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}  # noqa: F405 - as above
