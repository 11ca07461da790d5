"""The two worlds the suite runs in, and the private servers of the second.

embedded   nothing configured: SQLite, memory, local files
services   PostgreSQL, Redis and an S3 API, each started here on a free port and stopped by its process
"""

import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

PACKAGES = {
    "postgres": "postgresql",
    "redis-server": "redis-server",
    "chromium": "chromium fonts-liberation",
    "nginx": "nginx-light",
}
CHROMIUM_NAMES = ("chromium", "chromium-browser", "google-chrome")
DATABASE = {"DB_NAME": "tradeops", "DB_USER": "tradeops", "DB_PASSWORD": "tradeops"}
BUCKET = "tradeops-lake"
OUTSIDE_SETTINGS = (
    "DB_HOST DB_PORT DB_NAME DB_USER DB_PASSWORD REDIS_URL AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY AWS_REGION "
    "S3_BUCKET_NAME AWS_S3_ENDPOINT_URL LAMBDA_API_URL SECRET_KEY DEBUG ALLOWED_HOSTS CORS_ALLOWED_ORIGINS "
    "CSRF_TRUSTED_ORIGINS TRUSTED_PROXIES TRADEOPS_DEMO TRADEOPS_VAR PORT EMAIL_URL "
    "SENTRY_DSN OTEL_EXPORTER_OTLP_ENDPOINT METRICS_TOKEN LOG_FORMAT ALPACA_KEY ALPACA_SECRET ALPACA_URL "
    "STRATEGIES_DIR JOBS_A_USER "
    "JOBS_KEPT_DAYS FAILED_JOBS_KEPT_DAYS ALERTS_KEPT_DAYS"
).split()


# Finding what is installed ----------------------------------------------------------


def find_program(name: str) -> str | None:
    if name == "postgres":
        found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[4]))
        on_path = shutil.which("initdb")
        return str(found[-1]) if found else on_path
    if name == "chromium":
        return next(filter(None, map(shutil.which, CHROMIUM_NAMES)), None)
    return shutil.which(name, path=f"{os.environ.get('PATH', os.defpath)}:/usr/sbin")  # where nginx is, for root alone


def missing_programs() -> list[str]:
    return [name for name in PACKAGES if find_program(name) is None]


def install_command(missing: list[str]) -> str:
    packages = " ".join(PACKAGES[name] for name in missing)
    return f"apt-get install -y --no-install-recommends {packages}"


def install(missing: list[str]) -> None:
    """Installs what is missing, where this is Debian or Ubuntu and we have the right to."""
    if not missing or not shutil.which("apt-get"):
        return
    prefix = [] if os.geteuid() == 0 else ["sudo", "-n"]
    if prefix and subprocess.run([*prefix, "true"], capture_output=True, check=False).returncode:
        return
    print(f"Installing {', '.join(missing)} ...", flush=True)
    environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    for command in ("apt-get update", install_command(missing)):
        words = [*prefix, *command.split()]
        done = subprocess.run(words, env=environment, capture_output=True, text=True, check=False, timeout=900)
        if done.returncode:
            print(f"{command} failed:\n{done.stderr[-2000:]}", flush=True)


# Private servers ----------------------------------------------------------------------


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_for_port(port: int, process: subprocess.Popen | None = None, seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if process is not None and process.poll() is not None:
            raise RuntimeError(f"{process.args} ended with status {process.returncode}.")
        with socket.socket() as probe:
            probe.settimeout(1)
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise RuntimeError(f"Nothing listens on port {port} after {seconds:.0f} s.")


def wait_for_silence(port: int, seconds: float = 60) -> None:
    """Until nothing listens there: what was killed may take a moment to be gone."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)):
                return
        time.sleep(0.05)
    raise RuntimeError(f"Something still listens on port {port} after {seconds:.0f} s.")


def stop(process: subprocess.Popen, number: int = signal.SIGTERM, seconds: float = 60) -> int:
    """Ends a process and returns its status; one that will not go is killed."""
    if process.poll() is None:
        process.send_signal(number)
    try:
        return process.wait(seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        return process.wait()


class Server:
    """A server on a port, started when made, that can be killed and started again on what it left behind."""

    def __init__(self, command: list, port: int, log: Path, options: dict | None = None):
        self.command, self.port, self.log, self.options = command, port, log, options or {}
        self.launch()

    def launch(self) -> None:
        with self.log.open("a") as log:
            self.process = subprocess.Popen(self.command, stdout=log, stderr=log, **self.options)
        try:
            wait_for_port(self.port, self.process)
        except RuntimeError:
            stop(self.process)
            raise

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def start_again(self, seconds: float = 60) -> None:
        """After a kill: PostgreSQL does not start while a child of the one before still lives."""
        deadline = time.monotonic() + seconds
        while True:
            try:
                return self.launch()
            except RuntimeError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.2)


class Services:
    """PostgreSQL, Redis and moto's S3, started on entry and stopped on exit."""

    # What a test loses with the machine it would not have needed.
    postgres_options = ("fsync=off", "full_page_writes=off", "max_connections=200")

    def __init__(self):
        self.folder = Path(tempfile.mkdtemp(prefix="tradeops-services-"))
        self.servers: dict[str, Server] = {}

    def __enter__(self) -> dict[str, str]:
        try:
            return self.start_postgres() | self.start_redis() | self.start_s3()
        except BaseException:
            self.__exit__()
            raise

    def __exit__(self, *_) -> None:
        for server in reversed(self.servers.values()):
            # PostgreSQL's "fast" shutdown is SIGINT: it does not wait for clients.
            stop(server.process, signal.SIGINT)
        shutil.rmtree(self.folder, ignore_errors=True)

    def start_postgres(self) -> dict[str, str]:
        binaries, data, port = Path(find_program("postgres")).parent, self.folder / "postgres", free_port()
        data.mkdir()
        as_user = {}
        if os.geteuid() == 0:  # the server refuses to run as root
            owner = pwd.getpwnam("postgres")
            self.folder.chmod(0o755)
            os.chown(data, owner.pw_uid, owner.pw_gid)
            as_user = {"user": "postgres", "group": owner.pw_gid, "extra_groups": []}
        initialize = [binaries / "initdb", "-D", data, "-A", "trust", "-U", "postgres", "--no-sync", "-E", "UTF8"]
        subprocess.run(initialize, check=True, capture_output=True, cwd=data, **as_user)
        command = [binaries / "postgres", "-D", data, "-p", str(port), "-k", data, "-c", "listen_addresses=127.0.0.1"]
        command += [word for option in self.postgres_options for word in ("-c", option)]
        self.servers["postgres"] = Server(command, port, self.folder / "postgres.log", {"cwd": data, **as_user})
        self.make_database(port)
        return {"DB_HOST": "127.0.0.1", "DB_PORT": str(port), **DATABASE}

    def make_database(self, port: int) -> None:
        import psycopg

        deadline = time.monotonic() + 60
        while True:
            try:
                connection = psycopg.connect(f"host=127.0.0.1 port={port} user=postgres", autocommit=True)
                break
            except psycopg.OperationalError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.1)
        with connection:
            connection.execute("create role tradeops login createdb password 'tradeops'")
            connection.execute("create database tradeops owner tradeops")

    def start_redis(self) -> dict[str, str]:
        port = free_port()
        command = ["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", str(self.folder)]
        command += ["--databases", "1024"]  # one for each desk that a test starts
        self.servers["redis"] = Server(command, port, self.folder / "redis.log")
        return {"REDIS_URL": f"redis://127.0.0.1:{port}/0"}

    def start_s3(self) -> dict[str, str]:
        port = free_port()
        command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
        self.servers["s3"] = Server(command, port, self.folder / "s3.log")
        settings = {
            "AWS_ACCESS_KEY_ID": "test-access-key",
            "AWS_SECRET_ACCESS_KEY": "test-secret-key",
            "AWS_REGION": "us-east-1",
            "AWS_S3_ENDPOINT_URL": f"http://127.0.0.1:{port}",
            "S3_BUCKET_NAME": BUCKET,
        }
        make_bucket(settings)
        return settings


def make_bucket(settings: dict[str, str], name: str | None = None) -> None:
    import boto3

    client = boto3.client(
        "s3",
        endpoint_url=settings["AWS_S3_ENDPOINT_URL"],
        region_name=settings["AWS_REGION"],
        aws_access_key_id=settings["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=settings["AWS_SECRET_ACCESS_KEY"],
    )
    client.create_bucket(Bucket=name or settings["S3_BUCKET_NAME"])


# Running the suite --------------------------------------------------------------------


def environment_of(world: dict[str, str], folder: Path) -> dict[str, str]:
    """This process's environment with the settings of one world and no others.

    The others are set to nothing, which also keeps a developer's `.env` out.
    """
    return os.environ | dict.fromkeys(OUTSIDE_SETTINGS, "") | world | {"TRADEOPS_VAR": str(folder)}
