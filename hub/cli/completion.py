"""`hub completion bash|zsh|fish`: what a shell must load to complete our commands."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

from hub.cli.grammar import N_, Manner, argument, verb
from hub.cli.problems import BadWords


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
