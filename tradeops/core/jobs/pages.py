"""A page whose form asks for more than a user may be owed: the form is shown again as it was filled in."""

from collections.abc import Callable

from django.http import HttpResponse

from .services import TooMuchOwed


def shown_to_wait(form, error: TooMuchOwed, show: Callable[[int], HttpResponse]) -> HttpResponse:
    """What `show(status)` makes of the form with the refusal in it."""
    form.add_error(None, str(error.detail))
    response = show(error.status_code)
    response["Retry-After"] = str(error.wait)
    return response
