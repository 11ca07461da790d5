from django.apps import AppConfig


class JobsConfig(AppConfig):
    name = "tradeops.core.jobs"
    label = "jobs"
