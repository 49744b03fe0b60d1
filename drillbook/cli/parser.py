"""The table of commands as click commands; every error is one sentence, with exit code 3."""

from __future__ import annotations

import errno
import os
import shlex
import sys
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import click
from click.core import ParameterSource
from click.exceptions import MissingParameter, NoSuchCommand, NoSuchOption
from click.shell_completion import BashComplete, CompletionItem, get_completion_class

from drillbook.core.display import printable
from drillbook.core.errors import UNUSABLE, Trouble
from drillbook.core.files import drop_output
from drillbook.core.options import (
    EXCLUSIVE,
    USED_WITH,
    Option,
    default,
    fault,
    is_like_key,
    nearest,
)

# Variables that no option has: of the harness's processes, a monitor's address, what --on-end gets.
_INTERNAL = ("RUN", "MAKE", "FUZZ", "OFFERS", "PLANT", "RELEASE", "PING", "EXIT_CODE", "EVIDENCE")
_PROGRAM = "drillbook"
# Where a context keeps the words of its command line.
_TYPED = "drillbook.typed"
# Errors of an output that is full, or that no one reads any more.
_UNWRITTEN = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EPIPE)


@dataclass(frozen=True)
class Given:
    """The values of a command, defaults included, and its command line."""

    command: Command
    values: Mapping[str, Any]
    line: str

    def __getitem__(self, option: Option) -> Any:
        return self.values[option.key]

    @property
    def named(self) -> SimpleNamespace:
        """The values as attributes, for packages that do not import this one."""
        return SimpleNamespace(**self.values)

    def words(self, *options: Option) -> list[str]:
        """These options as words of a command line."""
        words: list[str] = []
        for option in options:
            value = self.values.get(option.key)
            if option.flag:
                words += [f"--{option.name}"] if value else []
            else:
                values = value if isinstance(value, tuple) else (value,)
                values = (",".join(values),) if option.joined and values else values
                words += [f"--{option.name}={word}" for word in values if word is not None]
        return words


@dataclass(frozen=True)
class Command:
    """A command: what it answers, an example, its arguments and options.

    needs are its required options; spared maps one of them to an option that replaces it; defaults
    are those that differ from the option's own.
    """

    name: str
    sentence: str
    example: str
    run: Callable[[Given], int]
    arguments: tuple[Option, ...] = ()
    options: tuple[Option, ...] = ()
    needs: tuple[Option, ...] = ()
    spared: Mapping[Option, Option] = field(default_factory=dict)
    defaults: Mapping[Option, str | None] = field(default_factory=dict)


def run(commands: Sequence[Command], words: Sequence[str]) -> int:
    """Run a command line; the exit code, 3 after a sentence about an error."""
    try:
        _refuse_unknown_variables(commands)
        code = _group(commands, words).main(list(words), prog_name=_PROGRAM, standalone_mode=False)
        sys.stdout.flush()
    except click.UsageError as wrong:
        path = wrong.ctx.command_path if wrong.ctx else _PROGRAM
        return _refuse(f"{path}: {_sentence(wrong, path)}")
    except click.Abort:
        return _refuse(f"{_PROGRAM}: interrupted")
    except OSError as trouble:
        # Uncaught, it would end with 1, which means that something was found.
        drop_output()
        cure = "free some space, or see why the reader of the output ended"
        return _refuse(f"{_PROGRAM}: not everything was written: {trouble.strerror}; {cure}")
    except Exception as defect:
        # The message may hold a secret.
        *_, frame = traceback.extract_tb(defect.__traceback__)
        return _refuse(
            f"{_PROGRAM}: a defect of Drillbook, {type(defect).__name__} at "
            f"{Path(frame.filename).name}:{frame.lineno}; nothing is decided. Report this line and "
            "what you ran"
        )
    return int(code or 0)


def _refuse(sentence: str) -> int:
    """Print a sentence, if standard error takes it; the exit code."""
    try:
        sys.stderr.write(f"{printable(sentence)}\n")
        sys.stderr.flush()
    except OSError:
        drop_output(sys.stderr)
    return UNUSABLE


def completion(commands: Sequence[Command], shell: str) -> str:
    """The completion script for a shell: `eval "$(drillbook completion bash)"`."""
    completer = get_completion_class(shell) or BashComplete
    variable = f"_{_PROGRAM.upper()}_COMPLETE"
    return completer(_group(commands, ()), {}, _PROGRAM, variable).source()


class Refusal(click.UsageError):
    """An error of the command that runs, whose message is printed as it is."""

    def __init__(self, message: str) -> None:
        super().__init__(message, click.get_current_context(silent=True))


def _sentence(wrong: click.UsageError, path: str) -> str:
    """What is wrong, and what to do next."""
    command = wrong.ctx.command if wrong.ctx else None
    if isinstance(wrong, NoSuchOption) and command:
        asked = wrong.option_name.lstrip("-")
        known = {name.lstrip("-"): name for param in command.params for name in param.opts}
        if known.get(asked) == asked and isinstance(command, _Command):
            return f"{asked} is given without a name; for example: {command.example}"
        hint = nearest(asked, known) or f"; {path} --help lists them"
        return f"there is no option {wrong.option_name}{hint}"
    if isinstance(wrong, NoSuchCommand) and isinstance(command, click.Group):
        name = f"{path} {wrong.command_name}".removeprefix(f"{_PROGRAM} ")
        root = wrong.ctx.find_root().command if wrong.ctx else command
        # `check-key` and `recover` mean key check and key recover.
        names = [known for known, _ in _commands(root)]
        aliases = {known.split()[-1]: known for known in names}
        aliases |= {"-".join(reversed(known.split())): known for known in names}
        aliases |= {known: known for known in names}
        hint = nearest(name, aliases) or f"; {_PROGRAM} --help lists them"
        return f"there is no command {name}{hint}"
    if isinstance(wrong, MissingParameter) and isinstance(command, _Command):
        return f"{_label(wrong.param)} is missing; for example: {command.example}"
    if isinstance(wrong, Refusal):
        return wrong.message
    # An extra word may be a key.
    message = " ".join(
        "(…)" if is_like_key(word.strip("()")) else word for word in wrong.message.split(" ")
    ).rstrip(".")
    if isinstance(wrong, click.BadParameter) and wrong.param:
        # Of a flag that the environment sets: a flag on the line has no value.
        return f"{_label(wrong.param, wrong.ctx)}: {message}"
    shown = "shows an example" if isinstance(command, _Command) else "lists the commands"
    return f"{message[:1].lower()}{message[1:]}; {path} --help {shown}"


def _refuse_unknown_variables(commands: Sequence[Command]) -> None:
    """Refuse an environment variable whose name only looks like that of an option."""
    options = (option for one in commands for option in (*one.options, *one.arguments))
    known = {option.variable for option in options}
    internal = {f"DRILLBOOK_{name}" for name in _INTERNAL}
    for name in sorted(os.environ):
        if name.startswith("DRILLBOOK_") and name not in known | internal:
            hint = nearest(name, sorted(known)) or "; unset it"
            raise Refusal(f"{name} in the environment is not an option{hint}")


class _Value(click.ParamType[str]):
    """A click type that judges a value by the kind of its option."""

    # click would split the variable of a repeatable option at blanks, which a path may have.
    envvar_list_splitter = os.pathsep

    def __init__(self, option: Option) -> None:
        self.name = option.kind.metavar
        self._option = option

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if wrong := fault(self._option, str(value)):
            needed = getattr(param, "needed", False) or (param is not None and param.required)
            if not (str(value).strip() or needed):
                wrong += ", or leave it out"
            raise Refusal(f"{_label(param, ctx)}: {wrong}")
        # A shell leaves --option=~/file as it is, and so do schedulers.
        is_path = {"FILE", "FOLDER"} & {*self._option.kind.metavar.split("|")}
        at_home = is_path and str(value).startswith("~")
        return str(Path(value).expanduser()) if at_home else value

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        del ctx, param
        kind = self._option.kind
        if kind.choices:
            return [CompletionItem(one) for one in kind.choices if one.startswith(incomplete)]
        if kind.metavar == "FOLDER":
            return [CompletionItem(incomplete, type="dir")]
        return [CompletionItem(incomplete, type="file")] if "FILE" in kind.metavar else []


def _label(param: click.Parameter | None, ctx: click.Context | None = None) -> str:
    """The name of the option, argument or variable that has the value."""
    if param is None or param.name is None:
        return "a value"
    if ctx and ctx.get_parameter_source(param.name) is ParameterSource.ENVIRONMENT:
        return str(param.envvar)
    if isinstance(param, click.Argument):
        return param.human_readable_name
    typed = {word.partition("=")[0] for word in ctx.meta.get(_TYPED, ())} if ctx else set()
    return next((flag for flag in param.opts if flag in typed), param.opts[0])


class _Option(click.Option):
    """An option with its group in the help."""

    def __init__(self, option: Option, shown: str | None, needed: str) -> None:
        self.group = option.group
        self.takes_one = not (option.many or option.flag)
        self.needed = bool(needed)
        super().__init__(
            [*option.flags, option.key],
            is_flag=option.flag,
            multiple=option.many,
            type=click.BOOL if option.flag else _Value(option),
            default=None if option.many or option.flag else shown,
            show_default=bool(shown) and not option.flag,
            envvar=option.variable,
            metavar=None if option.flag else option.kind.metavar,
            help=option.help + needed,
        )


def _when_needed(command: Command, option: Option) -> str:
    """When a command needs an option, for the help; empty if never."""
    if option not in command.needs:
        return ""
    other = command.spared.get(option)
    return f"  [required without --{other.name}]" if other else "  [required]"


class _Command(click.Command):
    """A command whose help has an example, and its options in groups."""

    def __init__(self, command: Command, name: str, words: Sequence[str]) -> None:
        self.example = command.example
        self._command = command
        self._line = shlex.join([_PROGRAM, *words])
        arguments = [
            click.Argument(
                [one.key],
                nargs=-1 if one.many else 1,
                required=True,
                type=_Value(one),
                envvar=None if one.many else one.variable,
                metavar=one.name.upper() + ("…" if one.many else ""),
            )
            for one in command.arguments
        ]
        named = [
            _Option(one, command.defaults.get(one, default(one)), _when_needed(command, one))
            for one in command.options
        ]
        super().__init__(name, params=[*arguments, *named], help=command.sentence)

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        ctx.meta[_TYPED] = [*args]
        try:
            _, _, order = self.make_parser(ctx).parse_args([*args])
            for one in order if not ctx.resilient_parsing else ():
                # click would take the last value without a word.
                if isinstance(one, _Option) and one.takes_one and order.count(one) > 1:
                    raise Refusal(f"{_label(one, ctx)} is given more than once; give it once")
            return super().parse_args(ctx, args)
        except click.UsageError as wrong:
            # Some errors of click lack the command that they are about.
            wrong.ctx = wrong.ctx or ctx
            raise

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        groups: dict[str, list[tuple[str, str]]] = {}
        arguments = [(one.name.upper(), one.help) for one in self._command.arguments]
        if arguments:
            groups["Arguments"] = arguments
        for param in self.get_params(ctx):
            # Arguments have a section of their own above.
            if not isinstance(param, click.Argument) and (record := param.get_help_record(ctx)):
                groups.setdefault(getattr(param, "group", "Options"), []).append(record)
        for name, records in groups.items():
            with formatter.section(name):
                formatter.write_dl(records)
        with formatter.section("Example"):
            formatter.write_text(self.example)

    def invoke(self, ctx: click.Context) -> int:
        ignored = dict(self._ignored(ctx))
        given = Given(self._command, ctx.params, self._line)
        given = replace(given, line=f"{self._line}{self._from_environment(ctx, given, ignored)}")
        for one in self._command.needs:
            spare = self._command.spared.get(one)
            if not (given[one] or (spare and given[spare])):
                raise Refusal(f"--{one.name} is missing; for example: {self.example}")
        self._refuse_contradictions(ctx, ignored)
        try:
            return self._command.run(given)
        except Trouble as trouble:
            raise Refusal(str(trouble)) from None
        except OSError as trouble:
            if trouble.errno in _UNWRITTEN and not trouble.filename:
                raise
            names = (trouble.filename, trouble.strerror or str(trouble))
            raise Refusal(": ".join(str(one) for one in names if one)) from None

    def _from_environment(
        self, ctx: click.Context, given: Given, ignored: Mapping[Option, str]
    ) -> str:
        """What the environment gave, as words that complete the command line in the record.

        What is ignored is left out: the completed line would be refused.
        """

        def is_from_there(one: Option) -> bool:
            source = ctx.get_parameter_source(one.key)
            return one not in ignored and source is ParameterSource.ENVIRONMENT

        words = given.words(*filter(is_from_there, self._command.options))
        words += [str(given[one]) for one in filter(is_from_there, self._command.arguments)]
        return "".join(f" {shlex.quote(word)}" for word in words)

    def _refuse_contradictions(self, ctx: click.Context, ignored: Mapping[Option, str]) -> None:
        """Refuse options that exclude each other, and those on the line that are ignored."""
        for group in EXCLUSIVE:
            both = [self._label(ctx, one) for one in group if self._is_given(ctx, one)]
            if len(both) > 1:
                raise Refusal(f"{' and '.join(both)} exclude each other; give one of them")
        for one, how in ignored.items():
            source = ctx.get_parameter_source(one.key)
            if self._is_given(ctx, one) and source is ParameterSource.COMMANDLINE:
                raise Refusal(f"{self._label(ctx, one)} is not used {how}; leave it out")

    def _ignored(self, ctx: click.Context) -> Iterator[tuple[Option, str]]:
        """The options that have no effect here, each with the reason."""
        for options, other, uses in USED_WITH:
            if other.key in ctx.params and not uses(value := ctx.params[other.key]):
                how = f"{'with' if value else 'without'} {self._label(ctx, other)}"
                how += f" {value}" if value and isinstance(value, str) else ""
                yield from ((one, how) for one in options)

    def _label(self, ctx: click.Context, option: Option) -> str:
        """The name by which an option or argument was given, which may be that of its variable."""
        return _label(next(one for one in self.params if one.name == option.key), ctx)

    def _is_given(self, ctx: click.Context, option: Option) -> bool:
        source = ctx.get_parameter_source(option.key)
        is_own = option in self._command.options
        return is_own and bool(ctx.params[option.key]) and source is not ParameterSource.DEFAULT


def find_fault(command: Command, words: Sequence[str]) -> str:
    """What these words lack or have too much for a command; empty if nothing.

    Values are not judged. An option that the environment sets counts.
    """
    own = _Command(command, command.name, words)
    given, rest, _ = own.make_parser(click.Context(own)).parse_args([*words])

    def value(option: Option) -> Any:
        found = given.get(option.key)
        return found if isinstance(found, str | list | tuple | bool) else ""

    def is_given(option: Option) -> bool:
        return bool(value(option)) or option.variable in os.environ

    for one in command.arguments:
        if not is_given(one):
            return f"{one.name.upper()} is missing"
    for one in command.needs:
        spare = command.spared.get(one)
        if not (is_given(one) or (spare and is_given(spare))):
            return f"--{one.name} is missing"
    known = (*command.arguments, *command.options)
    for options, other, uses in USED_WITH:
        if other in known and other.variable not in os.environ and not uses(value(other)):
            for one in options:
                if one in command.options and value(one):
                    return f"--{one.name} is not used here; leave it out"
    return f"{rest[0]} is one word too many" if rest else ""


class _Group(click.Group):
    """A group whose help lists every command by its whole name; it may be a command itself."""

    def __init__(self, name: str, own: _Command | None = None, **more: Any) -> None:
        super().__init__(name, no_args_is_help=False, params=own and own.params, **more)
        self.own = own

    def make_context(
        self,
        info_name: str | None,
        args: list[str],
        parent: click.Context | None = None,
        **extra: Any,
    ) -> click.Context:
        """The context of its own command, unless a subcommand is named or a shell completes one."""
        if not args and not parent and not extra:
            args = ["--help"]
        if self.own and (not args or args[0].startswith("-")) and not extra:
            return self.own.make_context(info_name, args, parent)
        return super().make_context(info_name, args, parent, **extra)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        del ctx
        with formatter.section("Commands"):
            formatter.write_dl([(name, one.help or "") for name, one in _commands(self)])


def _group(commands: Sequence[Command], words: Sequence[str]) -> _Group:
    root = _Group(
        _PROGRAM,
        help="Test the runbook, the backups and the keys of a self-hosted Infisical.",
        epilog=f"{_PROGRAM} COMMAND --help shows the options of a command, and an example. "
        f"DRILLBOOK_ENV_FILE sets --env-file, and so on; several values have {os.pathsep} between.",
    )
    shown = {"message": "%(prog)s %(version)s", "help": "Show the version."}
    click.version_option(package_name=_PROGRAM, prog_name=_PROGRAM, **shown)(root)
    for one in commands:
        *above, name = one.name.split()
        group = root
        for word in above:
            child = group.commands.get(word)
            if not isinstance(child, _Group):
                child = _Group(word, child if isinstance(child, _Command) else None)
                group.add_command(child)
            if child.own:
                child.own.epilog = f"{_PROGRAM} {one.name}: {one.sentence}"
            group = child
        group.add_command(_Command(one, name, words))
    return root


def _commands(group: click.Command, above: str = "") -> Iterator[tuple[str, click.Command]]:
    """All commands below a group by their whole names."""
    for name, one in group.commands.items() if isinstance(group, click.Group) else ():
        if own := getattr(one, "own", one):
            yield f"{above}{name}", own
        if isinstance(one, click.Group):
            yield from _commands(one, f"{above}{name} ")
