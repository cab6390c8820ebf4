"""Is it better than bestsellers? Models side by side on what people bought after a split in time."""
