"""The OpenAPI schema: whole, without a guess, and open to anyone."""

from io import StringIO

import pytest
from django.core.management import call_command
from django.test import Client

pytestmark = pytest.mark.embedded  # it is read off the program, and asks no database


@pytest.fixture(scope="module")
def schema():
    return Client().get("/schema?format=json").json()


def test_the_schema_is_valid_and_nothing_in_it_is_guessed():
    told = StringIO()
    call_command("spectacular", validate=True, fail_on_warn=True, stdout=told)  # raises at the first warning
    assert told.getvalue().startswith("openapi: 3.1")


def test_the_schema_is_openapi_3_1_and_names_every_address(schema):
    assert schema["openapi"].startswith("3.1")
    for path in ("/trades/", "/trades/{id}", "/positions/", "/algorithm/run", "/analytics/process", "/moneyai"):
        assert any(known.replace("{trade_id}", "{id}") == path for known in schema["paths"]), path


def test_every_list_in_pages_is_told_as_one_with_the_bounds_of_its_pages(schema):
    told = {}
    for path, operations in schema["paths"].items():
        asked = {given["name"]: given["schema"] for given in operations.get("get", {}).get("parameters", [])}
        if "cursor" in asked or "page_size" in asked:
            answer = operations["get"]["responses"]["200"]["content"]["application/json"]["schema"]["$ref"]
            told[path] = (asked["page_size"]["type"], "maximum" in asked["page_size"], "/Paginated" in answer)
    assert "/trades/" in told and set(told.values()) == {("integer", True, True)}
