"""The address of the live socket; a handshake at any other is refused."""

from django.urls import re_path

from .consumers import LiveConsumer


async def refuse(scope, receive, send) -> None:
    """Closes before it accepts, which is a 403; without it the router would raise, which is a 500."""
    await send({"type": "websocket.close"})


websocket_urlpatterns = [re_path(r"^ws/?$", LiveConsumer.as_asgi()), re_path(r"", refuse)]
