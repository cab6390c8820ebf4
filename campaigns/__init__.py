"""What we send, to whom, when, and what became of it: decide, freeze, then send."""
