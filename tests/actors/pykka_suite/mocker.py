"""As much of pytest-mock as pykka's suite needs."""

from collections.abc import Iterator
from contextlib import ExitStack
from types import SimpleNamespace
from typing import Any
from unittest import mock

import pytest


@pytest.fixture
def mocker() -> Iterator[SimpleNamespace]:
    """`unittest.mock`, whose patches end with the test."""
    with ExitStack() as patches:

        def patch_object(*args: Any, **kwargs: Any) -> Any:
            return patches.enter_context(mock.patch.object(*args, **kwargs))

        yield SimpleNamespace(
            Mock=mock.Mock,
            MagicMock=mock.MagicMock,
            NonCallableMock=mock.NonCallableMock,
            patch=SimpleNamespace(object=patch_object),
        )
