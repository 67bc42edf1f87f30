"""What a code looks like. Codes are what paths, YAML and logs name things by; they never change."""

from django.core.validators import RegexValidator

validate_code = RegexValidator(
    r"^[a-z0-9](?:[a-z0-9._-]*[a-z0-9])?\Z",
    "Use lower-case letters, digits, dots, hyphens and underscores, beginning and ending with a letter or digit.",
    code="invalid_code",
)
validate_user_code = RegexValidator(
    r"^[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?\Z",
    "Use letters, digits, dots, hyphens and underscores, beginning and ending with a letter or digit.",
    code="invalid_code",
)
