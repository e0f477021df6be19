"""Change single options of a recipe from text, and show a recipe as text."""

import ast
from collections.abc import Sequence
from dataclasses import fields, replace
from enum import Enum
from typing import Any, Final

from perfline.gadgets.errors import ConfigurationError
from perfline.gadgets.simulate.label_plan import LabelPlan
from perfline.gadgets.simulate.scan_recipe import SimulationRecipe

__all__ = ["change_recipe", "describe_recipe"]

_PLAN: Final = "labels."


def change_recipe(recipe: SimulationRecipe, changes: Sequence[str]) -> SimulationRecipe:
    """Apply ``KEY=VALUE`` entries to a recipe.

    Parameters
    ----------
    recipe : SimulationRecipe
    changes : sequence of str
        The value is a number, True or False, a tuple, or a word, as the option's default is. Options of the plan of
        labels are ``labels.NAME``.

    Raises
    ------
    ConfigurationError
        No ``=``, an unknown option, or a value of another kind than the default.
    InputError
        The recipe refuses the value.

    Examples
    --------
    >>> from perfline.gadgets.simulate.epi_recipe import EpiRecipe
    >>> change_recipe(EpiRecipe(), ["n_pairs=7", "volume_order=set"]).n_pairs
    7
    """
    known = {entry.name: getattr(recipe, entry.name) for entry in fields(recipe)}
    known |= _plan_options(recipe)
    values: dict[str, Any] = {}
    for change in changes:
        key, separator, text = change.partition("=")
        if not separator:
            raise ConfigurationError(f"expected KEY=VALUE, got {change!r}")
        if key not in known:
            raise ConfigurationError(f"unknown option {key!r} of a recipe; known: {', '.join(known)}")
        values[key] = _value(key, text, known[key])
    plan = {key.removeprefix(_PLAN): values.pop(key) for key in tuple(values) if key.startswith(_PLAN)}
    # a type checker knows no fields of the abstract plan
    labels: Any = recipe.labels
    return replace(recipe, **values, **({"labels": replace(labels, **plan)} if plan else {}))


def _plan_options(recipe: SimulationRecipe) -> dict[str, Any]:
    """Options of the plan of labels by the names that they have in text."""
    labels: Any = recipe.labels
    return {f"{_PLAN}{entry.name}": getattr(labels, entry.name) for entry in fields(labels)}


def _value(key: str, text: str, current: object) -> Any:
    """Read a value of the kind that the option has now; whole numbers do for a float."""
    try:
        if isinstance(current, Enum):
            return type(current)(text)
        if isinstance(current, str):
            return text
        value = ast.literal_eval(text)
        if isinstance(current, float) and type(value) is int:
            value = float(value)
        if type(value) is not type(current):
            raise ValueError(text)
    except (ValueError, SyntaxError):
        kind = " or ".join(type(current)) if isinstance(current, Enum) else type(current).__name__
        raise ConfigurationError(f"{key}: expected {kind}, got {text!r}") from None
    return value


def describe_recipe(recipe: SimulationRecipe) -> str:
    """One line for each option.

    Examples
    --------
    >>> from perfline.gadgets.simulate.epi_recipe import EpiRecipe
    >>> print(describe_recipe(EpiRecipe()).splitlines()[0])
      n_coils=4
    """
    lines = []
    for entry in fields(recipe):
        value = getattr(recipe, entry.name)
        if isinstance(value, LabelPlan):
            lines.append(f"  {entry.name}={type(value).__name__}")
            lines += [f"  {name}={option}" for name, option in _plan_options(recipe).items()]
        else:
            lines.append(f"  {entry.name}={value.value if isinstance(value, Enum) else value}")
    return "\n".join(lines)
