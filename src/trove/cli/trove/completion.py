"""Shell completion: scripts with every subcommand and its options, which send no requests."""

from __future__ import annotations

from argparse import SUPPRESS

from trove.cli.command import Command
from trove.cli.trove.arguments import parser_of
from trove.cli.trove.commands import AREA_OF, all_commands
from trove.cli.trove.context import Context
from trove.cli.trove.options import parser
from trove.client.errors import ClientError

SHELLS = ("bash", "zsh", "fish")


def script_for(shell: str) -> str:
    """For the shell to source; raises ClientError for an unknown shell."""
    if shell not in SHELLS:
        raise ClientError(
            f"There is no completion for '{shell}'; there is for {', '.join(SHELLS)}."
        )
    if shell == "fish":
        return fish()
    # zsh reads completions of bash with this module.
    start = "autoload -U +X bashcompinit && bashcompinit\n" if shell == "zsh" else ""
    return start + bash()


def bash() -> str:
    cases = "\n".join(
        f"    {command.name}) words='{' '.join(options_of(command))}' ;;" for command in every()
    )
    return f"""\
_trove() {{
  local word command="" words="" i
  for ((i = 1; i < COMP_CWORD; i++)); do
    word="${{COMP_WORDS[i]}}"
    case " {" ".join(sorted(AREA_OF))} help complete " in
      *" $word "*) command="$word"; break ;;
    esac
  done
  case "$command" in
    "") words='{" ".join([*sorted(AREA_OF), "help", "complete", *global_options()])}' ;;
    help) words='{" ".join(sorted(AREA_OF))}' ;;
    complete) words='{" ".join(SHELLS)}' ;;
{cases}
  esac
  COMPREPLY=($(compgen -W "$words" -- "${{COMP_WORDS[COMP_CWORD]}}"))
}}
complete -o default -F _trove trove"""


def fish() -> str:
    names = " ".join(AREA_OF)
    lines = ["complete -c trove -f"]
    for command in every():
        # It is between single quotes in the script.
        summary = command.summary.splitlines()[0].replace("'", "")
        lines.append(
            f"complete -c trove -n 'not __fish_seen_subcommand_from {names}' "
            f"-a {command.name} -d '{summary}'"
        )
        lines += [
            f"complete -c trove -n '__fish_seen_subcommand_from {command.name}' -l {option[2:]}"
            for option in options_of(command)
        ]
    return "\n".join(lines)


def every() -> list[Command[Context]]:
    return [command for _, commands in all_commands() for command in commands]


def options_of(command: Command[Context]) -> list[str]:
    """The long options, one spelling each."""
    # argparse has no public list of its options.
    actions = parser_of(command)._actions
    flags = [action.option_strings for action in actions if action.help != SUPPRESS]
    return [next(flag for flag in each if flag.startswith("--")) for each in flags if each]


def global_options() -> list[str]:
    return [flag for action in parser()._actions for flag in action.option_strings if "--" in flag]
