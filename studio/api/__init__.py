"""The same operations for programs: /api/v1, with access tokens, JSON and idempotency keys."""
