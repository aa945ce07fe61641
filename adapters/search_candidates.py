"""Candidates of a search: the files of a policy and an experiment with other values in them, loaded as ever."""

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import tomlkit

from adapters.cli import WrongUse
from adapters.experiment_file import ExperimentFile, load_experiment
from adapters.faults import Fault, PolicyError
from adapters.policy_files import ENGINE_SETTINGS, MANAGERS, load_policy
from adapters.search_file import KEPT, SearchAsked, Vary
from adapters.toml_edits import DROPPED, Edits, put, taken
from domain.policy import Policy
from sim.search import Candidate, Parameter, SearchPlan, Values

_VERSION: Final = "policy.version"


class Candidates:
    """From values to candidates. ``policy`` is the path of today's policy, ``file`` the experiment with its search."""

    def __init__(self, file: ExperimentFile, asked: SearchAsked, policy: Path, days: int | None = None) -> None:
        self._file: Final = file
        self._asked: Final = asked
        self._path: Final = policy
        self._days: Final = days

    def base(self) -> Candidate:
        """What holds today. Raises `WrongUse` where so many days cannot be simulated."""
        base = self._candidate(load_policy(self._path), self._file)
        if base.scenario.flaw:
            raise WrongUse(base.scenario.flaw)
        return base

    def plan(self) -> SearchPlan:
        """The search as the file has it, with what holds today. Raises `PolicyError` for what is not there to change,
        or may be changed to nothing that the loader takes."""
        faults = []
        parameters = []
        for vary in self._asked.vary:
            now = self._now(vary)
            wrong = self._wrong(vary)
            if wrong:
                faults.append(Fault(vary.place.file, vary.place.line, f"vary: {wrong}"))
            parameters.append(
                Parameter(
                    name=vary.path, values=vary.values, ordered=vary.ordered, now=now, monthly=vary.monthly
                )
            )  # fmt: skip
        if faults:
            raise PolicyError(faults)
        asked = self._asked
        return SearchPlan(
            parameters=tuple(parameters),
            limits=asked.limits,
            figure=asked.figure,
            trials=asked.trials,
            replications=asked.replications,
            confirm=asked.confirm,
        )

    def made(self, values: Values) -> Candidate | str:
        """The candidate of ``values``; the loader's first complaint, if they make no policy together."""
        try:
            policy = load_policy(self._path, self._edits(values, is_capacity=False))
            file = load_experiment(self._file.path, self._edits(values, is_capacity=True))
        except PolicyError as error:
            return error.faults[0].message
        return self._candidate(policy, file)

    def experiment_beside(self, folder: Path) -> Path | None:
        """Where `write` would put the experiment; None where nothing of it may be changed."""
        capacity = any(vary.is_capacity for vary in self._asked.vary)
        return folder.with_name(f"{folder.name}.experiment.toml") if capacity else None

    def write(self, values: Values, folder: Path) -> list[Path]:
        """Writes the policy with ``values`` into a new folder: its author's files and comments, a version higher where
        they change it. The experiment is written beside the folder where they change that.

        Raises FileExistsError where the folder is there already.
        """
        folder.mkdir(parents=True)
        changes = self._differences(values, is_capacity=False)
        written = []
        for file in _files(self._path):
            document: Any = tomlkit.parse(file.read_text(encoding="utf-8-sig"))
            if file.name != MANAGERS:
                for path, value in changes.items():
                    put(document, path, value)
                version = taken(document, _VERSION)
                if changes and isinstance(version, int):
                    put(document, _VERSION, version + 1)
            (folder / file.name).write_text(tomlkit.dumps(document), encoding="utf-8")
            written.append(folder / file.name)
        changes = self._differences(values, is_capacity=True)
        beside = self.experiment_beside(folder)
        if changes and beside is not None:
            beside.write_text(self._experiment(changes, beside.parent), encoding="utf-8")
            written.append(beside)
        return written

    def _experiment(self, changes: dict[str, object], folder: Path) -> str:
        """The experiment with ``changes``, and with paths that lead from ``folder`` where its own did."""
        document: Any = tomlkit.parse(self._file.path.read_text(encoding="utf-8-sig"))
        for path, value in changes.items():
            put(document, path, value)

        def seen(path: str) -> str:
            if os.path.isabs(path):
                return path
            return os.path.relpath((self._file.path.parent / path).resolve(), folder.resolve())

        policies = taken(document, "experiment.policies")
        if isinstance(policies, list):
            put(document, "experiment.policies", [seen(each) for each in policies])
        for behaviour in document["behaviour"].values():
            if "file" in behaviour:
                behaviour["file"] = seen(behaviour["file"])
        return tomlkit.dumps(document)

    def _differences(self, values: Values, is_capacity: bool) -> dict[str, object]:
        """What of ``values`` is not as it is today."""
        now = {vary.path: self._now(vary) for vary in self._asked.vary}
        return {path: value for path, value in self._changes(values, is_capacity) if value != now[path]}

    def _candidate(self, policy: Policy, file: ExperimentFile) -> Candidate:
        scenario = file.scenario
        return Candidate(replace(scenario, days=self._days or scenario.days), policy)

    def _edits(self, values: Values, is_capacity: bool) -> Edits:
        return Edits(dict(self._changes(values, is_capacity)))

    def _changes(self, values: Values, is_capacity: bool) -> Iterator[tuple[str, object]]:
        for vary in self._asked.vary:
            value = values.get(vary.path, KEPT)
            if vary.is_capacity == is_capacity and value != KEPT:
                yield vary.path, value

    def _now(self, vary: Vary) -> object:
        if DROPPED in vary.values:
            return KEPT
        files = [self._file.path] if vary.is_capacity else _files(self._path)
        roots = [tomlkit.parse(file.read_text(encoding="utf-8-sig")).unwrap() for file in files]
        return next((found for root in roots if (found := taken(root, vary.path)) is not None), None)

    def _wrong(self, vary: Vary) -> str:
        """Why none of the values can be meant, each by itself; empty where one can."""
        said = ""
        for value in vary.values:
            made = self.made({vary.path: value})
            if not isinstance(made, str):
                return ""
            said = said or made
        return said


def _files(path: Path) -> list[Path]:
    """The files of a policy, with its managers."""
    if not path.is_dir():
        managers = path.parent / MANAGERS
        return [path, *([managers] if managers.is_file() else [])]
    return sorted(file for file in path.glob("*.toml") if file.name != ENGINE_SETTINGS)
