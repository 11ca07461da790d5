"""What README and docs name is there: files, commands, addresses. (Settings are held to them by test_settings.py.)"""

import re
from pathlib import Path

import pytest
from django.core.management import get_commands
from django.urls import Resolver404, resolve

from tests.faults.addresses import fill, own_routes

ROOT = Path(__file__).resolve().parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
TEXTS = {page: page.read_text() for page in PAGES}
FOLDERS = {path.name for path in ROOT.iterdir() if path.is_dir()} - {"var"}
IN_LAKE = (".csv", ".parquet")
# The socket, which no view of Django's answers, and folders of a machine.
ELSEWHERE = ("/ws", "/etc/", "/srv/", "/opt/", "/var/lib/")
pytestmark = pytest.mark.pure


def found(pattern: str) -> list[tuple[Path, str]]:
    """What `pattern` names, with the page that says it."""
    return [(page, name) for page, text in TEXTS.items() for name in re.findall(pattern, text)]


def test_every_link_leads_to_a_file():
    links = [(page, link) for page, link in found(r"\]\(([^)#\s]+)[^)]*\)") if not link.startswith("http")]
    assert len(links) > 20
    assert [(page.name, link) for page, link in links if not (page.parent / link).exists()] == []


def test_every_file_that_is_named_is_there():
    paths = found(r"`([\w.-]+(?:/[\w.-]+)+)/?`")
    # The files of the lake begin as folders of the tree do.
    named = [(page, name) for page, name in paths if name.split("/")[0] in FOLDERS and not name.endswith(IN_LAKE)]
    assert len(named) > 20
    assert [(page.name, name) for page, name in named if not (ROOT / name).exists()] == []


def test_every_command_that_is_named_is_one():
    named = found(r"manage\.py ([a-z_]+)")
    assert len(named) > 20
    assert [(page.name, name) for page, name in named if name not in get_commands()] == []


def test_every_target_of_make_that_is_named_is_one():
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert [(page.name, name) for page, name in found(r"`make ([a-z]+)") if name not in targets] == []


def is_there(address: str) -> bool:
    """Whether something answers at `address`, with a slash at its end or without."""
    for one in (address, address + "/", address.removesuffix("/")):
        try:
            resolve(one)
            return True
        except Resolver404:
            continue
    return False


def test_every_address_that_is_tried_by_example_is_there():
    tried = found(r"http://(?:localhost|127\.0\.0\.1):8000(/[\w/.-]*)")
    assert len(tried) > 30
    assert [(page.name, address) for page, address in tried if not is_there(address)] == []


def test_every_address_that_is_named_is_there_or_part_of_one():
    said = found(r"`(?:[A-Z]+ )?(/[\w{}./-]*)[^`\n]*`")
    said = [(page, address) for page, address in said if not address.startswith(ELSEWHERE)]
    named = [(page, fill(re.sub(r"{(\w+)}", r"<\1>", address[1:]))) for page, address in said]
    assert len(named) > 40
    routes = [fill(route) for route in own_routes()]
    parts = {address for _, address in named if any(address in route for route in routes)}
    assert [(page.name, address) for page, address in named if address not in parts and not is_there(address)] == []
