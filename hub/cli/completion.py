"""`hub completion bash|zsh|fish`: what a shell must load to complete our commands."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

from hub.cli.grammar import Manner, argument, verb
from hub.cli.problems import BadWords
from hub.errors import HubError
from hub.i18n import N_


def partners(manner: Manner | None, begin: str) -> list[str]:
    """Names of partners that begin so; none where the node cannot be asked."""
    from hub.cli import session
    from hub.queries import links

    try:
        found = session.read(
            _silent(manner), lambda connection, hub: links.everyone(connection, hub.now())
        )
    except HubError:
        return []
    names = {one.peer.name for one in found if one.state not in {"closed", "void"}}
    return sorted(name for name in names if name.casefold().startswith(begin.casefold()))


def tickets(manner: Manner | None, begin: str) -> list[tuple[str, str]]:
    """Numbers and titles of the newest tickets that begin so; none where nobody can be asked."""
    from hub.cli import session
    from hub.queries import tickets as views

    try:
        found = session.read(_silent(manner), lambda connection, _hub: views.page(connection))
    except HubError:
        return []
    return [(one.number, one.title) for one in found if one.number.startswith(begin.upper())]


def _silent(manner: Manner | None) -> Manner:
    return Manner(data=manner.data if manner is not None else None, quiet=True, no_input=True)


@verb(
    N_("Tab completion: print the script that a shell loads."),
    'eval "$(hub completion bash)"',
    "hub completion fish > ~/.config/fish/completions/hub.fish",
)
@argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(manner: Manner, shell: str) -> None:
    """Print the completion script."""
    from hub.cli.root import root

    kind = get_completion_class(shell)
    if kind is None:
        raise BadWords("shell_unknown", "There is no completion for '{shell}'.", shell=shell)
    script = kind(root(), {}, "hub", "_HUB_COMPLETE")
    template = script.source_template
    if manner.json:
        from hub.cli import output

        output.show(manner, {"shell": shell, "script": template % script.source_vars()})
        return
    print(template % script.source_vars())
