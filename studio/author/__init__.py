"""A template in the browser while its author works at it: every save is seen at once."""
