"""The pages of the studio: each module is a few addresses, a template each, and nothing a page need not know."""
