"""A refusal as a page, for the views of every app. Programs get theirs from core/api.py."""

from http import HTTPStatus

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from rest_framework.exceptions import ValidationError

from tradeops.core.api import flat_errors


def error_page(request: HttpRequest, status: int, detail: str, title: str = "") -> HttpResponse:
    """The page that says what is wrong; `title` is the status's own phrase when left out."""
    context = {"status": status, "title": title or HTTPStatus(status).phrase, "detail": detail}
    return render(request, "error.html", context, status=status)


def bad_query_page(request: HttpRequest, error: ValidationError) -> HttpResponse:
    """400 for an address whose query a list refused; names the first wrong parameter."""
    problem = flat_errors(error.detail)[0]
    return error_page(request, 400, f"{problem['field']}: {problem['message']}")
