from django.apps import AppConfig
from django.db.models.signals import post_migrate


class TradesConfig(AppConfig):
    name = "trades"

    def ready(self):
        from .chain import triggers  # its models are not loaded before this

        post_migrate.connect(triggers.install_after_migrate, sender=self, dispatch_uid="trades.chain.triggers")
