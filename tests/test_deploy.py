"""The files of deploy/ that Docker and systemd read: they name what is there, and say of each other what is so."""

import configparser
import re
import shlex
import shutil
import subprocess
import sys
import warnings
from pathlib import Path

import pytest
import yaml
from django.core.management import get_commands
from granian.http import HTTP1Settings

from tests.worlds import environment_of
from trades.chain.views import CHECKER

pytestmark = pytest.mark.pure

ROOT = Path(__file__).resolve().parent.parent
DEPLOY = ROOT / "deploy"
COMPOSE = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
OWN = {name: service for name, service in COMPOSE["services"].items() if service["image"] == "tradeops"}
UNITS = {path.name: path.read_text() for path in (DEPLOY / "systemd").glob("tradeops-*.service")}


def test_what_goes_into_the_image_is_enough_to_run_and_brings_no_state(tmp_path):
    kept = re.findall(r"^!(.+)$", (DEPLOY / "Dockerfile.dockerignore").read_text(), re.MULTILINE)
    for name in kept:
        target = tmp_path / name
        target.parent.mkdir(parents=True, exist_ok=True)
        (shutil.copytree if (ROOT / name).is_dir() else shutil.copy)(ROOT / name, target)
    program = "import tradeops.wsgi, tradeops.asgi, tradeops.celery, tradeops.intake"
    for command in (["manage.py", "check"], ["-c", program]):
        environment = environment_of({}, tmp_path / "state")
        done = subprocess.run(
            [sys.executable, *command], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
    assert (tmp_path / CHECKER.relative_to(ROOT)).is_file()  # which a page hands out
    assert not {"var", ".env", "tests", ".git"} & set(kept)


def test_the_image_is_of_the_locked_requirements_and_runs_as_nobody_in_particular():
    lines = (DEPLOY / "Dockerfile").read_text()
    assert "--require-hashes" in lines and "COPY requirements.txt" in lines
    assert lines.index("USER tradeops") > lines.rindex("COPY") > lines.rindex("FROM")


def commands() -> dict[str, list[str]]:
    """What compose's services and systemd's units start, by their names."""
    started = {name: shlex.split(service["command"]) for name, service in OWN.items() if name != "prepare"}
    for name, text in UNITS.items():
        started[name] = shlex.split(re.search(r"^ExecStart=(.+)$", text, re.MULTILINE)[1])
    return started


def test_every_part_is_started_by_a_command_that_is_there():
    for name, words in commands().items():
        program, *arguments = words
        if program.endswith("celery"):
            # Its banner is no line of a log.
            assert arguments[:3] == ["-A", "tradeops", "--quiet"] and arguments[3] in ("worker", "beat"), name
        elif program.endswith("python"):
            assert arguments[0] == "manage.py" and arguments[1] in get_commands(), name
        else:
            assert (ROOT / program.removeprefix("/srv/tradeops/")).is_file(), name


def test_both_ways_run_the_same_parts():
    units = {re.split("[@.]", name.removeprefix("tradeops-"))[0] for name in UNITS}
    assert units - {"backup"} == OWN.keys() - {"prepare"} == {"web", "sockets", "feed", "worker", "beat"}
    backup = COMPOSE["services"]["backup"]
    assert "backup" in units and "sh /deploy/backup /backups;" in backup["entrypoint"][-1]
    # pg_dump reads no server that is newer than itself.
    assert backup["image"] == COMPOSE["services"]["postgres"]["image"]


def test_redis_is_appended_to_disk_and_no_service_but_nginx_is_open():
    assert "--appendonly yes" in COMPOSE["services"]["redis"]["command"]
    assert [name for name, service in COMPOSE["services"].items() if "ports" in service] == ["nginx"]
    assert all(service["read_only"] and service["cap_drop"] == ["ALL"] for service in OWN.values())
    assert all(service["logging"] == {"driver": "local"} for service in COMPOSE["services"].values())


@pytest.mark.parametrize("name", ["upstreams.conf", "upstreams.compose.conf"])
def test_nginx_lets_go_of_an_idle_connection_before_the_web_process_does(name):
    (seconds,) = re.findall(r"keepalive_timeout (\d+)s;", (DEPLOY / "nginx" / name).read_text())
    assert 0 < int(seconds) * 1000 < HTTP1Settings().header_read_timeout


def test_nginx_passes_a_book_on_as_it_comes_however_the_address_is_spelled(settings):
    site = (DEPLOY / "nginx/tradeops.conf").read_text()
    (streamed,) = re.findall(r"location ~ (\S+) \{\s+proxy_pass \S+;\s+proxy_request_buffering off;", site)
    for address in settings.IMPORT_ADDRESSES:
        assert re.search(streamed, address) and re.search(streamed, f"{address}/")
    assert not re.search(streamed, "/trades/imports") and not re.search(streamed, "/desk/trades/import/7")


def test_what_is_secret_in_compose_is_kept_out_of_git():
    kept_out = (ROOT / ".gitignore").read_text().splitlines()
    secret = {name for service in COMPOSE["services"].values() for name in service.get("env_file", [])}
    assert secret == {".env", "owner.env"} and secret | {"deploy/tls/"} <= set(kept_out)


def test_every_word_about_compose_names_its_file():
    said = re.findall(r"docker compose (?!ps`)(\S+ \S+)", (ROOT / "docs/running.md").read_text())
    assert said and set(said) <= {"-f deploy/compose.yaml", '-f deploy/compose.yaml"'}, said


def test_the_example_of_settings_names_settings():
    known = set(re.findall(r"^([A-Z0-9_]+)=", (ROOT / ".env.example").read_text(), re.MULTILINE))
    named = set(re.findall(r"^([A-Z0-9_]+)=", (DEPLOY / "production.env.example").read_text(), re.MULTILINE))
    assert named - known == {"REDIS_PASSWORD"}


SECTIONS = {
    "service": {"Unit", "Service", "Install"}, "timer": {"Unit", "Timer", "Install"}, "target": {"Unit", "Install"},
    "conf": {"Unit", "Service"},
}  # fmt: skip
OF_SYSTEM = {
    "multi-user.target",
    "timers.target",
    "network-online.target",
    "postgresql.service",
    "redis-server.service",
}


def settings_of(unit: Path) -> dict[tuple[str, str], str]:
    """Its settings by section and name, each once. Raises ParsingError for a line that is none, and for a second."""
    read = configparser.ConfigParser(interpolation=None, delimiters="=", comment_prefixes="#")
    read.optionxform = str
    read.read_string(unit.read_text(), unit.name)
    return {(section, name): value for section in read.sections() for name, value in read[section].items()}


def test_units_are_settings_under_sections_and_name_units_that_are_there():
    files = [path for path in (DEPLOY / "systemd").rglob("*") if path.is_file()]
    known = OF_SYSTEM | {path.name for path in files}
    for path in files:
        told = settings_of(path)
        assert {section for section, _ in told} <= SECTIONS[path.suffix[1:]], path.name
        assert all(re.fullmatch("[A-Z][A-Za-z0-9]+", name) for _, name in told), path.name
        for (_, name), value in told.items():
            if name in ("After", "Wants", "PartOf", "WantedBy"):
                assert set(value.split()) <= known, f"{path.name}: {name}"
        if path.suffix == ".timer":
            assert f"{path.stem}.service" in known
        elif path.suffix == ".service":
            assert told["Service", "ExecStart"].startswith("/srv/tradeops/"), path.name
            assert told.get(("Service", "Type")) == "oneshot" or told["Service", "Restart"] == "always", path.name


def test_systemd_takes_every_unit_as_it_is(tmp_path):
    """With the paths of this checkout in the place of those of an installed desk.

    A machine without systemd has the test above alone: it is not skipped, for a slim one is to be of use as CI too.
    """
    reader = shutil.which("systemd-analyze")
    if reader is None:
        warnings.warn("systemd-analyze is not here: the units were read by our own test alone.", stacklevel=1)
        return
    shutil.copytree(DEPLOY / "systemd", tmp_path, dirs_exist_ok=True)
    units = [path for path in tmp_path.iterdir() if path.is_file()]
    for unit in units:
        text = unit.read_text().replace("/srv/tradeops/.venv/bin", str(Path(sys.executable).parent))
        unit.write_text(text.replace("/srv/tradeops", str(ROOT)))
    assert {unit.name for unit in units} >= UNITS.keys()
    for unit in units:
        done = subprocess.run([reader, "verify", "--man=no", unit], capture_output=True, text=True, check=False)
        assert (done.returncode, done.stderr) == (0, ""), unit.name
