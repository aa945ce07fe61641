"""What is installed: it holds no password, binds to loopback, and is what the tools take that read it."""

import re
import shutil
import stat
import subprocess
from pathlib import Path
from typing import Any

import pytest

from adapters.settings import load_settings
from tests.ops.installed import OPS, ROOT, read, tool

COMPOSE = read("compose.yaml")
SERVICES: dict[str, Any] = COMPOSE["services"]
LASTING = [name for name in SERVICES if name != "migrate"]
_REACHED = re.compile(r"^127\.0\.0\.1:\d+:\d+$")


def test_the_compose_file_has_every_part() -> None:
    """Store, broker, coordination, engine, and what watches them."""
    assert {"postgres", "rabbitmq", "zookeeper", "dms", "prometheus", "grafana"} <= set(SERVICES)
    assert SERVICES["dms"]["command"] == ["run", "--workers", "2"]


@pytest.mark.parametrize("name", LASTING)
def test_a_part_is_watched_restarted_pinned_and_keeps_its_data(name: str) -> None:
    """A health check, a volume, a version; no port but on loopback."""
    part = SERVICES[name]
    assert part["restart"] == "unless-stopped"
    assert part["healthcheck"]["test"][0] in ("CMD", "CMD-SHELL")
    assert name == "dms" or re.search(r":v?[0-9]", part["image"])
    named = [each.partition(":")[0] for each in part["volumes"] if not each.startswith(".")]
    assert named
    assert set(named) <= set(COMPOSE["volumes"])
    assert all(_REACHED.match(port) for port in part.get("ports", []))


def test_what_is_referred_to_is_there() -> None:
    """Secrets, settings, files that are mounted, parts that are waited for."""
    for part in SERVICES.values():
        for secret in part.get("secrets", []):
            assert (secret if isinstance(secret, str) else secret["source"]) in COMPOSE["secrets"]
        for setting in part.get("configs", []):
            assert setting["source"] in COMPOSE["configs"]
        for volume in part.get("volumes", []):
            if volume.startswith("./"):
                assert (OPS / volume.partition(":")[0]).is_file()
        waited_for = part.get("depends_on", {})
        for other in waited_for:
            assert other in SERVICES
            if isinstance(waited_for, dict) and waited_for[other]["condition"] == "service_healthy":
                assert "healthcheck" in SERVICES[other]


def test_no_password_is_in_a_file_that_is_committed() -> None:
    """They come from files that secrets.sh makes, and git ignores."""
    for part in SERVICES.values():
        for name, value in part.get("environment", {}).items():
            if re.search("PASSWORD|SECRET|TOKEN", name):
                assert str(value).startswith("/run/secrets/")
            assert not re.search(r"://[^/@]*:[^/@]*@", str(value))
    assert all(each["file"].startswith("./secrets/") for each in COMPOSE["secrets"].values())
    assert "ops/secrets/" in (ROOT / ".gitignore").read_text().splitlines()
    assert "ops/secrets" in (ROOT / ".dockerignore").read_text().splitlines()


def test_docker_compose_takes_the_file() -> None:
    """Where there is a client; otherwise the tests above must do."""
    if (
        shutil.which("docker") is None
        or subprocess.run(["docker", "compose", "version"], capture_output=True, check=False).returncode
    ):
        pytest.skip("no docker compose here")
    command = ["docker", "compose", "-f", str(OPS / "compose.yaml"), "config", "--quiet"]
    run = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert run.returncode == 0, run.stderr


def test_the_secrets_are_made_once_and_for_nobody_else(tmp_path: Path) -> None:
    """Run again, the script leaves them alone."""
    shutil.copy(OPS / "secrets.sh", tmp_path)
    rounds = []
    for _ in range(2):
        subprocess.run(["sh", tmp_path / "secrets.sh"], check=True, capture_output=True, timeout=30)
        rounds.append({path.name: path.read_text() for path in (tmp_path / "secrets").iterdir()})
    made = rounds[0]
    assert rounds[1] == made
    assert set(made) == {Path(each["file"]).name for each in COMPOSE["secrets"].values()}
    assert len(made["postgres_password"]) == 48
    assert made["rabbitmq_password"] in made["rabbitmq_definitions.json"]
    assert stat.S_IMODE((tmp_path / "secrets").stat().st_mode) == 0o700


def test_the_image_is_made_of_locked_versions_and_runs_as_nobody_special() -> None:
    """With the domain compiled."""
    said = (OPS / "Dockerfile").read_text()
    assert said.count("--require-hashes") == 2
    assert said.count("FROM python:3.11-slim") == 2
    last = said.rpartition("FROM ")[2]
    for line in ("USER dms", "STOPSIGNAL SIGTERM", "HEALTHCHECK"):
        assert line in last
    assert "gcc" not in last
    assert "DMS_COMPILE=1" in said


@pytest.mark.parametrize("name", ["dms.service", "dms-migrate.service"])
def test_systemd_takes_the_unit(name: str, tmp_path: Path) -> None:
    """The program is installed elsewhere: another one stands for it here."""
    unit = tmp_path / name
    unit.write_text((OPS / name).read_text().replace("/opt/dms/bin/dms", "/bin/true"))
    run = subprocess.run(
        [tool("systemd-analyze"), "verify", "--man=no", str(unit)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (run.returncode, run.stderr) == (0, "")


def test_the_unit_stops_in_time_and_may_do_little() -> None:
    """The engine ends within 15 seconds; systemd waits for 20."""
    said = (OPS / "dms.service").read_text().splitlines()
    for line in (
        "KillSignal=SIGTERM", "TimeoutStopSec=20", "Restart=always", "NoNewPrivileges=yes", "ProtectSystem=strict",
        "DynamicUser=yes", "CapabilityBoundingSet=",
    ):  # fmt: skip
        assert line in said


def test_scripts_are_sound_and_can_be_run() -> None:
    """As their shells read them."""
    for name, shell in (("services.sh", "bash"), ("secrets.sh", "sh")):
        assert (OPS / name).stat().st_mode & stat.S_IXUSR
        subprocess.run([shell, "-n", OPS / name], check=True, timeout=30)


def test_services_that_run_are_left_alone(tmp_path: Path) -> None:
    """Whatever listens on the port is found, and nothing is installed or started."""
    import socket

    with socket.create_server(("127.0.0.1", 0)) as server:
        port = str(server.getsockname()[1])
        environment = {
            "PATH": "/usr/bin:/bin", "POSTGRESQL_PORT": port, "RABBITMQ_PORT": port, "ZOOKEEPER_PORT": port,
            "SERVICES_HOME": str(tmp_path / "home"),
        }  # fmt: skip
        run = subprocess.run(
            [OPS / "services.sh"], env=environment, capture_output=True, text=True, timeout=30, check=False
        )
    assert (run.returncode, run.stderr) == (0, "")
    assert [line.partition(" on port")[0] for line in run.stdout.splitlines()] == [
        f"services: {name} runs already" for name in ("PostgreSQL", "RabbitMQ", "ZooKeeper")
    ]
    assert not (tmp_path / "home").exists()


def test_a_service_that_nobody_knows_is_wrong_use(tmp_path: Path) -> None:
    """Told in one line, before anything is done."""
    run = subprocess.run([OPS / "services.sh", "kafka"], capture_output=True, text=True, timeout=30, check=False)
    assert run.returncode == 2
    assert run.stderr == "services: unknown: kafka (postgresql, rabbitmq, zookeeper, --tools)\n"


def test_the_containers_settings_are_settings(tmp_path: Path) -> None:
    """Every variable of the engine's container is one that it knows, the passwords read from their files."""
    (tmp_path / "secret").write_text("s3cret")
    environment = {
        name: str(tmp_path / "secret") if name.endswith("_FILE") else value
        for name, value in SERVICES["dms"]["environment"].items()
    }
    settings = load_settings(environment=environment)
    assert (settings.workers, settings.log_format) == (2, "json")
