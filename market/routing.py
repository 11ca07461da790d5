"""The address of the live socket."""

from django.urls import re_path

from .consumers import LiveConsumer

websocket_urlpatterns = [re_path(r"^ws/?$", LiveConsumer.as_asgi())]
