"""Two admins give the last seat to two users at once, through the page: one gets it, the other is told (U-5)."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from django.db import connection
from django.test import Client

from customers.models import Membership
from licensing.models import Seat
from tests.licensing.market import Market, Town, hours
from tests.licensing.test_portal import PREMIUM, member, saves
from tests.licensing.test_race import at_once, in_turn


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("page", ["/portal/fjordlys/users/{user}/plans/", "/portal/fjordlys/users/"])
def test_of_two_who_give_the_last_seat_one_is_first(page: str) -> None:
    Market()
    town = Town()
    town.buys(sales_premium=1, at=hours(1))
    admins = [member(town, Membership.Role.ADMIN, name) for name in ("Kari Nordmann", "Knut Vik")]
    answers: list[Any] = []

    def give(client: Client, user: str) -> str:
        answer = saves(client, {user: {"sales": PREMIUM}}, page.format(user=user))
        answers.append(answer)
        return str(answer.status_code)

    acts: list[Callable[[], str]] = [partial(give, admins[0], "ola"), partial(give, admins[1], "ida")]
    said = in_turn(acts) if connection.vendor == "sqlite" else at_once(acts)
    assert sorted(said) == ["302", "409"]
    (refused,) = (answer for answer in answers if answer.status_code == 409)
    assert "Ten Sales Premium" in refused.text
    assert Seat.objects.held().filter(module_name="ten-sales-premium").count() == 1
