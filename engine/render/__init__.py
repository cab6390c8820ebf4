"""From templates and picks to finished mails: sandboxed Jinja, CSS inlined once, pictures."""
