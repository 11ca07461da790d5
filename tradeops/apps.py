"""The roof as an app: its commands, its template tags, and the Celery app that every process publishes with."""

from importlib import import_module

from django.apps import AppConfig


class TradeOpsConfig(AppConfig):
    name = "tradeops"

    def ready(self) -> None:
        import_module("tradeops.celery")
        import_module("tradeops.core.schema")
