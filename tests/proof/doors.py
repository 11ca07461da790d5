"""Whose is it: every address that takes an id, tried by those it is no business of."""

import re
from collections import Counter

from django.contrib import admin
from django.test import Client as Browser
from django.urls import reverse
from rest_framework.test import APIClient

from analytics import demo as analytics_demo
from strategies import demo as strategies_demo
from tests.factories import bearer, make_user
from tests.proof.ground import Ground
from tests.proof.history import BOOKED
from tests.proof.register import tries
from tests.proof.rows import address_of, complete_book, parameters_of, routes_with_ids, unknown_of
from tests.proof.suite import passed_tests
from tests.proof.table import spelled
from tests.test_settings import REFUSED as WRONG_SETTINGS
from tradeops.core.users.models import Role, Scope, User
from trades import demo as trades_demo

START_UP_CASES = 8
METHODS = ("get", "post", "put", "patch", "delete")
REFUSED = {401, 403, 404}
ADMINISTRATORS = {"user", "periodictask", "intervalschedule", "crontabschedule"}


@tries("P30", "every address with an id, from the URL resolver: stranger, nobody, read token, auditor; the admin's too")
def strangers_are_refused(ground: Ground) -> str:
    people = make_people()
    before, seen = kept_rows(), Counter()
    for route in routes_with_ids():
        own = address_of(route, people["alice"])
        assert own is not None, f"alice has no row for /{route}"
        seen += try_address(route, own, people)
    seen += try_admin(people)
    assert kept_rows() == before, "somebody's row was changed"
    return f"{len(routes_with_ids())} addresses, {sum(seen.values()):,} requests: {spelled(seen)}; nothing was changed"


def make_people() -> dict[str, User]:
    """alice with a row of every kind; bob a stranger, dave an auditor, carol of the back office."""
    alice = make_user("alice")
    for demo in (trades_demo, strategies_demo, analytics_demo):
        demo.load_demo(alice)
    complete_book(alice)
    bearer(alice)
    roles = {"bob": Role.TRADER, "dave": Role.AUDITOR, "carol": Role.BACK_OFFICE}
    return {"alice": alice} | {name: make_user(name, role) for name, role in roles.items()}


def kept_rows() -> list:
    kept = [list(model.objects.order_by("pk").values_list()) for model in BOOKED]
    return [*kept, list(User.objects.order_by("pk").values_list("username", "role", "password"))]


# Pages and API ----------------------------------------------------------------------------


def browser_of(user: User | None) -> Browser:
    browser = Browser(raise_request_exception=False, headers={"Host": "127.0.0.1"})
    if user is not None:
        browser.force_login(user)
    return browser


def reader_of(user: User) -> APIClient:
    client = APIClient(raise_request_exception=False, headers={"Host": "127.0.0.1"})
    client.credentials(HTTP_AUTHORIZATION=bearer(user, Scope.READ)["Authorization"])
    return client


def try_address(route: str, own: str, people: dict[str, User]) -> Counter:
    """Sends every method to alice's row as each who has no business there."""
    named, seen = parameters_of(route), Counter()
    is_private = any(one.owner or one.is_staffs for one in named)
    taken = taken_methods(own, people["alice"])
    unknown = unknown_of(route)
    for method in METHODS:
        if method in taken and is_private:
            seen["stranger"] += refuse(browser_of(people["bob"]), method, own)
            compare(browser_of(people["bob"]), method, own, unknown)
        seen["nobody"] += refuse(browser_of(None), method, own, REFUSED | {302, 405})
        if method != "get":
            seen["read token"] += refuse(reader_of(people["alice"]), method, own, REFUSED | {302, 405})
            seen["auditor"] += refuse(browser_of(people["dave"]), method, own, REFUSED | {405})
    return seen


def taken_methods(own: str, owner: User) -> set[str]:
    """The methods an address takes at all, as its Allow says to its owner; asked with a method none takes."""
    answer = browser_of(owner).generic("PROPFIND", own)
    assert answer.status_code == 405, f"PROPFIND {own} is {answer.status_code}"
    return {method.strip().lower() for method in answer["Allow"].split(",")}


def ask(client, method: str, address: str):
    """A request as it would be meant: pages take forms, all else an object of JSON."""
    if method == "get" or address.startswith(("/desk/", "/admin/")):
        return getattr(client, method)(address)
    return client.generic(method.upper(), address, "{}", content_type="application/json")


def refuse(client, method: str, address: str, allowed: set[int] = REFUSED) -> int:
    answer = ask(client, method, address)
    assert answer.status_code in allowed, f"{method.upper()} {address} is {answer.status_code}"
    if answer.status_code == 302:
        assert "sign-in" in answer["Location"], f"{method.upper()} {address} leads to {answer['Location']}"
    return 1


def compare(client, method: str, foreign: str, unknown: str) -> None:
    """What is another's and what is not there are answered alike, to the letter but for ids."""
    pair = (foreign, unknown)
    answers = [ask(client, method, address) for address in pair]
    statuses = [answer.status_code for answer in answers]
    assert statuses[0] == statuses[1], f"{method.upper()} {foreign}: {statuses[0]}, an unknown one {statuses[1]}"
    told, of_unknown = (without_ids(one.content.decode(), where) for one, where in zip(answers, pair, strict=True))
    assert told == of_unknown, f"{method.upper()} {foreign} and an unknown one are told apart"


def without_ids(text: str, address: str) -> str:
    text = text.replace(address, "ADDRESS").replace(address.strip("/"), "ADDRESS")
    for part in address.split("/"):
        text = re.sub(rf"\b{re.escape(part)}\b", "PART", text) if part else text
    text = re.sub(r'name="csrfmiddlewaretoken" value="\w+"', "CSRF", text)
    return re.sub(r"[0-9a-f]{32}", "REQUEST", text)


# The back office ----------------------------------------------------------------------------------


def try_admin(people: dict[str, User]) -> Counter:
    """Traders and nobody are sent to sign in; an auditor writes nothing; users are the administrators' alone."""
    seen = Counter()
    for model in admin.site._registry:
        row = model.objects.order_by("pk").first()
        if row is None:
            continue
        name = f"admin:{model._meta.app_label}_{model._meta.model_name}"
        for page in ("change", "delete", "history"):
            address = reverse(f"{name}_{page}", args=[row.pk])
            seen["admin"] += refuse_admin(address, people, is_administrators=model._meta.model_name in ADMINISTRATORS)
    return seen


def refuse_admin(address: str, people: dict[str, User], *, is_administrators: bool) -> int:
    tried = 0
    for who in ("bob", None):
        for method in ("get", "post"):
            answer = getattr(browser_of(people.get(who)), method)(address)
            assert answer.status_code in (302, 403, 404), f"{who} {method} {address}: {answer.status_code}"
            tried += 1
    writers = ["dave", "carol"] if is_administrators else ["dave"]
    for who in [] if address.endswith("/history/") else writers:
        answer = browser_of(people[who]).post(address, {"post": "yes"})
        assert answer.status_code in (403, 404, 405), f"{who} POST {address}: {answer.status_code}"
        tried += 1
    return tried


# Settings, headers, parts -----------------------------------------------------------------------------


@tries("P33", "unsafe and wrong settings at the start, check --deploy, the policy of pages, inline script in templates")
def headers_and_settings_are_strict(ground: Ground) -> str:
    # One of them goes through all of the wrong settings.
    refused = (
        passed_tests(ground, "tests/test_settings.py", least=2, words="stops_the_start", world={})
        - 1
        + len(WRONG_SETTINGS)
    )
    assert refused >= START_UP_CASES, f"{refused} start-up cases"
    passed_tests(ground, "tests/test_settings.py", least=1, words="deployment_check", world={})
    passed_tests(ground, "tests/core/users/test_doors.py", least=1, words="content_security_policy")
    passed_tests(ground, "tests/test_style.py", least=1, words="inline", world={})
    return f"{refused} start-up cases stop the start by name; check --deploy is clean; no inline script or style"
