"""What may this user do? Asked of Planarium through OpenFeature, each time anew."""

from collections.abc import Callable
from functools import wraps

import people
from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from openfeature import api
from openfeature.contrib.provider.ofrep import OFREPProvider
from openfeature.evaluation_context import EvaluationContext

View = Callable[[HttpRequest], HttpResponse]


def headers() -> dict[str, str]:
    return {"Authorization": f"Bearer {settings.PLANARIUM_KEY}"}


api.set_provider(OFREPProvider(settings.PLANARIUM_URL, headers_factory=headers, timeout=2.0))
client = api.get_client()


def context_of(user: str) -> EvaluationContext:
    return EvaluationContext(user, {"customer": settings.CUSTOMER})


def requires(feature: str) -> Callable[[View], View]:
    """Shows a page to those who may use the feature. Where nobody answers, the page stays closed."""

    def gate(view: View) -> View:
        @wraps(view)
        def gated(request: HttpRequest) -> HttpResponse:
            user = people.signed_in(request)
            if user is None:
                return people.ask_for_name()
            if not client.get_boolean_value(feature, False, context_of(user)):
                return render(request, "upgrade.html", {"feature": feature}, status=403)
            return view(request)

        return gated

    return gate
