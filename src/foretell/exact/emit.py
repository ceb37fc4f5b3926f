"""Pieces of LLVM code that the product kernels share."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from llvmlite import ir

I8, I16, I32, I64 = (ir.IntType(bits) for bits in (8, 16, 32, 64))
BYTES = I8.as_pointer()


def vector(element: Any, lanes: int) -> Any:
    """Type of a vector."""
    return ir.VectorType(element, lanes)


def load(builder: Any, address: Any, kind: Any) -> Any:
    """Load a value of any type from an address that need not be aligned."""
    value = builder.load(builder.inttoptr(address, kind.as_pointer()))
    value.align = 1
    return value


def store(builder: Any, value: Any, address: Any) -> None:
    """Store to an address that need not be aligned."""
    builder.store(value, builder.inttoptr(address, value.type.as_pointer())).align = 1


def splat(builder: Any, value: Any, lanes: int) -> Any:
    """A vector with one value in every lane."""
    kind = vector(value.type, lanes)
    undefined = ir.Constant(kind, ir.Undefined)
    single = builder.insert_element(undefined, value, I32(0))
    return builder.shuffle_vector(single, undefined, ir.Constant(vector(I32, lanes), [0] * lanes))


def call(builder: Any, name: str, result: Any, arguments: Sequence[Any]) -> Any:
    """Call an LLVM intrinsic."""
    kind = ir.FunctionType(result, [argument.type for argument in arguments])
    function = builder.module.globals.get(name) or ir.Function(builder.module, kind, name)
    return builder.call(function, arguments)


def repeat(builder: Any, count: Any, start: Sequence[Any], step: Callable[[Any, list[Any]], list[Any]]) -> list[Any]:
    """Emit ``for i in range(count): values = step(i, values)`` for a count of at least 1; return the last values."""
    entry, body = builder.block, builder.append_basic_block()
    done = builder.append_basic_block()
    builder.branch(body)
    builder.position_at_end(body)
    index = builder.phi(I64)
    index.add_incoming(I64(0), entry)
    values = [builder.phi(value.type) for value in start]
    for value, first in zip(values, start, strict=True):
        value.add_incoming(first, entry)
    following = step(index, list(values))
    after = builder.add(index, I64(1))
    index.add_incoming(after, builder.block)
    for value, new in zip(values, following, strict=True):
        value.add_incoming(new, builder.block)
    builder.cbranch(builder.icmp_signed("<", after, count), body, done)
    builder.position_at_end(done)
    return following


def loop(
    builder: Any, first: Any, last: Any, start: Sequence[Any], step: Callable[[Any, list[Any]], list[Any]]
) -> list[Any]:
    """The same for ``i in range(first, last)``, which may be empty."""
    entry = builder.block
    head, body, done = (builder.append_basic_block() for _ in range(3))
    builder.branch(head)
    builder.position_at_end(head)
    index = builder.phi(I64)
    index.add_incoming(first, entry)
    values = [builder.phi(value.type) for value in start]
    for value, begin in zip(values, start, strict=True):
        value.add_incoming(begin, entry)
    builder.cbranch(builder.icmp_signed("<", index, last), body, done)
    builder.position_at_end(body)
    following = step(index, list(values))
    index.add_incoming(builder.add(index, I64(1)), builder.block)
    for value, new in zip(values, following, strict=True):
        value.add_incoming(new, builder.block)
    builder.branch(head)
    builder.position_at_end(done)
    return values
