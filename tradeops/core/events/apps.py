from django.apps import AppConfig


class EventsConfig(AppConfig):
    name = "tradeops.core.events"
    label = "events"
