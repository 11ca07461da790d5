"""The people of the tests, and the ground they stand on.

The suite runs twice: once in the embedded world (SQLite, memory, files) and once in the
services world (PostgreSQL, Redis, an S3 API), as the environment says; see tests/worlds.py.
"""

import gc
import time
from datetime import UTC, datetime

import hypothesis
import pytest
from django.conf import settings
from django.db import connection
from rest_framework.test import APIClient
from whitenoise.middleware import WhiteNoiseMiddleware

from tests.desk import keep_migrated
from tests.factories import bearer, make_user
from tradeops.core.users.models import Role

# A machine that has much else to do draws examples slowly: that is no fault of what they are drawn for.
patient = hypothesis.settings(suppress_health_check=[hypothesis.HealthCheck.too_slow], deadline=None)
hypothesis.settings.register_profile("patient", patient)
hypothesis.settings.load_profile("patient")


def pytest_collection_modifyitems(config, items):
    """Each world runs what is its own; what is left to the other is not collected, and never a skip."""
    in_services = bool(settings.REDIS_URL)
    foreign = ("pure", "embedded") if in_services else ("services",)
    kept = [item for item in items if not any(item.get_closest_marker(name) for name in foreign)]
    left = [item for item in items if item not in set(kept)]
    if left:
        config.hook.pytest_deselected(items=left)
        items[:] = kept


def pytest_collection_finish(session):
    """What is loaded by now stays to the end: to look through it for garbage over and over is a tenth of a run."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup, django_db_blocker):
    """Migrated once: the desks that tests start begin with copies of it."""
    with django_db_blocker.unblock():
        keep_migrated(connection)


@pytest.fixture(autouse=True)
def quick_passwords(settings):
    """Hashing passwords properly would be most of the suite's time."""
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


@pytest.fixture(autouse=True)
def clean_cache(monkeypatch):
    """Nothing is counted or remembered by the next test, and no sign-in or row by the next request."""
    from django.core.cache import cache

    from tradeops.core.users import limits, signed_in
    from trades.quick import kept_pages

    cache.clear()
    limits.shares.clear()
    monkeypatch.setattr(signed_in, "KEPT_SECONDS", 0)
    kept_pages.forget()


@pytest.fixture
def one_day():
    """Waits for a midnight, UTC, that is about to come: the test would begin on one day and end on the next."""
    while (moment := datetime.now(UTC)).hour == 23 and moment.minute == 59:
        time.sleep(1)


@pytest.fixture(autouse=True, scope="session")
def flush_empties_the_book():
    """A transactional test ends by emptying every table; the book's triggers would refuse that."""
    from django.test import TransactionTestCase

    from trades.chain.triggers import lifted

    teardown = TransactionTestCase._fixture_teardown

    def lifted_teardown(self):
        with lifted():
            teardown(self)

    TransactionTestCase._fixture_teardown = lifted_teardown
    yield
    TransactionTestCase._fixture_teardown = teardown


@pytest.fixture(autouse=True, scope="session")
def static_files_looked_at_once():
    """Each client of a test loads the middleware anew, which would look at every static file over: a tenth of a run."""
    look, found = WhiteNoiseMiddleware.add_files_from_finders, {}

    def look_once(self):
        if not found:
            look(self)
            found.update(self.files)
        self.files.update(found)

    WhiteNoiseMiddleware.add_files_from_finders = look_once
    yield
    WhiteNoiseMiddleware.add_files_from_finders = look


@pytest.fixture
def alice(db):
    return make_user("alice")


@pytest.fixture
def bob(db):
    return make_user("bob")


@pytest.fixture
def carol(db):
    return make_user("carol", Role.BACK_OFFICE)


@pytest.fixture
def dave(db):
    return make_user("dave", Role.AUDITOR)


@pytest.fixture
def api(db):
    """`api(user)` is a client that signs in with a token; `api()` one that does not."""

    def client(user=None, scope="admin") -> APIClient:
        made = APIClient()
        if user is not None:
            made.credentials(HTTP_AUTHORIZATION=bearer(user, scope)["Authorization"])
        return made

    return client


@pytest.fixture(scope="session")
def desk(tmp_path_factory):
    """One running demo desk, shared by the tests that only add to it."""
    from tests.desk import Desk

    with Desk(tmp_path_factory.mktemp("desk"), fresh=True) as running:
        yield running
