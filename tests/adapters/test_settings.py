"""Settings: a file, the environment over it, options over both; every fault on one line that names its place."""

import os
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.part_urls import Ensemble, Secret, Server
from adapters.settings import PACKAGED_POLICY, Settings, SettingsError, Unusable, live_settings, load_settings
from domain.calendar import DAY, MINUTE


def faults_of(text: str, tmp_path: Path, environment: dict[str, str] | None = None, **options: object) -> list[str]:
    """What is said about a file, an environment and options; a place in the file is shown without its folder."""
    file = tmp_path / "dms.toml"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(SettingsError) as refused:
        load_settings(file, options, environment or {})
    return [fault.replace(f"{tmp_path}/", "") for fault in refused.value.faults]


def test_without_settings_a_node_runs_on_embedded_parts() -> None:
    """No file, no variables, no options: SQLite, memory, the packaged policy, HTTP on loopback."""
    found = load_settings(None, {}, {})
    assert found == Settings()
    assert found.store_path == Path("dms.db")
    assert found.http_address == ("127.0.0.1", 8080)
    assert (found.policy, found.policy.is_dir()) == (PACKAGED_POLICY, True)
    assert (found.hold_unknown, found.ids_remembered) == (10 * MINUTE, 90 * DAY)


def test_a_file_sets_everything(tmp_path: Path) -> None:
    """Sections and dotted keys are the same thing."""
    file = tmp_path / "dms.toml"
    file.write_text(
        """
        store = "sqlite:////var/lib/dms/dms.db"
        broker = "memory://"
        coordination = "local://"
        policy = "policies/mine"
        http = "[::1]:9000"
        workers = 2
        shards = 8
        hold_unknown = "90s"
        ids_remembered = "30d"
        active_max = 1000
        log.level = "TRACE"
        log.format = "json"
        [out]
        batch = 50
        file = "out.jsonl"
        """
    )
    expected = Settings(
        store="sqlite:////var/lib/dms/dms.db",
        policy=Path("policies/mine"),
        http="[::1]:9000",
        workers=2,
        shards=8,
        hold_unknown=90_000_000,
        ids_remembered=30 * DAY,
        active_max=1000,
        log_level="TRACE",
        log_format="json",
        out_batch=50,
        out_file=Path("out.jsonl"),
    )
    assert load_settings(file, {}, {}) == expected
    assert expected.store_path == Path("/var/lib/dms/dms.db")
    assert expected.http_address == ("::1", 9000)


def test_options_go_over_the_environment_and_that_over_the_file(tmp_path: Path) -> None:
    """Each layer changes only what it names; an option of None was not given."""
    file = tmp_path / "dms.toml"
    file.write_text('workers = 2\nshards = 3\nlog.level = "INFO"\n')
    environment = {"DMS_SHARDS": "5", "DMS_LOG_LEVEL": "debug"}
    found = load_settings(file, {"workers": 4, "http": None, "log.level": "OFF"}, environment)
    assert (found.workers, found.shards, found.log_level) == (4, 5, "OFF")


def test_a_variable_may_name_the_file(tmp_path: Path) -> None:
    """``DMS_CONFIG`` stands in for the option, which goes over it."""
    one, other = tmp_path / "one.toml", tmp_path / "other.toml"
    one.write_text("shards = 1\n")
    other.write_text("shards = 2\n")
    assert load_settings(None, {}, {"DMS_CONFIG": str(one)}).shards == 1
    assert load_settings(other, {}, {"DMS_CONFIG": str(one)}).shards == 2


def test_a_file_in_which_all_is_commented_out_is_fine(tmp_path: Path) -> None:
    """That is how settings are shipped."""
    file = tmp_path / "dms.toml"
    for text in ("", '# store = "sqlite:///x.db"\n'):
        file.write_text(text)
        assert load_settings(file, {}, {}) == Settings()


def test_http_is_off_where_it_is_empty() -> None:
    """The empty text is a value, also in the environment."""
    assert load_settings(None, {}, {"DMS_HTTP": ""}).http_address is None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('\nstor = "x"\n', 'dms.toml:2: unknown setting "stor" (did you mean store?)'),
        ('[log]\n\nlevle = "x"\n', 'dms.toml:3: unknown setting "log.levle" (did you mean log.level?)'),
        ('[out]\nfiel = "x"\n', 'dms.toml:2: unknown setting "out.fiel" (did you mean out.file?)'),
        ('log = "INFO"\n', 'dms.toml:1: log is a table, not "INFO" (write [log])'),
        (
            'log.level = "LOUD"\n',
            'dms.toml:1: log.level must be one of ALL, TRACE, DEBUG, INFO, WARN, ERROR, OFF, not "LOUD"',
        ),
        ("log.level = 3\n", "dms.toml:1: log.level must be a string, not 3 (in quotes)"),
        ('workers = "two"\n', 'dms.toml:1: workers must be a whole number, not "two" (unquoted)'),
        ('workers = "2"\n', 'dms.toml:1: workers must be a whole number, not "2" (unquoted)'),
        ("workers = true\n", "dms.toml:1: workers must be a whole number, not true (unquoted)"),
        ("workers = 0\n", "dms.toml:1: workers must be between 1 and 256, not 0"),
        (
            'hold_unknown = "10 minutes"\n',
            'dms.toml:1: hold_unknown must be a duration, not "10 minutes" (such as "90s", "10m", "4h" or "90d")',
        ),
        ('hold_unknown = "0s"\n', 'dms.toml:1: hold_unknown must be a duration, not "0s" (such as'),
        ('http = "8080"\n', 'dms.toml:1: http must be HOST:PORT, not "8080" (such as'),
        ('http = "localhost:99999"\n', 'dms.toml:1: http must be HOST:PORT, not "localhost:99999" (such as'),
        ('policy = ""\n', "dms.toml:1: policy must have between 1 and 1000 printable characters"),
        ("store = [\n", "dms.toml:2: not TOML: "),
        (
            'store = "sqlite:///"\n',
            'dms.toml:1: store must name a file (such as "sqlite:///dms.db" or "sqlite:////var/lib/dms/dms.db")',
        ),
        ('store = "dms.db"\n', 'dms.toml:1: store must be a URL (such as "sqlite:///dms.db" or "postgresql://'),
        ('store = "postgresql://db"\n', 'dms.toml:1: store must name a database (such as "postgresql://'),
        ('store = "postgresql:///dms"\n', "dms.toml:1: store must name one host (such as"),
        ('store = "postgresql://a,b/dms"\n', "dms.toml:1: store must name one host (such as"),
        ('store = "postgresql://db:5x/dms"\n', "dms.toml:1: store must name its hosts as HOST:PORT (such as"),
        ('store = "postgresql://db/dms?ssl=1"\n', "dms.toml:1: store takes other options (such as application_name"),
        ('broker = "amqp:///"\n', "dms.toml:1: broker must name one host (such as"),
        ('broker = "amqp://mq/a/b"\n', "dms.toml:1: broker must name one virtual host (such as"),
        ('coordination = "zookeeper://"\n', "dms.toml:1: coordination must name a host (such as"),
        ('coordination = "zookeeper://zk/a//b"\n', "dms.toml:1: coordination must end in the path of a node (such as"),
        ('node = "узел"\n', "dms.toml:1: node must be up to 100 letters, digits and ._- of ASCII, not"),
        ('lease = "1h"\n', 'dms.toml:1: lease must be between 1s and 10m, not "1h"'),
        ('policy = "zookeeper:/dms"\n', "dms.toml:1: policy takes nothing after zookeeper: (write"),
        (
            'policy = "zookeeper:"\n',
            'dms.toml:1: policy cannot be zookeeper: while coordination is local:// (write "local:", or a file or a',
        ),
        (
            'store = "postgresql://dms@db/dms"\n[broker]\nurl = "memory://"\npassword = "x"\n',
            "dms.toml:4: broker.password is not for this file (write broker.password_file, or set DMS_BROKER_PASSWORD)",
        ),
        (
            'broker = "amqp://dms@mq"\n',
            "dms.toml:1: broker has a user and no password (set broker.password_file or DMS_BROKER_PASSWORD)",
        ),
        ('broker = "memory://x"\n', 'dms.toml:1: broker takes nothing after memory:// (write "memory://")'),
    ],
)
def test_a_fault_is_one_line_with_its_place_and_a_hint(text: str, expected: str, tmp_path: Path) -> None:
    """File and line, what is wrong, what would be right."""
    (fault,) = faults_of(text, tmp_path)
    assert fault.startswith(expected)
    assert fault.count("\n") == 0


@pytest.mark.parametrize(
    ("name", "url"),
    [("broker", "kafka://dms:hunter2@mq/"), ("store", "mysql://dms:hunter2@db/dms"), ("coordination", "zk://hunter2")],
)
def test_technology_that_is_not_there_is_refused_without_its_password(name: str, url: str, tmp_path: Path) -> None:
    """One clear line that says what there is, and never quotes the URL."""
    (fault,) = faults_of(f'{name} = "{url}"\n', tmp_path)
    scheme = url.partition(":")[0]
    assert fault.startswith(f"dms.toml:1: {name} cannot be {scheme}://")
    assert ("not in this release" in fault) is (scheme == "kafka")
    assert "such as" in fault
    assert "hunter2" not in fault


@pytest.mark.parametrize(
    ("name", "url"),
    [
        ("store", "postgresql://dms:hunter2@db/dms"),
        ("store", "postgresql://dms@db/dms?password=hunter2"),
        ("store", "postgresql://dms:hun#ter2@db/dms"),
        ("store", "postgresql://dms:hunter2@@db/dms"),
        ("broker", "amqp://dms:hunter2@mq/"),
        ("broker", "amqps://dms:hunter2@mq/"),
        ("coordination", "zookeeper://dms:hunter2@zk/"),
    ],
)
def test_a_url_with_a_password_is_refused(name: str, url: str, tmp_path: Path) -> None:
    """It says where the password comes from instead, and does not say it again."""
    (fault,) = faults_of(f'{name} = "{url}"\n', tmp_path)
    assert fault == (
        f"dms.toml:1: {name} must hold no password (it comes from {name}.password_file or DMS_{name.upper()}_PASSWORD)"
    )


def test_servers_are_named_by_urls() -> None:
    """User, host, port, and what is meant on it; ports have their usual defaults."""
    environment = {
        "DMS_STORE": "postgresql://dms@db.example/debts?sslmode=require",
        "DMS_BROKER": "amqps://billing@[::1]:5999/dms%2Ftest",
        "DMS_BROKER_PASSWORD": "b",
        "DMS_COORDINATION": "zookeeper://zk1,zk2:2182,[::1]/operators/dms",
        "DMS_POLICY": "zookeeper:",
        "DMS_NODE": "node-1",
    }
    found = load_settings(None, {}, environment)
    assert (found.store_kind, found.broker_kind, found.coordination_kind) == ("postgresql", "amqp", "zookeeper")
    assert found.store_server == Server(
        scheme="postgresql", host="db.example", port=5432, name="debts", user="dms", options=(("sslmode", "require"),)
    )
    assert found.broker_server == Server(
        scheme="amqps", host="::1", port=5999, name="dms/test", user="billing", password=Secret("b")
    )
    assert found.ensemble == Ensemble(hosts=("zk1:2181", "zk2:2182", "[::1]:2181"), root="/operators/dms")
    assert (found.policy_kind, found.node_name()) == ("published", "node-1")
    assert str(found.ensemble) == "zookeeper://zk1:2181,zk2:2182,[::1]:2181/operators/dms"


def test_the_shortest_urls_mean_the_usual() -> None:
    """The virtual host ``/``, the node ``/dms``, a database over a local socket."""
    environment = {
        "DMS_STORE": "postgresql:///dms?host=/var/run/postgresql",
        "DMS_BROKER": "amqp://mq",
        "DMS_COORDINATION": "zookeeper://zk",
    }
    found = load_settings(None, {}, environment)
    assert (found.store_server.host, found.store_server.options) == ("", (("host", "/var/run/postgresql"),))
    assert (found.broker_server.name, found.broker_server.user) == ("/", None)
    assert (found.ensemble.hosts, found.ensemble.root) == (("zk:2181",), "/dms")


def test_a_part_may_be_a_table_with_the_file_of_its_password(tmp_path: Path) -> None:
    """A line break at the end of a password's file is none of the password."""
    secret = tmp_path / "store.password"
    secret.write_text("hunter2\n")
    file = tmp_path / "dms.toml"
    file.write_text(f'[store]\nurl = "postgresql://dms@db/dms"\npassword_file = "{secret}"\n')
    found = load_settings(file, {}, {})
    assert found.store_password == Secret("hunter2")
    assert load_settings(file, {}, {"DMS_STORE_PASSWORD": "other"}).store_password == Secret("other")
    assert load_settings(None, {}, {"DMS_STORE": found.store, "DMS_STORE_PASSWORD_FILE": str(secret)}) == found


def test_a_password_is_shown_to_nobody() -> None:
    """Neither by the settings nor by the server they name; who needs it asks for it."""
    environment = {"DMS_STORE": "postgresql://dms@db/dms", "DMS_STORE_PASSWORD": "hunter2"}
    found = load_settings(None, {}, environment)
    for each in (found, found.store_server, found.store_password):
        assert "hunter2" not in f"{each} {each!r}"
    assert found.store_server.password is not None
    assert found.store_server.password.reveal() == "hunter2"


@pytest.mark.parametrize("content", [b"", b"\n", b"hunter2\nand more\n", b"hunter2\xff", b"hunter2" * 1_000])
def test_a_password_that_is_none_is_not_quoted(content: bytes, tmp_path: Path) -> None:
    """One line that names the file, and nothing of what is in it."""
    secret = tmp_path / "secret"
    secret.write_bytes(content)
    (fault,) = faults_of(f'[store]\npassword_file = "{secret}"\n', tmp_path)
    assert fault.startswith("dms.toml:2: store.password_file must hold one line of text, and nothing else: ")
    (fault,) = faults_of("", tmp_path, {"DMS_STORE_PASSWORD": content.decode("latin-1") + "\n"})
    assert fault.startswith("DMS_STORE_PASSWORD: store.password must have between 1 and 1000 printable characters")
    assert "hunter2" not in fault


def test_a_file_of_a_password_that_is_not_there_is_a_fault(tmp_path: Path) -> None:
    """Better known at the start than at the first connection."""
    (fault,) = faults_of('[broker]\npassword_file = "none"\n', tmp_path)
    assert fault == 'dms.toml:2: broker.password_file cannot be read: "none": No such file or directory'


def test_a_password_needs_a_user_and_one_place(tmp_path: Path) -> None:
    """Two places, or nobody to whom it belongs, are mistakes."""
    (fault,) = faults_of('coordination = "zookeeper://zk"\n', tmp_path, {"DMS_COORDINATION_PASSWORD": "hunter2"})
    said = "DMS_COORDINATION_PASSWORD: coordination has a password and no user (write USER@ before its host)"
    assert fault == said
    secret = tmp_path / "secret"
    secret.write_text("x")
    environment = {"DMS_STORE_PASSWORD": "y", "DMS_STORE_PASSWORD_FILE": str(secret)}
    (fault,) = faults_of('store = "postgresql://dms@db/dms"\n', tmp_path, environment)
    assert fault == "DMS_STORE_PASSWORD: store.password is also in DMS_STORE_PASSWORD_FILE (set one of them)"


def test_each_process_of_a_node_has_a_name_of_its_own() -> None:
    """Of the host and the process where nobody gave one; numbered where one node has several."""
    assert Settings().node_name() == Settings().node_name(1)
    assert Settings().node_name().endswith(f"-{os.getpid()}")
    assert [Settings(node="n", workers=2).node_name(worker) for worker in (0, 1)] == ["n-0", "n-1"]


def test_what_is_published_goes_over_the_settings_that_may_change_live() -> None:
    """The values are text, as they were typed, and are checked like all others."""
    found = live_settings(Settings(log_level="OFF", shards=8), {"log.level": "debug", "out.batch": "50"})
    assert found == Settings(log_level="DEBUG", shards=8, out_batch=50)
    with pytest.raises(SettingsError) as refused:
        live_settings(Settings(), {"log.level": "LOUD", "store": "x", "log.levle": "x"})
    live = "those that can be changed live are log.level, out.batch, hold_unknown, ids_remembered, active_max"
    assert refused.value.faults == [
        'log.level must be one of ALL, TRACE, DEBUG, INFO, WARN, ERROR, OFF, not "LOUD"',
        f"store is read when a node starts: {live}",
        f"log.levle is no setting (did you mean log.level?): {live}",
    ]


def test_a_store_that_is_no_file_has_no_path() -> None:
    """It is said so, instead of making a file of a strange name."""
    with pytest.raises(Unusable, match="works on a store in a SQLite file, not on postgresql"):
        _ = Settings(store="postgresql://db/dms").store_path
    assert Settings(store="sqlite:////var/dms/a.db").published_folder == Path("/var/dms/dms.conf.d")
    assert Settings(store="postgresql://db/dms").published_folder == Path("dms.conf.d")


def test_every_fault_of_every_layer_is_told(tmp_path: Path) -> None:
    """In order of the layers, also where a later layer would have put it right."""
    faults = faults_of("workers = 0\nshards = 0\n", tmp_path, {"DMS_SHARDS": "x", "DMS_SHARSD": "1"}, workers=1_000)
    assert faults == [
        "DMS_SHARSD: no such setting (did you mean DMS_SHARDS?)",
        "dms.toml:1: workers must be between 1 and 256, not 0",
        "dms.toml:2: shards must be between 1 and 4096, not 0",
        'DMS_SHARDS: shards must be a whole number, not "x"',
        "--workers: workers must be between 1 and 256, not 1000",
    ]


def test_variables_that_others_set_are_left_alone() -> None:
    """Kubernetes sets some for every service called dms…, the build has its own."""
    environment = {
        "DMS_COMPILE": "0",
        "DMS_SERVICE_HOST": "10.0.0.1",
        "DMS_SERVICE_PORT_HTTP": "80",
        "DMS_PORT": "tcp://10.0.0.1:80",
        "DMS_PORT_80_TCP_ADDR": "10.0.0.1",
        "DMS_CONSOLE_SERVICE_HOST": "10.0.0.1",
        "DMS_CONSOLE_PORT_80_TCP": "tcp://10.0.0.1:80",
        "DMSX": "1",
    }
    assert load_settings(None, {}, environment) == Settings()


def test_a_file_that_is_not_there_is_a_fault(tmp_path: Path) -> None:
    """So is a folder."""
    for path in (tmp_path / "none.toml", tmp_path):
        with pytest.raises(SettingsError) as refused:
            load_settings(path, {}, {})
        assert len(refused.value.faults) == 1


KEYS = st.sampled_from(
    ["store", "broker", "coordination", "policy", "http", "log.level", "log", "out.file", "workers", "[log]", "[x]"]
)
VALUES = st.sampled_from(
    [
        '"amqp://a@b:c/d"',
        '"postgresql://[a/b"',
        '"zookeeper://a,b/c"',
        '{url="x"}',
        '"x"',
        "1",
        "true",
        "[]",
        "{}",
        '"sqlite:///a.db"',
        '"\\u0000"',
        '"INFO"',
        "1e99",
        "9" * 5_000,
        "1979-05-27",
        '""',
    ]
)
LINES = st.one_of(st.builds(lambda key, value: f"{key} = {value}", KEYS, VALUES), KEYS, st.text(max_size=20))
VARIABLES = st.sampled_from(["DMS_HTTP", "DMS_WORKERS", "DMS_STORE", "DMS_OUT_FILE", "DMS_CONFIG", "DMS_"])


def outcome(file: Path | None, environment: dict[str, str]) -> Settings | list[str]:
    """The settings, or what is said instead."""
    try:
        return load_settings(file, {}, environment)
    except SettingsError as refused:
        return refused.faults


def is_sound(found: Settings | list[str]) -> bool:
    """Settings, or at least one fault, each of them one line of a bearable length."""
    if isinstance(found, Settings):
        return True
    return bool(found) and all(fault.isprintable() and len(fault) < 1_000 for fault in found)


@settings(deadline=None)
@given(st.one_of(st.binary(max_size=200), st.lists(LINES, max_size=6).map(lambda lines: "\n".join(lines).encode())))
def test_whatever_the_file_holds_it_is_settings_or_lines(content: bytes) -> None:
    """Never another exception, never a fault of more than one line."""
    with TemporaryDirectory() as folder:
        file = Path(folder) / "dms.toml"
        file.write_bytes(content)
        assert is_sound(outcome(file, {}))


@settings(deadline=None)
@given(st.dictionaries(VARIABLES, st.text(max_size=30)))
def test_whatever_the_environment_holds_it_is_settings_or_lines(environment: dict[str, str]) -> None:
    """The same of variables."""
    assert is_sound(outcome(None, environment))
