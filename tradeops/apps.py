"""The roof as an app: its commands, its template tags, the Celery app that every process publishes with, and sight."""

from importlib import import_module

from django.apps import AppConfig


class TradeOpsConfig(AppConfig):
    name = "tradeops"

    def ready(self) -> None:
        import_module("tradeops.celery")
        import_module("tradeops.core.schema")
        import_module("tradeops.sight").begin()
