"""Jinja and css-inline, mail by mail: run by the Python that has it. Prints seconds of CPU a mail, a number a round."""

import json
import sys
import time

import css_inline
from jinja2 import Environment, FileSystemLoader, StrictUndefined


def main(problem: str, rounds: str) -> None:
    """Render and inline every mail, as often as asked."""
    with open(problem, encoding="utf-8") as stream:
        given = json.load(stream)
    environment = Environment(loader=FileSystemLoader(given["folder"]), autoescape=True, undefined=StrictUndefined)
    environment.globals["_"] = lambda message, **values: message % values if values else message
    environment.globals["ngettext"] = lambda one, more, number, **values: (
        (one if number == 1 else more)
        % {
            "num": number,
            **values,
        }
    )
    template, inliner = environment.get_template(given["name"]), css_inline.CSSInliner(load_remote_stylesheets=False)
    found = []
    for _ in range(int(rounds) + 1):  # the first one warms up
        started = time.process_time()
        for context in given["mails"]:
            inliner.inline(template.render(context))
        found.append((time.process_time() - started) / len(given["mails"]))
    print(json.dumps(found[1:]))


if __name__ == "__main__":
    main(*sys.argv[1:])
