"""The product's settings with the benchmark's addresses in front; what else differs stands in the environment."""

from config.settings import *  # noqa: F403 - the whole of them

ROOT_URLCONF = "scripts.bench.urls"
