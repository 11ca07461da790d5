"""Every address of the desk, read from the URL resolver, with its parameters filled in."""

from django.urls import URLPattern, get_resolver

FILLED = {"pk": "1", "id": "1", "ticker": "AAPL", "username": "x"}


def all_patterns(patterns=None, prefix="") -> list[tuple[str, URLPattern]]:
    found = []
    for entry in get_resolver().url_patterns if patterns is None else patterns:
        route = prefix + str(entry.pattern)
        if isinstance(entry, URLPattern):
            found.append((route, entry))
        else:
            found += all_patterns(entry.url_patterns, route)
    return found


def own_routes() -> list[str]:
    """Routes of our own pages and API, without the admin's."""
    return [route for route, _ in all_patterns() if not route.startswith(("admin/", "static/"))]


def fill(route: str, value: str | None = None) -> str:
    """`trades/<int:pk>` as `/trades/1`, or with `value` in place of each parameter."""
    parts, rest = [], route
    while "<" in rest:
        before, _, rest = rest.partition("<")
        parameter, _, rest = rest.partition(">")
        name = parameter.rpartition(":")[2]
        parts += [before, FILLED.get(name, "1") if value is None else value]
    return "/" + "".join([*parts, rest]).replace("^", "").replace("$", "")
