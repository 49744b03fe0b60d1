"""The small bugs that `make mutate-own` plants: cosmic-ray's, those that tell something."""

import ast
from typing import NamedTuple

# Of the many ways to replace an operator, those that each other one implies (the selective set of
# Offutt and others, 1996): a boundary moved, a condition turned, one other arithmetic.
SELECTED = {
    "Binary": "Add_Sub Sub_Add Mul_Add Div_Mul FloorDiv_Mul Mod_Add Pow_Mul RShift_LShift "
    "LShift_RShift BitOr_BitAnd BitAnd_BitOr BitXor_BitOr",
    "Comparison": "Eq_NotEq NotEq_Eq Lt_LtE Lt_GtE LtE_Lt LtE_Gt Gt_GtE Gt_LtE GtE_Gt GtE_Lt "
    "Is_IsNot IsNot_Is",
}
# Keep the code honest and small, and change nothing of what it does.
HARMLESS = ("frozen", "slots")


class Planted(NamedTuple):
    """One mutant of a module: where, which operator, the whole text, what the line was and is."""

    line: int
    operator: str
    text: str
    was: str
    now: str


def mutants(path):
    """Every mutant of the module at a path, in the order of its lines."""
    from cosmic_ray.commands.init import _all_work_items
    from cosmic_ray.mutating import mutate_code
    from cosmic_ray.plugins import get_operator

    source = path.read_text(encoding="utf-8")
    ignored = ignorable(source)
    for item in _all_work_items([path], {}):
        (one,) = item.mutations
        if not selected(one.operator_name) or one.start_pos in ignored:
            continue
        try:
            text = mutate_code(source, get_operator(one.operator_name)(), one.occurrence)
        except AttributeError:
            continue  # cosmic-ray cannot replace an exception that is named with a dot
        if text not in (None, source) and compiles(text):
            operator = one.operator_name.removeprefix("core/")
            yield Planted(one.start_pos[0], operator, text, *changed(source, text))


def compiles(text):
    """Whether it is Python at all: the star of a signature is taken for an operator."""
    try:
        ast.parse(text)
    except SyntaxError:
        return False
    return True


def selected(operator):
    """Whether a mutant of this operator tells something that the others do not."""
    family, _, change = operator.removeprefix("core/Replace").partition("Operator_")
    return family not in SELECTED or change in SELECTED[family].split()


def ignorable(source):
    """Lines and columns of annotations, of imports for them, and of flags that do nothing."""
    ignored = set(annotated(ast.parse(source)))
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.keyword) and node.arg in HARMLESS:
            ignored.add((node.value.lineno, node.value.col_offset))
    for line, text in enumerate(source.splitlines(), 1):
        if "if TYPE_CHECKING:" in text:
            ignored |= {(line, column) for column in range(len(text))}
    return ignored


def annotated(tree):
    """The places of everything inside annotations."""
    for node in ast.walk(tree):
        for held in (getattr(node, "annotation", None), getattr(node, "returns", None)):
            for part in ast.walk(held) if held is not None else ():
                if hasattr(part, "lineno"):
                    yield from ((part.lineno, column) for column in columns(part))


def columns(part):
    """Every column an annotation covers; one of several lines covers its first to the end."""
    last = part.end_col_offset if part.end_lineno == part.lineno else 200
    return range(part.col_offset, last + 1)


def changed(source, text):
    """The first line that differs, as it was and as it reads in the mutant."""
    pairs = zip(source.splitlines(), text.splitlines(), strict=False)
    differing = ((old.strip(), new.strip()) for old, new in pairs if old != new)
    return next(differing, ("", "(lines removed)"))
