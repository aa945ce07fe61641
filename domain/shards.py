"""Shards: one number for a profile in queues, partitions and fences."""

from typing import Final
from zlib import crc32

SHARDS: Final = 64
"""The number of shards of a store that does not say otherwise; it cannot change afterwards."""


def shard_of(subject: str, shards: int) -> int:
    """The shard of a profile (or of a service segment's desk): crc32 of its UTF-8 bytes, modulo ``shards``."""
    return crc32(subject.encode()) % shards
