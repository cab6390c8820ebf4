"""Mails to a mail server: opening connections, the dialogue on each, and all of them side by side."""
