"""The back office, over all apps."""

from django.apps import apps
from django.contrib import admin

OURS = ("tradeops.", "market.", "trades.", "strategies.", "analytics.")


def test_the_back_office_has_a_page_for_every_model():
    models = {model for model in apps.get_models() if model.__module__.startswith(OURS) and not model._meta.proxy}
    assert models - set(admin.site._registry) == set()
