"""Look at every mail of a run before anyone gets it."""
