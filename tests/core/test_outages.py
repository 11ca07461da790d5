"""What counts as a database that is away."""

import psycopg
import pytest
from django.db import DatabaseError, connection, transaction

from tradeops.errors import outage_told

pytestmark = [pytest.mark.services, pytest.mark.django_db(transaction=True)]


def test_a_cursor_that_cannot_be_closed_tells_of_an_outage():
    """PostgreSQL ends between the last rows and the cursor's end, and Django does not translate what is raised."""
    with pytest.raises(psycopg.OperationalError) as met, transaction.atomic():
        cursor = connection.chunked_cursor()
        cursor.execute("SELECT 1")
        assert cursor.fetchmany(2) == [(1,)]
        end_connection()
        cursor.close()
    assert not isinstance(met.value, DatabaseError)
    assert outage_told(met.value).startswith("The database is not answering")


def end_connection() -> None:
    settings = connection.get_connection_params()
    address = {name: settings[name] for name in ("host", "port", "dbname", "user", "password")}
    with psycopg.connect(**address) as other:
        other.execute("SELECT pg_terminate_backend(%s, 5000)", [connection.connection.info.backend_pid])
