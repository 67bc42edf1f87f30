"""Parameters that all writes take, as the OpenAPI document tells them."""

from drf_spectacular.utils import OpenApiParameter

DRY_RUN = OpenApiParameter("dry_run", bool, description="Say what would come of it, and change nothing.")
KEY = OpenApiParameter("Idempotency-Key", str, OpenApiParameter.HEADER, description="Makes a repetition harmless.")
