"""One file a step, in order; each knows the one before it."""
