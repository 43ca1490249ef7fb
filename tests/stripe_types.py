"""What the official client says of Stripe's objects, held against what a server sent: names, types and words."""

import ast
import functools
import importlib
import inspect
import sys
from collections.abc import Iterator
from types import ModuleType, NoneType
from typing import Any, ClassVar, Literal, Union, get_args, get_origin, get_type_hints

import stripe
from stripe import ListObject, StripeObject
from stripe._stripe_object import UntypedStripeObject

# By the name that stands in each object: a list and an event's object may be of any kind.
KINDS: dict[str, type[StripeObject]] = {
    "checkout.session": stripe.checkout.Session,
    "payment_intent": stripe.PaymentIntent,
    "charge": stripe.Charge,
    "refund": stripe.Refund,
    "event": stripe.Event,
}


class Names(dict[str, Any]):
    """The names of a module, with those that it imports for type checkers only."""

    def __init__(self, module: ModuleType) -> None:
        super().__init__(vars(module))
        self.imports = {
            alias.asname or alias.name: (node.module, alias.name)
            for node in ast.walk(ast.parse(inspect.getsource(module)))
            if isinstance(node, ast.ImportFrom) and node.module
            for alias in node.names
        }

    def __missing__(self, name: str) -> Any:
        module, original = self.imports[name]
        return getattr(importlib.import_module(module), original)


@functools.cache
def names(module: str) -> Names:
    return Names(sys.modules[module])


@functools.cache
def fields(kind: Any) -> dict[str, Any]:
    """The fields of a kind of object with their types."""
    known = names(kind.__module__)
    hints = get_type_hints(kind, globalns=vars(sys.modules[kind.__module__]), localns=known)
    return {name: hint for name, hint in hints.items() if not name.startswith("_") and get_origin(hint) is not ClassVar}


def misfits(value: Any, kind: Any, path: str) -> Iterator[str]:
    """What in a piece of JSON is not as the annotation says, a line each."""
    origin, arguments = get_origin(kind), get_args(kind)
    if kind is Any:
        return
    if origin is Union:
        yield from misfits_of_choice(value, arguments, path)
    elif origin is Literal:
        if value not in arguments:
            yield f"{path}: {value!r} is not one of Stripe's words"
    elif origin is list:
        if not isinstance(value, list):
            yield f"{path}: {value!r} is no list"
            return
        for number, entry in enumerate(value):
            yield from misfits(entry, arguments[0], f"{path}[{number}]")
    elif origin is UntypedStripeObject:
        if not isinstance(value, dict):
            yield f"{path}: {value!r} is no object"
            return
        for name, entry in value.items():
            yield from misfits(entry, arguments[0], f"{path}.{name}")
    elif origin is ListObject:
        yield from misfits_of_object(value, ListObject, path, entries=arguments[0])
    elif issubclass(kind, StripeObject):
        yield from misfits_of_object(value, kind, path)
    elif type(value) is not kind:  # True is an int, and is none here
        yield f"{path}: {value!r} is no {kind.__name__}"


def misfits_of_choice(value: Any, kinds: tuple[Any, ...], path: str) -> Iterator[str]:
    """One of several types: null, an id, the object that it names, a word.

    The client lets any string pass beside the words it knows, for what Stripe may say one day; PayLab must not.
    """
    if value is None and NoneType in kinds:
        return
    words = any(get_origin(kind) is Literal for kind in kinds)
    kinds = tuple(kind for kind in kinds if kind is not NoneType and not (words and kind is str))
    tries = [list(misfits(value, kind, path)) for kind in kinds]
    if isinstance(value, dict):  # the reasons of the object that it says it is, or of the only one it may be
        objects = [kind for kind in kinds if kind is not str]
        named = [kind for kind in objects if getattr(kind, "OBJECT_NAME", None) == value.get("object")]
        if len(chosen := named or objects) == 1:
            yield from tries[kinds.index(chosen[0])]
            return
    if len(tries) == 1:
        yield from tries[0]
    elif all(tries):
        yield f"{path}: {value!r} fits none of {', '.join(kind.__name__ for kind in kinds)}"


def misfits_of_object(value: Any, kind: Any, path: str, *, entries: Any = None) -> Iterator[str]:
    """An object of a kind of StripeObject: with no field that it cannot have, and all that it must have."""
    if not isinstance(value, dict):
        yield f"{path}: {value!r} is no object"
        return
    known = fields(kind)
    if kind is ListObject:
        known = known | {"object": Literal["list"], "data": list[entries]}
    for name, entry in value.items():
        if name in known:
            yield from misfits(entry, known[name], f"{path}.{name}")
        else:
            yield f"{path}.{name}: {kind.__qualname__} has no such field"
    for name, hint in known.items():
        if name not in value and NoneType not in get_args(hint):
            yield f"{path}.{name}: {kind.__qualname__} always has this field"


def misfits_of_answer(answer: dict[str, Any]) -> list[str]:
    """The whole answer to a call, an event's object included."""
    if "error" in answer:
        return list(misfits(answer["error"], stripe.ErrorObject, "error"))
    if answer["object"] == "list":
        found = list(misfits(answer, ListObject[Any], "list"))
        return found + [line for entry in answer["data"] for line in misfits_of_answer(entry)]
    found = list(misfits(answer, KINDS[answer["object"]], answer["object"]))
    if answer["object"] == "event":
        found += misfits_of_answer(answer["data"]["object"])
    return found
