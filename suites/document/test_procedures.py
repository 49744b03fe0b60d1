"""Each section of the operator's own document does what it promises."""

import pytest

pytestmark = [pytest.mark.timeout(7200), pytest.mark.usefixtures("installation")]


def test_section_does_what_it_says(document, checked, observe, step):
    section, control = checked
    with step(f"carry out the section at line {section.lines[0]}, {section.title}, as written"):
        document.carry_out(section)

    look = document.look(section, control)
    for word in look.words:
        observe(word)
    with step(look.promise):
        failed = "; ".join(look.failures)
        assert not failed, failed
