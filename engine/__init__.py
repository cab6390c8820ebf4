"""Pure computing: which products for whom, and what the mail looks like. No clock, no network, no mail."""
