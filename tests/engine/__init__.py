"""The running system, without technology."""
