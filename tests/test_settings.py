"""Settings that are wrong or unsafe stop the start, by name."""

import json
import os
import re
import secrets
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from django.conf import settings

from tests.worlds import OUTSIDE_SETTINGS, environment_of
from tradeops.secret_key import kept_key

ROOT = Path(__file__).resolve().parent.parent
GOOD_KEY = "kT9vQ2xw7LrZ4mYc8NpS5dHf3JgB6aEu1oWi0_RtXyVbMqCsDn"
pytestmark = pytest.mark.embedded

REFUSED = {
    "SECRET_KEY must be set": {"ALLOWED_HOSTS": "desk.example.com"},
    "SECRET_KEY is too short": {"ALLOWED_HOSTS": "desk.example.com", "SECRET_KEY": "short"},
    "SECRET_KEY is a well-known": {"ALLOWED_HOSTS": "desk.example.com", "SECRET_KEY": "django-insecure-" + GOOD_KEY},
    "DEBUG must be off": {"ALLOWED_HOSTS": "desk.example.com", "SECRET_KEY": GOOD_KEY, "DEBUG": "1"},
    "DEBUG must be on or off": {"DEBUG": "maybe"},
    "TRADEOPS_DEMO serves": {"ALLOWED_HOSTS": "desk.example.com", "SECRET_KEY": GOOD_KEY, "TRADEOPS_DEMO": "1"},
    "DB_PORT must be a port": {"DB_HOST": "127.0.0.1", "DB_NAME": "x", "DB_USER": "x", "DB_PORT": "five"},
    "DB_NAME": {"DB_HOST": "127.0.0.1", "DB_USER": "x"},
    "REDIS_URL must be a URL": {"REDIS_URL": "localhost:6379"},
    "LAMBDA_API_URL must be a URL": {"LAMBDA_API_URL": "file:///etc/passwd"},
    "AWS_SECRET_ACCESS_KEY": {"AWS_ACCESS_KEY_ID": "x"},
    "AWS_S3_ENDPOINT_URL must be a URL": {"AWS_S3_ENDPOINT_URL": "minio"},
    "CORS_ALLOWED_ORIGINS": {"CORS_ALLOWED_ORIGINS": "*"},
    "CSRF_TRUSTED_ORIGINS": {"CSRF_TRUSTED_ORIGINS": "desk.example.com"},
    "CORS_ALLOWED_ORIGINS: 'http://[": {"CORS_ALLOWED_ORIGINS": "http://["},
    "CSRF_TRUSTED_ORIGINS: 'https://a:b'": {"CSRF_TRUSTED_ORIGINS": "https://a:b"},
    "ALLOWED_HOSTS": {"ALLOWED_HOSTS": "*"},
    "ALLOWED_HOSTS: 'a b'": {"ALLOWED_HOSTS": "a b"},
    "ALLOWED_HOSTS: 'desk.example.com:443'": {"ALLOWED_HOSTS": "desk.example.com:443"},
    "PORT must be a port": {"PORT": "99999"},
    "JOBS_A_USER must be a number from 1": {"JOBS_A_USER": "0"},
    "TRUSTED_PROXIES: 10.89.0.1/24 has host bits set": {"TRUSTED_PROXIES": "127.0.0.1, 10.89.0.1/24"},
}


def start(
    settings: dict[str, str], folder: Path, program: str = "import tradeops.settings", said: str = ""
) -> subprocess.CompletedProcess:
    environment = environment_of(settings, folder) | {"DJANGO_SETTINGS_MODULE": "tradeops.settings"}
    return subprocess.run(
        [sys.executable, "-c", program], env=environment, input=said, capture_output=True, text=True, cwd=ROOT,
        check=False,
    )  # fmt: skip


# Each set of settings read in its turn, and what the last line of the start would say.
READ_EACH = """
import json, os, runpy, sys
for settings in json.load(sys.stdin):
    os.environ.update(settings)
    try:
        runpy.run_module("tradeops.settings")
        print("It starts.")
    except Exception as refusal:
        print(f"{type(refusal).__name__}: {refusal}")
    os.environ.update(dict.fromkeys(settings, ""))
"""


def test_a_wrong_setting_stops_the_start_by_name(tmp_path):
    done = start({}, tmp_path, READ_EACH, said=json.dumps(list(REFUSED.values())))
    told = done.stdout.splitlines()
    assert len(told) == len(REFUSED), done.stderr
    wrong = [line for message, line in zip(REFUSED, told, strict=True) if message not in line]
    assert (wrong, {line.partition(":")[0] for line in told}) == ([], {"ImproperlyConfigured"})


def test_a_folder_that_cannot_be_made_stops_the_start_by_name():
    done = start({}, Path("/proc/nowhere"))
    assert done.returncode != 0
    (line,) = done.stderr.splitlines()
    assert line.startswith("TradeOps does not start: TRADEOPS_VAR: /proc/nowhere cannot be made")


def test_what_is_compiled_is_kept_with_the_state_where_the_code_may_not_be_written(tmp_path):
    """As under `ProtectSystem=strict` or in a read-only container, where numba finds no place and sweeps would fail."""
    locked = "import os; os.access = lambda *asked: False; import tradeops.settings, strategies.dealing"
    told = "; print(os.environ['NUMBA_CACHE_DIR']); print(strategies.dealing.walk.stats.cache_path)"
    done = start({}, tmp_path, locked + told)
    folder, used = done.stdout.split()
    assert (folder, Path(used).parent) == (str(tmp_path / "compiled"), tmp_path / "compiled"), done.stderr


def test_origins_and_hosts_are_taken_as_they_stand_in_addresses(tmp_path):
    origins = ["https://desk.example.com", "http://localhost:5173", "http://[::1]:3000"]
    settings = {"CORS_ALLOWED_ORIGINS": ",".join(origins), "ALLOWED_HOSTS": "[::1],localhost"}
    program = "from tradeops import settings as s; print(*s.CORS_ALLOWED_ORIGINS, *s.ALLOWED_HOSTS)"
    done = start(settings, tmp_path, program)
    assert done.stdout.split() == [*origins, "127.0.0.1", "localhost", "[::1]"], done.stderr


def test_a_password_in_a_wrong_address_is_not_repeated(tmp_path):
    done = start({"REDIS_URL": "http://:canary-secret@localhost"}, tmp_path)
    assert done.returncode != 0
    assert "canary-secret" not in done.stderr


def test_nothing_configured_starts_embedded_with_a_key_of_its_own(tmp_path):
    program = "from tradeops import settings as s; print(s.DATABASES['default']['ENGINE'], len(s.SECRET_KEY) > 50)"
    assert start({}, tmp_path, program).stdout.strip() == "django.db.backends.sqlite3 True"
    key = tmp_path / "secret_key"
    assert key.stat().st_mode & 0o077 == 0
    first = key.read_text()
    start({}, tmp_path)
    assert key.read_text() == first


def test_of_two_processes_that_start_together_one_makes_the_key_and_both_have_it(tmp_path, monkeypatch):
    path, of_the_other = tmp_path / "secret_key", []

    def meanwhile(length: int) -> str:
        monkeypatch.undo()
        of_the_other.append(kept_key(path))
        return "x" * length

    monkeypatch.setattr(secrets, "token_urlsafe", meanwhile)
    assert [kept_key(path)] == of_the_other
    assert (list(tmp_path.iterdir()), path.stat().st_mode & 0o777) == ([path], 0o600)


def test_another_host_with_a_sound_key_starts_and_passes_the_deployment_check(tmp_path):
    environment = environment_of({"ALLOWED_HOSTS": "desk.example.com", "SECRET_KEY": GOOD_KEY}, tmp_path)
    command = [sys.executable, "manage.py", "check", "--deploy", "--fail-level", "WARNING"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, cwd=ROOT, check=False)
    assert done.returncode == 0, done.stderr


def test_the_settings_are_those_of_the_example_file_and_of_the_readme_and_none_comes_into_a_test():
    read = set(re.findall(r'environment\.\w+\(\s*"(\w+)"', (ROOT / "tradeops/settings.py").read_text()))
    assert {"DB_HOST", "DEBUG", "PORT", "REDIS_URL", "ALLOWED_HOSTS", "CORS_ALLOWED_ORIGINS"} <= read
    example = set(re.findall(r"^(\w+)=", (ROOT / ".env.example").read_text(), re.MULTILINE))
    rows = (ROOT / "README.md").read_text().partition("| variable | unset |")[2].partition("\n\n")[0].splitlines()
    told = {name for row in rows if row for name in re.findall(r"`([A-Z][A-Z0-9_]+)`", row.split("|")[1])}
    assert read == example == told == set(OUTSIDE_SETTINGS)


def test_the_version_that_is_answered_is_the_projects():
    assert tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"] == settings.VERSION


def test_the_environment_is_kept_out_of_these_tests():
    assert os.environ.get("TRADEOPS_DEMO", "") == ""
