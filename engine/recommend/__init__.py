"""Which products for whom, and why. Arrays in, arrays out; the clock and the database stay outside."""
