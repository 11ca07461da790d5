"""How a service says no to what a user may put right."""

from django.core.exceptions import ValidationError


def refused(field: str, message: str, code: str) -> ValidationError:
    """The error of one field, with a code for programs."""
    return ValidationError({field: ValidationError(message, code=code)})
