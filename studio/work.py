"""The kinds of work that pages may leave to `studio.jobs`, by name."""

from studio.jobs import Work

KINDS: dict[str, Work] = {}
