from django.apps import AppConfig


class UsersConfig(AppConfig):
    name = "tradeops.core.users"
    label = "users"
