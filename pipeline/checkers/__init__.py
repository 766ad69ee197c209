"""What it means to be right: checkers, found by name. `protocol.py` says what one is, README.md how to add one."""

from pipeline.checkers.protocol import Kind


def named(name: str) -> Kind:
    """The checker of a name, shipped or of an installed package. Raises RecipeError that lists what there is."""
    from pipeline.checkers.finding import find

    return find(name)


def names() -> list[str]:
    """The names of all checkers: the shipped ones, then those of installed packages."""
    from pipeline.checkers.finding import known

    return known()
