"""`manage.py sweep`: writes down what the clock has made fact, and the notices that are due. The worker does it too."""

from __future__ import annotations

from typing import Any

from django.core.management import BaseCommand
from django.utils import timezone

from licensing.services.noticing import send_notices
from licensing.services.sweeping import sweep


class Command(BaseCommand):
    help = "Commits what came due at every customer, and writes the notices that are due; can be stopped and repeated."

    def handle(self, *args: Any, **options: Any) -> None:
        now = timezone.now()
        self.stdout.write(f"{sweep(now=now)} customers settled, {send_notices(now=now)} notices written.")
