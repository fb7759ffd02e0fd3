# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""
Parsed YAML into frozen dataclasses, key by key.

Every key is checked: an unknown one, a wrong type or an impossible value is
refused with its full name, such as ``distill.teacher.image_size``. What values are possible stands
in the type of a field, as `Count` or `Share`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
import dataclasses
import difflib
import math
import re
import types
from typing import (
    Annotated, Any, get_args, get_origin, get_type_hints, Literal, Protocol, TypeAlias, TypeVar,
    Union)

T = TypeVar('T')


class ConfigError(ValueError):
    """A configuration that cannot be used; the text names file and key."""


class Rule(Protocol):
    """What a value must obey beside its type."""

    def wrong(self, value: Any) -> str:
        """Return what the value must be, empty where it is that."""


@dataclasses.dataclass(frozen=True)
class Within:
    """
    A rule for numbers.

    :ivar low: the least that is allowed.
    :ivar high: the most.
    :ivar above: the least itself is not.
    """

    low: float
    high: float = math.inf
    above: bool = False

    def wrong(self, value: float) -> str:
        """Return what the number must be, empty where it is that."""
        if (self.low < value if self.above else self.low <= value) and value <= self.high:
            return ''
        if self.high < math.inf:
            return f'lie between {self.low:g} and {self.high:g}'
        return f'be above {self.low:g}' if self.above else f'be at least {self.low:g}'


class Expression:
    """A rule for texts: a regular expression."""

    def wrong(self, value: str) -> str:
        """Return what the text must be, empty where it is that."""
        try:
            re.compile(value)
        except re.error as error:
            return f'be a regular expression ({error})'
        return ''


Count: TypeAlias = Annotated[int, Within(1)]
Natural: TypeAlias = Annotated[int, Within(0)]
NotNegative: TypeAlias = Annotated[float, Within(0)]
Positive: TypeAlias = Annotated[float, Within(0, above=True)]
Share: TypeAlias = Annotated[float, Within(0, 1)]
Regex: TypeAlias = Annotated[str, Expression()]


def from_mapping(kind: type[T], data: Any, key: str = '') -> T:
    """
    Build a dataclass from parsed YAML.

    :param kind: the dataclass.
    :param data: a mapping.
    :param key: its full name, for errors.
    :raises ConfigError: a key is unknown or its value wrong; the key is named.
    """
    if not isinstance(data, Mapping):
        raise ConfigError(f'{key or "the file"} must be a mapping of keys, not {data!r}')
    hints = get_type_hints(kind, include_extras=True)
    known = [entry.name for entry in dataclasses.fields(kind)]  # type: ignore[arg-type]
    values = {}
    for name, value in data.items():
        full = f'{key}.{name}' if key else str(name)
        if name not in known:
            near = difflib.get_close_matches(str(name), known, 1)
            hint = f'did you mean {near[0]!r}?' if near else f'there are: {", ".join(known)}'
            raise ConfigError(f'unknown key {full!r}; {hint}')
        values[name] = _convert(hints[name], value, full)
    try:
        return kind(**values)
    except (ValueError, TypeError) as error:
        raise ConfigError(f'{key or "the file"}: {error}') from error


def _convert(hint: Any, value: Any, key: str) -> Any:
    """Check and convert a value to what the type hint of its key says."""
    origin, arguments = get_origin(hint), get_args(hint)
    if origin is Annotated:
        return _obeying(_convert(arguments[0], value, key), arguments[1:], key)
    if dataclasses.is_dataclass(hint):
        return from_mapping(hint, value, key)  # type: ignore[arg-type]
    if origin is Literal:
        if value not in arguments:
            raise ConfigError(f'{key} must be one of {", ".join(map(str, arguments))}, '
                              f'not {value!r}')
        return value
    if origin in (Union, types.UnionType):
        errors = []
        for option in arguments:
            try:
                return _convert(option, value, key)
            except ConfigError as error:
                errors.append(str(error))
        raise ConfigError(errors[0])
    if origin is not None:
        return _convert_container(origin, arguments, value, key)
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if not isinstance(value, hint) or (isinstance(value, bool) and hint is not bool):
        names = {int: 'a whole number', float: 'a number', str: 'a text', bool: 'true or false',
                 type(None): 'empty'}
        raise ConfigError(f'{key} must be {names.get(hint, hint.__name__)}, not {value!r}')
    return value


def _obeying(value: Any, rules: Sequence[Rule], key: str) -> Any:
    for rule in rules:
        wrong = rule.wrong(value)
        if wrong:
            raise ConfigError(f'{key} must {wrong}, not {value!r}')
    return value


def _convert_container(origin: Any, arguments: tuple[Any, ...], value: Any, key: str) -> Any:
    """Convert a list, tuple or mapping, and what it holds."""
    if origin in (list, tuple):
        if not isinstance(value, list):
            raise ConfigError(f'{key} must be a list, not {value!r}')
        if origin is tuple and len(value) != len(arguments):
            raise ConfigError(f'{key} must hold {len(arguments)} values, not {len(value)}')
        kinds = arguments if origin is tuple else [arguments[0]] * len(value)
        return origin(_convert(option, item, f'{key}[{i}]')
                      for i, (option, item) in enumerate(zip(kinds, value)))
    if not isinstance(value, Mapping):
        raise ConfigError(f'{key} must be a mapping, not {value!r}')
    return {_convert(arguments[0], k, key): _convert(arguments[1], v, f'{key}.{k}')
            for k, v in value.items()}
