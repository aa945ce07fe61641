"""Settings: a file, the environment over it, options over both; every fault on one line that names its place."""

from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.settings import PACKAGED_POLICY, Settings, SettingsError, load_settings
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
        ('store = "dms.db"\n', 'dms.toml:1: store must be a URL (such as "sqlite:///dms.db")'),
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
    [
        ("store", "postgresql://dms:hunter2@db/dms"),
        ("broker", "amqp://dms:hunter2@mq/"),
        ("broker", "kafka://dms:hunter2@mq/"),
        ("coordination", "zookeeper://dms:hunter2@zk/"),
        ("store", "mysql://dms:hunter2@db/dms"),
    ],
)
def test_technology_of_a_later_release_is_refused_without_its_password(name: str, url: str, tmp_path: Path) -> None:
    """One clear line that says what this release runs on, and never quotes the URL."""
    (fault,) = faults_of(f'{name} = "{url}"\n', tmp_path)
    scheme = url.partition(":")[0]
    assert fault.startswith(f"dms.toml:1: {name} cannot be {scheme}://")
    assert "this release runs on sqlite, memory and local" in fault
    assert "hunter2" not in fault


def test_a_policy_in_zookeeper_is_refused() -> None:
    """This release reads policies from files."""
    with pytest.raises(SettingsError, match="reads policies from files"):
        load_settings(None, {}, {"DMS_POLICY": "zookeeper:"})


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


KEYS = st.sampled_from(["store", "broker", "policy", "http", "log.level", "log", "out.file", "workers", "[log]", "[x]"])
VALUES = st.sampled_from(
    ['"x"', "1", "true", "[]", "{}", '"sqlite:///a.db"', '"\\u0000"', '"INFO"', "1e99", "9" * 5_000, "1979-05-27", '""']
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
