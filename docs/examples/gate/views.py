"""A page for those who may use quotes, and the flags of a single-page app."""

import features
import people
import requests
from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

FLAGS = f"{settings.PLANARIUM_URL}/ofrep/v1/evaluate/flags"


@features.requires("quote-management")
def quotes(request: HttpRequest) -> HttpResponse:
    user = people.signed_in(request)
    mails = features.client.get_integer_value("send-email-to", 0, features.context_of(user))
    return render(request, "quotes.html", {"user": user, "mails": mails})


@csrf_exempt  # it changes nothing, and other origins can't read what it answers
@require_POST
def flags(request: HttpRequest) -> HttpResponse:
    """Passes on what the user who is signed in may do. The key stays here; whom the browser names is ignored."""
    user = people.signed_in(request)
    if user is None:
        return people.ask_for_name()
    context = {"targetingKey": user, "customer": settings.CUSTOMER}
    known = {"If-None-Match": request.headers["If-None-Match"]} if "If-None-Match" in request.headers else {}
    try:
        answer = requests.post(FLAGS, json={"context": context}, headers=features.headers() | known, timeout=2)
    except requests.RequestException:
        return HttpResponse(status=503)
    if answer.status_code in (401, 403):
        return HttpResponse(status=502)  # our key is refused: no matter of the user's
    kept = {name: answer.headers[name] for name in ("ETag", "Retry-After") if name in answer.headers}
    kind = answer.headers.get("Content-Type", "application/json")
    return HttpResponse(answer.content, status=answer.status_code, headers=kept, content_type=kind)
