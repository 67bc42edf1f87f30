"""The door of the house."""

from playwright.sync_api import Page, expect


def test_the_sign_in_page_asks_for_an_e_mail_address_and_raises_no_complaint(page: Page) -> None:
    page.goto("/account/login/")
    expect(page.get_by_label("E-mail address")).to_be_visible()
    expect(page.get_by_label("Password")).to_be_visible()


def test_a_wrong_password_is_answered_on_the_page(page: Page) -> None:
    page.goto("/account/login/")
    page.get_by_label("E-mail address").fill("pia@planarium.example")
    page.get_by_label("Password").fill("not it")
    page.get_by_role("button", name="Sign In").click()
    expect(page.get_by_text("are not correct")).to_be_visible()
