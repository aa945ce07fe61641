"""The command line: `dms`.

Commands are a table of names, and functions that are imported when they are called for: what a newcomer types first,
`dms --help`, imports nothing of the engine. What is wrong is told in one line, without a traceback: status 2 for wrong
use and unreadable input, 1 for failure.
"""

import os
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from importlib import import_module
from typing import Final, NamedTuple

FINE: Final = 0
FAILED: Final = 1
WRONG_USE: Final = 2
INTERRUPTED: Final = 130
PIPE_CLOSED: Final = 141
"""What a shell reports of a program that SIGPIPE ended: the reader had enough, which is no failure."""

STANDARD: Final = "-"
_STANDARD_AS_FILE: Final = "./-"


class WrongUse(Exception):
    """The command cannot be meant like this; the text says what to do."""


class Failure(Exception):
    """The command could not do what it was asked for; the text says what to do."""


class Command(NamedTuple):
    """Where a command's function is, and what it does in a line."""

    function: str
    does: str


COMMANDS: Final = {
    "run": Command("adapters.cli_run:run", "the production engine: consumes, works, publishes, serves HTTP"),
    "demo": Command("adapters.cli_commands:demo", "a synthetic operator on an accelerated clock: begin here"),
    "replay": Command("adapters.cli_replay:replay", "recorded events on a virtual clock; what leaves, as JSON lines"),
    "import": Command("adapters.cli_commands:import_csv", "a payment history (CSV) as events"),
    "policy check": Command("adapters.cli_commands:policy_check", "what a policy says, or what is wrong and where"),
    "policy diff": Command("adapters.cli_commands:policy_diff", "what another policy changes, and for whom"),
    "policy publish": Command("adapters.cli_publish:policy_publish", "makes a policy hold in all nodes"),
    "policy history": Command("adapters.cli_publish:policy_history", "the policies that were published"),
    "policy rollback": Command("adapters.cli_publish:policy_rollback", "makes an old one hold again"),
    "config get": Command("adapters.cli_config:config_get", "the settings that can be changed while nodes run"),
    "config set": Command("adapters.cli_config:config_set", "changes one of them in all nodes"),
    "config watch": Command("adapters.cli_config:config_watch", "tells of each change as it comes"),
    "config history": Command("adapters.cli_config:config_history", "the changes that were made"),
    "config rollback": Command("adapters.cli_config:config_rollback", "sets them as they were"),
    "simulate": Command("adapters.cli_simulate:simulate", "policies compared on a synthetic portfolio, with intervals"),
    "calibrate": Command("adapters.cli_calibrate:calibrate", "how debtors pay, fitted to their payment history"),
    "search": Command("adapters.cli_search:search", "looks for a better policy on simulated debtors"),
    "backtest": Command("adapters.cli_backtest:backtest", "recorded events under two policies: what changes"),
    "profile": Command("adapters.cli_profile:profile", "a debt, its history, what comes next and why"),
    "store verify": Command("adapters.cli_commands:store_verify", "checks every invariant of the stored data"),
    "store migrate": Command("adapters.cli_commands:store_migrate", "brings the store's schema up to this release"),
    "store reconcile": Command(
        "adapters.cli_reconcile:store_reconcile", "after a restore: what had left against what would leave now"
    ),
    "store trim": Command("adapters.cli_commands:store_trim", "drops old months of the journal"),
}
_HELP: Final = frozenset({"--help", "-h"})
_ENDING: Final = """
Options of every command:
  --help   what it takes, with an example
  --debug  where it fails, a traceback

Example:
  dms replay --policy policies/telecom --out commands.jsonl events.jsonl
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command; returns the exit status."""
    tokens = list(sys.argv[1:] if arguments is None else arguments)
    debug = _taken(tokens, "--debug")
    name = ""
    try:
        if not tokens or tokens[0] in _HELP or tokens == ["help"]:
            print(_overview(COMMANDS))
        elif tokens == ["--version"]:
            print(f"dms {_version()}")
        else:
            name, rest = _chosen(tokens)
            status = _call(name, rest)
            sys.stdout.flush()
            return status
        sys.stdout.flush()
    except BrokenPipeError:
        _drop_stdout()
        return PIPE_CLOSED
    except KeyboardInterrupt:
        return INTERRUPTED
    except Exception as error:
        status = explain(name, error, debug)
        try:
            sys.stdout.flush()
        except OSError:
            _drop_stdout()
        return status
    return FINE


def explain(name: str, error: Exception, debug: bool = False) -> int:
    """Says on standard error what went wrong with a command; the exit status."""
    if debug:
        from traceback import print_exception

        print_exception(error)
    status, lines = _told(error)
    for line in lines:
        print(f"dms {name}: {line}" if name else f"dms: {line}", file=sys.stderr)
    return status


def file_named(text: str) -> str:
    """A file's name as the caller meant it: `-` is the standard stream."""
    return STANDARD if text == _STANDARD_AS_FILE else text


def out_named(text: str | None) -> str | None:
    """The same of `--out`, known to have a folder to be written into; None is the standard output."""
    if text is None or text == _STANDARD_AS_FILE:
        return None
    folder = os.path.dirname(os.path.realpath(text))
    if not os.path.isdir(folder):
        raise WrongUse(f"--out {text}: there is no folder {folder}")
    if os.path.isdir(text):
        raise WrongUse(f"--out {text}: is a folder")
    return text


def _chosen(tokens: list[str]) -> tuple[str, list[str]]:
    """The command that the first tokens name, and the others; what asks for help is answered by the caller's table."""
    pair = " ".join(tokens[:2])
    if pair in COMMANDS:
        return pair, tokens[2:]
    if tokens[0] in COMMANDS:
        return tokens[0], tokens[1:]
    group = {name: command for name, command in COMMANDS.items() if name.startswith(f"{tokens[0]} ")}
    if group and (len(tokens) == 1 or tokens[1] in _HELP):
        print(_overview(group))
        return "", []
    from difflib import get_close_matches

    asked = pair if group else tokens[0]
    known = group or {*COMMANDS, *(name.partition(" ")[0] for name in COMMANDS)}
    near = get_close_matches(asked[:60], sorted(known), n=1)
    hint = f"did you mean dms {near[0]}?" if near else "dms --help lists the commands"
    raise WrongUse(f"no command {asked[:60]!r} ({hint})")


def _call(name: str, tokens: list[str]) -> int:
    if not name:
        return FINE
    from cyclopts import App
    from cyclopts.exceptions import CycloptsError

    module, _, function = COMMANDS[name].function.partition(":")
    command: Callable[..., int] = getattr(import_module(module), function)
    app = App(
        name=f"dms {name}",
        default_command=command,
        help_flags=sorted(_HELP),
        version_flags=[],
        help=_unwrapped(command.__doc__ or ""),
        help_format="plaintext",
        result_action="return_value",
    )
    app["--help"].show = False
    # A lone hyphen is a file to us, and an unknown option to the parser.
    tokens = [_STANDARD_AS_FILE if token == STANDARD else token for token in tokens]
    try:
        status = app(tokens, exit_on_error=False, print_error=False)
    except CycloptsError as error:
        said = " ".join(str(error).split()).rstrip(".")
        raise WrongUse(f"{said} (dms {name} --help)") from None
    return status if isinstance(status, int) else FINE


def _unwrapped(text: str) -> str:
    """A docstring with each paragraph on one line, for the terminal to wrap; what is indented stays as it is."""
    from inspect import cleandoc

    paragraphs = cleandoc(text).split("\n\n")
    return "\n\n".join(each if each.startswith(" ") else " ".join(each.split()) for each in paragraphs)


def _overview(commands: dict[str, Command]) -> str:
    width = max(len(name) for name in commands)
    lines = [f"  {name:<{width}}  {command.does}" for name, command in commands.items()]
    whole = len(commands) == len(COMMANDS)
    usage = "dms COMMAND [OPTIONS]" if whole else f"dms {next(iter(commands)).partition(' ')[0]} COMMAND [OPTIONS]"
    first = ["DMS: working receivables, from a reminder to the end of the contract.", ""] if whole else []
    return "\n".join([*first, f"Usage: {usage}", "", *lines, *([_ENDING.rstrip()] if whole else [])])


def _told(error: Exception) -> tuple[int, list[str]]:
    """The exit status and the lines for what went wrong."""
    from adapters.faults import PolicyError
    from adapters.settings import SettingsError, Unusable

    if isinstance(error, (PolicyError, SettingsError)):
        return WRONG_USE, [str(fault) for fault in error.faults]
    if isinstance(error, (WrongUse, *_input_errors())):
        return WRONG_USE, [_line(str(error))]
    if isinstance(error, (Failure, Unusable)):
        return FAILED, [_line(str(error))]
    if isinstance(error, OSError) and error.strerror:
        named = f"{error.filename}: " if error.filename is not None else ""
        return FAILED, [_line(f"{named}{error.strerror}")]
    said = _line(f"{type(error).__name__}: {error}")
    return FAILED, [f"{said} (a fault of this program: --debug shows where)"]


def _input_errors() -> tuple[type[Exception], ...]:
    """Those of readers that were used at all: to import them here would only slow down a wrong use."""
    named = (("adapters.json_lines", "InputError"), ("adapters.history_rows", "OptionError"))
    return tuple(getattr(sys.modules[module], name) for module, name in named if module in sys.modules)


def _line(text: str) -> str:
    return " ".join(text.split())[:1_000]


def _taken(tokens: list[str], flag: str) -> bool:
    """Takes a flag out of what stands before `--`."""
    end = tokens.index("--") if "--" in tokens else len(tokens)
    found = flag in tokens[:end]
    tokens[:end] = [token for token in tokens[:end] if token != flag]
    return found


def _version() -> str:
    from importlib.metadata import version

    return version("dms")


def _drop_stdout() -> None:
    """What is still buffered goes nowhere: the interpreter would complain about it at its end."""
    with suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
