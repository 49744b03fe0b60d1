"""What differs between a loaded module and a mutant of it: functions, or plain constants."""

import sys
import types


def renewed(code, module):
    """The module's plain constants that come out otherwise when it is loaded from this code."""
    if module is None:
        return {}
    made = {"__name__": module.__name__, "__file__": module.__file__}
    exec(code, made)
    was = vars(module)
    return {
        name: value
        for name, value in made.items()
        if name in was and repr(value) != repr(was[name]) and " at 0x" not in repr(value)
        if not name.startswith("__") and not isinstance(value, type | types.FunctionType)
    }


def place_values(values, module):
    """Give them to the module and to those that have them from it."""
    old = {name: vars(module)[name] for name in values}
    for one in list(sys.modules.values()):
        for name, value in values.items():
            if getattr(one, "__dict__", {}).get(name, one) is old[name]:
                setattr(one, name, value)


def place(code):
    """What a function is known by: its full name and first line."""
    return (code.co_qualname, code.co_firstlineno)


def functions(code):
    """Each code inside another by its place; bodies of modules and classes go by None."""
    runs_once = not code.co_flags & 0x2  # CO_NEWLOCALS: a function's
    inner = [one for one in code.co_consts if isinstance(one, types.CodeType)]
    if runs_once:
        rest = tuple(repr(one) for one in code.co_consts if not isinstance(one, types.CodeType))
        names = (code.co_names, len(inner))
        yield (None, *place(code)), (code.co_code, rest, names)
    else:
        yield place(code), code
    for one in inner:
        yield from functions(one)


def bodies(codes, mutated):
    """The functions whose code differs; none when more than functions does."""
    if codes.keys() != mutated.keys():
        return {}
    different = {name for name in codes if codes[name] != mutated[name]}
    if any(name[0] is None for name in different):
        return {}
    return {name: mutated[name] for name in different}
