"""How dates are written, per language: settings.FORMAT_MODULE_PATH points here."""
