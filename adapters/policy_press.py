"""Publishing policies: what is wrong is refused as a whole, and what is published is told in words before it holds.

Journals and commands name a policy by its version, so each says one thing for ever: another policy needs a higher
number than any before it. Managers come and go without.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from adapters.policy_diff import diff
from adapters.policy_files import PolicyError
from adapters.publication import Publication, Unreadable, files_of, policy_in, unpacked
from adapters.shelf import Overtaken, Shelf
from domain.policy import Policy

NOTE_MAX: Final = 500


class Refused(Exception):
    """Cannot be published like this; the text says what to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """What would be published, as issue ``number``; ``changes`` says in words what it changes: none for none."""

    number: int
    publication: Publication
    policy: Policy
    changes: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Issued:
    """An issue of the past; ``publication`` None where this release cannot read it."""

    number: int
    holds: bool
    publication: Publication | None


def drafted(shelf: Shelf, path: Path, author: str, note: str, at: int) -> Draft:
    """The policy at ``path``, checked, and compared with the one that holds. Raises `PolicyError`, or `Refused`."""
    if len(note) > NOTE_MAX or not (note.isprintable() or not note):
        raise Refused(f"the note must be one line of at most {NOTE_MAX} characters")
    files = dict(files_of(path))
    policy = policy_in(files, str(path if path.is_dir() else path.parent))
    current = shelf.current()
    versions = _versions(shelf)
    before = _policy(shelf, current)
    changes = _changes(before, policy, current)
    if changes and policy.version <= max(versions, default=0):
        only_managers = (
            before is not None
            and policy.version == before.version
            and not diff(replace(before, managers=None), replace(policy, managers=None))
        )
        if not only_managers:
            raise Refused(_taken(policy.version, versions))
    return Draft(
        number=current + 1,
        publication=Publication(name=policy.name, version=policy.version, author=author, at=at, note=note, files=files),
        policy=policy,
        changes=changes,
    )


def redrafted(shelf: Shelf, number: int, author: str, note: str, at: int) -> Draft:
    """An old issue again, under a version above all others. Raises `PolicyError`, or `Refused`."""
    current = shelf.current()
    body = shelf.body(number)
    if body is None or not 0 < number <= current:
        raise Refused(f"there is no issue {number} (dms policy history lists them)")
    try:
        old = unpacked(body)
    except Unreadable as error:
        raise Refused(f"issue {number}: {error}") from None
    before = _policy(shelf, current)
    policy = old.policy(f"issue {number}")
    if before is not None and not diff(before, replace(policy, version=before.version)):
        return Draft(number=current + 1, publication=old, policy=policy, changes=())
    policy = replace(policy, version=max(_versions(shelf)) + 1)
    publication = Publication(
        name=old.name, version=policy.version, author=author, at=at, note=note, files=old.files, again=number
    )
    return Draft(number=current + 1, publication=publication, policy=policy, changes=_changes(before, policy, current))


def publish(shelf: Shelf, draft: Draft) -> None:
    """From now on it holds. Raises `Refused` where it is too large, or somebody else was quicker."""
    try:
        shelf.put(draft.number, draft.publication.packed())
    except ValueError as error:
        raise Refused(f"the policy is too large: {error}") from None
    except Overtaken:
        raise Refused("somebody else has published meanwhile, nothing was done (dms policy history)") from None


def history(shelf: Shelf) -> Iterator[Issued]:
    """The issues that are kept, the newest first."""
    current = shelf.current()
    for number in reversed(shelf.numbers()):
        yield Issued(number=number, holds=number == current, publication=_publication(shelf, number))


def _changes(before: Policy | None, policy: Policy, current: int) -> tuple[str, ...]:
    if before is not None:
        return tuple(diff(before, policy))
    if current:
        return (f"what is published cannot be read by this release; now {policy.name} version {policy.version}",)
    return (f"the first to be published: {policy.name} version {policy.version}",)


def _taken(version: int, versions: Mapping[int, int]) -> str:
    highest = max(versions)
    if version in versions:
        said = f"version {version} was published as issue {versions[version]}, and says something else"
    else:
        said = f"version {version} is not above {highest}, which was published as issue {versions[highest]}"
    return f"{said} (raise [policy] version to {highest + 1})"


def _versions(shelf: Shelf) -> dict[int, int]:
    """The issue of each version that is kept."""
    found = {}
    for number in shelf.numbers():
        publication = _publication(shelf, number)
        if publication is not None:
            found[publication.version] = number
    return found


def _publication(shelf: Shelf, number: int) -> Publication | None:
    body = shelf.body(number)
    try:
        return unpacked(body) if body is not None else None
    except Unreadable:
        return None


def _policy(shelf: Shelf, number: int) -> Policy | None:
    publication = _publication(shelf, number)
    try:
        return publication.policy(f"issue {number}") if publication is not None else None
    except PolicyError:
        return None
