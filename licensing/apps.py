from django.apps import AppConfig


class LicensingConfig(AppConfig):
    name = "licensing"
    verbose_name = "Licensing"

    def ready(self) -> None:
        from licensing import checks  # noqa: F401, PLC0415 - it registers itself, once models can be imported
