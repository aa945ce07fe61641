"""How often: a release's count, or the share of it that there is time for."""


def times(count: int, share: float) -> int:
    """So many of a release's."""
    return max(1, round(count * share))
