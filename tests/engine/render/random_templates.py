"""Templates and contexts at random: well nested or not, plain or with what keeps a template from being inlined once."""

from hypothesis import strategies as st

HOSTILE = (
    """"><script>alert('x')</script>{{ 7 * 7 }}<img src=x onerror="alert(1)">&amp;""",
    "-->]]></style></td></table><!--",
    "&lt;b&gt; &#60; &copy <3 ' \" ` {% raw %} {# #} hpMARK00000hp",
    "\u202e\u0645\u0631\u062d\u0628\u0627 é € 🙂\u00a0\u2028 \ufeff",
    "a\nb\tc   d",
)

CSS = """
p { color: #111111; margin: 0 }   td { padding: 0 }   .a { color: red; width: 10px }   .b { background-color: #abc }
div .a { margin: 1px }   .a .b { text-align: center }   table .c, ul .c { font-size: 12px !important }
td > p { vertical-align: top }   #i { height: 3px }   li { color: green }   p.b { float: left }
a:hover { color: blue }
span { text-transform: uppercase }   h2 b { color: #123456 }   .a > .a { margin: 2px }   img { display: block }
@media screen { .a { color: black !important } }   @font-face { font-family: x; src: url(x.woff) }
"""
POSITIONAL = "p:first-child { margin: 9px } li + li { color: navy } [title] { color: teal }"

texts = st.sampled_from(
    ["x", " ", "\n", "a &amp; b", "&nbsp;", "é", "a & b ", "1 < 2 ", "--> ", "} ", "&copy;", "", "", "]]>"]
)
values = st.sampled_from(
    [
        "name",
        "note",
        "number",
        "item.title",
        "item.note",
        "name|upper",
        "name|e",
        "note or 'none'",
        "items|length",
        "'}}'",
    ]
)
prints = values.map(lambda value: f"{{{{ {value} }}}}")
conditions = st.sampled_from(["yes", "no", "note", "items", "item.yes", "items|length > 1", "not yes"])
classes = st.sampled_from(
    ["", "", ' class="a"', ' class="b c"', " class=c", ' id="i"', ' style="color:blue"', ' style="p"']
)
words = st.lists(texts | prints, min_size=0, max_size=3).map("".join)
quoted = st.lists(
    st.sampled_from(["https://x.example/", "?a=1&amp;b=", "x", "é ", "'"])
    | prints.filter(lambda value: '"' not in value)
    | st.builds("{{% if {} %}}y{{% else %}}{{{{ {} }}}}{{% endif %}}".format, conditions, values),
    max_size=3,
).map("".join)
attributes = st.builds(
    '{}{}="{}"'.format, st.just(" "), st.sampled_from(["href", "src", "alt", "title", "width", "align"]), quoted
)
tag_attributes = st.builds("{}{}".format, classes, st.just("") | attributes)
comments = st.sampled_from(
    ["<!-- c -->", "<!--[if mso]><table><tr><td><![endif]-->", "<!--[if mso]></td></tr></table><![endif]-->"]
)
comments |= st.builds("<!--[if mso]>{}<![endif]-->".format, words)
odd = st.sampled_from(
    [
        "<p>",
        "</p>",
        "</div>",
        "<li>",
        "<b>",
        "</b>",
        "<br>",
        "<td>",
        "</td>",
        "<tr>",
        "</table>",
        "<table>",
        "<hr>",
        "<",
    ]
)


def around(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    """Elements and statements around what is inside."""
    element = st.builds(
        "<{0}{1}>{2}</{0}>".format,
        st.sampled_from(["p", "div", "span", "b", "h2", "a", "center"]),
        tag_attributes,
        inner,
    )
    cells = st.builds("<td{}>{}</td>".format, tag_attributes, inner)
    cells |= st.builds("{{% for item in items %}}{}{{% endfor %}}".format, cells)
    rows = st.builds("<tr{}>{}</tr>".format, classes, cells)
    rows |= st.builds("{{% if {} %}}{}{{% endif %}}".format, conditions, rows)
    rows |= st.builds("{{% for item in items %}}{}{{% endfor %}}".format, rows)
    points = st.builds("<li{}>{}</li>".format, classes, inner) | st.builds("<li{}>{}".format, classes, inner)
    points |= st.builds("{{% for item in items %}}{}{{% endfor %}}".format, points)
    return st.one_of(
        element,
        st.builds("<table{}>{}{}</table>".format, classes, rows, rows),
        st.builds("<ul>{}{}</ul>".format, points, points),
        st.builds("{}{}".format, inner, inner),
        st.builds("{{% if {} %}}{}{{% endif %}}".format, conditions, inner),
        st.builds(
            "{{% if {} %}}{}{{% elif {} %}}{}{{% else %}}{}{{% endif %}}".format,
            conditions,
            inner,
            conditions,
            inner,
            inner,
        ),
        st.builds("{{% for item in items %}}{}{{% else %}}{}{{% endfor %}}".format, inner, inner),
        st.builds("{{% for item in items -%}} {} {{%- endfor %}}".format, inner),
        st.builds("{{% with item = (items or [item])[0] %}}{}{{% endwith %}}".format, inner),
        st.builds("{{% set name = 'set' %}}{}".format, inner),
    )


leaves = st.one_of(words, prints, st.builds("<img{}>".format, tag_attributes), comments)
bodies = st.recursive(leaves, around, max_leaves=6)
odd_bodies = st.recursive(leaves | odd, around, max_leaves=6)
shells = st.sampled_from(
    [
        "<!doctype html>\n<html><head><title>{{{{ name }}}}</title><style>{css}</style></head>"
        "<body>{body}</body></html>",
        "<html><head><style>{css}</style></head><body class='a'>{body}</body></html>",
        "<style>{css}</style>{body}",
        "{body}<style>{css}</style>",
        "<body>{body}<div>{body}</div><style data-premailer='ignore'>{css}</style></body>",
    ]
)
plain_texts = st.text(st.characters(codec="utf-8", categories=("L", "N", "P", "S", "Zs")), max_size=8)
printed = (
    st.sampled_from(["", " ", "Ana", "a & b", "&lt;", "lt;", "x-", "-->", "<b>", '"', "é ü", *HOSTILE]) | plain_texts
)
items = st.fixed_dictionaries({"title": printed, "note": printed, "yes": st.booleans()})
contexts = st.fixed_dictionaries(
    {
        "name": printed,
        "note": printed,
        "number": st.integers(-5, 1000),
        "yes": st.booleans(),
        "no": st.just(False),
        "items": st.lists(items, max_size=3),
        "item": items,
    }
)

macros = st.sampled_from(
    [
        "{% macro m(x) %}<b class=a>{{ x }}</b>{% endmacro %}{{ m(name) }}{{ m(note) }}",
        "{% macro w() %}<p>{{ caller() }}</p>{% endmacro %}{% call w() %}{{ name }}<i>{{ note }}</i>{% endcall %}",
        "{% for item in items recursive %}<p>{{ item.title }}</p>{% if item.yes and loop.depth < 2 %}{{ loop([item]) }}"
        "{% endif %}{% endfor %}",
        "{% macro m(x) %}{{ x }}{% endmacro %}{% if m(name) %}<p>{{ name }}</p>{% endif %}",
        "{% macro m(x) %}{{ x }}{% endmacro %}{{ m(name)|upper }}",
        "{% set x %}<p>{{ name }}</p>{% endset %}{{ x }}{{ x|length }}",
        "{% filter upper %}{{ name }}{% endfilter %}",
        "{% autoescape false %}<p>{{ number }}</p>{% endautoescape %}",
        "<p>{{ note|safe }}</p>",
        "<p>{{ name|e }}</p>",
        "<p class='{{ name }} b'>{{ note }}</p>",
        "<p style='color:{{ note }}'>{{ name }}</p>",
        "<p {% if yes %}class=a{% endif %}>{{ name }}</p>",
        "<p title={{ number }}>{{ name }}</p>",
        "<a href='{{ name }}' title='{{ note }}'>{{ name }}</a>",
        "<{{ 'p' if yes else 'div' }}>{{ name }}",
        "<!--{{ name }}-->",
        "<!--[if mso]><a href='{{ name }}'>{{ note }}</a><![endif]-->",
        "<ul><li>{{ name }}{% if yes %}<li>{{ note }}{% endif %}</ul>",
        "{% for item in items %}<p>{{ loop.index }} {{ item.title }}</p>{% endfor %}",
    ]
)
slow_bodies = st.recursive(leaves | macros, around, max_leaves=6)
