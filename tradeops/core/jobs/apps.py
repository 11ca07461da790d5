from importlib import import_module

from django.apps import AppConfig


class JobsConfig(AppConfig):
    name = "tradeops.core.jobs"
    label = "jobs"

    def ready(self) -> None:
        """Have every commit that owes something pass the nudge on."""
        nudging = import_module("tradeops.core.jobs.nudging")
        services = import_module("tradeops.core.jobs.services")
        services.nudges.append(nudging.pass_on)
