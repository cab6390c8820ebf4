"""A comparison as JUnit XML, which every build server reads: each group of changes is a test that failed."""

from lxml import etree

from campaigns.review.diff import Difference


def junit(found: Difference) -> bytes:
    """One suite; a test case a group, and one that passes for those who are the same."""
    cases = [*found.groups]
    suite = etree.Element(
        "testsuite",
        name="handpicked diff",
        tests=str(len(cases) + 1),
        failures=str(len(found.open)),
        errors="0",
        skipped="0",
    )
    etree.SubElement(suite, "testcase", classname="handpicked.diff", name=_clean(f"{found.same} mails are the same"))
    for group in cases:
        name = _clean(f"{group.title} ({group.id})")
        case = etree.SubElement(suite, "testcase", classname=f"handpicked.diff.{group.cause}", name=name)
        said = _clean(f"{group.messages} mails; cause: {group.cause}; for example {group.example}, worst {group.worst}")
        if group.approved:
            etree.SubElement(case, "system-out").text = f"approved: {said}"
        else:
            failure = etree.SubElement(case, "failure", message=said, type=group.cause)
            failure.text = _clean(f"{group.place}\n- {group.old}\n+ {group.new}")
    return etree.tostring(suite, xml_declaration=True, encoding="utf-8", pretty_print=True)


def _clean(text: str) -> str:
    """Without what XML has no way to write."""
    return "".join(
        character for character in text if character in "\t\n" or (character >= " " and character not in "\ufffe\uffff")
    )
