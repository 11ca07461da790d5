"""The OpenAPI schema: whole, without a guess, and open to anyone."""

from io import StringIO

from django.core.management import call_command


def test_the_schema_is_valid_and_nothing_in_it_is_guessed():
    call_command("spectacular", validate=True, fail_on_warn=True, stdout=StringIO())


def test_the_schema_is_openapi_3_1_and_names_every_address(client, db):
    schema = client.get("/schema?format=json").json()
    assert schema["openapi"].startswith("3.1")
    for path in ("/trades/", "/trades/{id}", "/positions/", "/algorithm/run", "/analytics/process", "/moneyai"):
        assert any(known.replace("{trade_id}", "{id}") == path for known in schema["paths"]), path
