"""How a template gets its CSS inlined once: a piece of advice for each reason why it cannot be.

The reasons come from `refusals`, `structure`, `flatten`, `inline` and `shapes`; a test reads them and finds each.
"""

import re

_IN_DOCS = "docs/template-author.md lists what keeps a template fast"

_ADVICE: tuple[tuple[str, str], ...] = (
    (r"{% (macro|call|endcall|endmacro)|brings macros", "write each macro as a file of its own, included where it was"),
    (r"{% filter", "put the filter behind each {{ … }} instead of around them"),
    (r"{% autoescape", "take the autoescape out: variables are plain text, and are printed as such"),
    (r"\(\|(safe|tojson|urlize)\)", "print plain text: {{ text }} without |safe, |tojson or |urlize, markup around it"),
    (r"\(\|xmlattr\)", 'write the attributes out: title="{{ text }}"'),
    (r"\(\|map\)", "name the filter of map in quotes, and none that prints markup; or loop with {% for %}"),
    (r"before the last step", "put |e last, or leave it out: what is printed is escaped anyway"),
    (r"takes a block of markup", "put the markup into a file and include it, or write {% set name = … %} for text"),
    (r"\((recursive|loop\(\))\)", "write the levels out as {% for %} inside {% for %}"),
    (r"\((super|self|caller)\)|\b(super|self)\b\s*[.(]", "say again in the block what super() or self would print"),
    (r"may print markup of its own", "write the markup into the template, and print only text in it"),
    (r"works on what was printed", "print it in place instead of in {% set … %}, {% filter %} or {% autoescape %}"),
    (r"is used in an expression", "print the macro by itself: {{ name() }} without a filter or an if around it"),
    (r"{% raw %}", "print a brace as {{ '{' }}"),
    (r"inside <style>", "write a class for each look, and choose between elements with {% if %}"),
    (r"among the attributes of a tag", "write two elements, each with all its attributes, and {% if %} around them"),
    (r"without quotes around it", "put quotes around the attribute's value"),
    (r"the CSS depends on it", "write two elements, each with its own class, under {% if %} and {% else %}"),
    (r"decides how it is read", "write &amp; for &, and keep characters such as < & - away from the braces"),
    (r"ends the comment depends", "take the Jinja out of the comment, or put a word between it and -->"),
    (r"depends on neighbours or attributes", "give the elements a class and write the rule for it"),
    (r"keep its place", "close every tag in the order it was opened, and keep tr and td in their table"),
    (r"one of our own marks", "take the word hpMARK… out of the template"),
    (r"read in different ways", "close every tag before the next begins, and put the Jinja where text may stand"),
    (r"ends in another element", "keep {% if %} and its {% endif %}, {% for %} and its {% endfor %} in one element"),
    (r"around <style>", "take <style> out of the {% if %} or {% for %}: rules without elements do no harm"),
    (r"nothing is left of it", "write a whole document around it: <html>, <body> and the elements in them"),
    (r"HTML moves text", "put the {{ … }} into an element of its own, in the body and not between table rows"),
    (r"changes what is around it", "let each branch hold whole elements: a <tr> only directly inside its table"),
    (r"character references become Jinja|a brace beside", "write {{ '{' }} for a brace that is to be printed"),
    (r"or what is in it does not end", "close the tag, the attribute's quotes or the comment that is left open"),
    (r"in an included file counts", "set the variable around what uses it, in the page itself, or write it out"),
    (r"(include|extends)\b.*only known when", 'name the file in quotes: {% include "blocks/hero.html" %}'),
    (r"only known when the mail", "write out in the block what is only known later"),
    (r"outside the blocks", "move it into the block that uses it, as {% with %} … {% endwith %}"),
    (r"is printed first", "let {% extends … %} be the first thing in the file"),
    (r"does not see the variables", "put the {% for %} or {% with %} inside the block instead of around it"),
    (r"in a block counts", "use {% with name = … %} around what uses the variable"),
    (r"is no plain block", "write {% block NAME %} and nothing else in it"),
)


def advice_for(reason: str) -> str:
    """What to change so that this reason goes away. Never empty.

    What is inlined mail by mail has two reasons: why not once, and why not even for each shape of mail.

    >>> advice_for("weekly.html, line 3: Jinja in the attribute class: the CSS depends on it")
    'write two elements, each with its own class, under {% if %} and {% else %}'
    """
    once, both, shapes = reason.partition("; and ")
    if both and _found(shapes) and _found(once) != _found(shapes):
        return f"{_found(once) or _IN_DOCS}; or for speed alone: {_found(shapes)}"
    return _found(reason) or _IN_DOCS


def is_known(reason: str) -> bool:
    """Whether there is advice for just this kind of reason."""
    return _IN_DOCS not in advice_for(reason)


def _found(reason: str) -> str:
    return next((words for part, words in _ADVICE if re.search(part, reason)), "")
