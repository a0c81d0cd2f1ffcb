"""Walks over syntax trees, and copies of them. The parser's own do the same at several times the cost."""

from typing import TypeVar

from sqlglot import exp

LEAVES = frozenset({exp.Identifier, exp.Literal})
"""Kinds of nodes that have none below them, which most nodes are of."""

_Node = TypeVar("_Node", bound=exp.Expr)


def parts(node: exp.Expr) -> set[str]:
    """The names of a node's parts that are there."""
    return {part for part, value in node.args.items() if value}


def children(node: exp.Expr) -> list[exp.Expr]:
    """The nodes right below one, in the order in which it holds them."""
    found: list[exp.Expr] = []
    for value in node.args.values():
        if isinstance(value, exp.Expr):
            found.append(value)
        elif type(value) is list:
            found += [one for one in value if isinstance(one, exp.Expr)]
    return found


def branches(node: exp.Expr) -> list[exp.Expr]:
    """The children of a node that may have some themselves."""
    found: list[exp.Expr] = []
    for value in node.args.values():
        if isinstance(value, exp.Expr):
            if type(value) not in LEAVES:
                found.append(value)
        elif type(value) is list:
            found += [one for one in value if isinstance(one, exp.Expr) and type(one) not in LEAVES]
    return found


def nodes(tree: exp.Expr) -> list[exp.Expr]:
    """All nodes of a tree as it is now, level by level, as `tree.walk()` gives them."""
    found = [tree]
    for node in found:  # which grows as it goes
        for value in node.args.values():
            if isinstance(value, exp.Expr):
                found.append(value)
            elif type(value) is list:
                found += [one for one in value if isinstance(one, exp.Expr)]
    return found


def nodes_of(tree: exp.Expr, *kinds: type[_Node]) -> list[_Node]:
    """Its nodes of these kinds, as `tree.find_all(*kinds)` gives them."""
    return [node for node in nodes(tree) if isinstance(node, kinds)]


def holds(tree: exp.Expr, *kinds: type[exp.Expr]) -> bool:
    """Whether a node of one of these kinds is in a tree, at its top too."""
    return any(isinstance(node, kinds) for node in nodes(tree))


def copied(tree: _Node) -> _Node:
    """A tree of its own, with what its nodes hold in `meta`; without comments and types."""
    copy = type(tree)()
    copy.args = arguments = tree.args.copy()
    if tree._meta:  # noqa: SLF001 - `meta` makes a dictionary for every node that has none
        copy.meta.update(tree.meta)
    if type(tree) in LEAVES:
        return copy
    for key, value in arguments.items():
        if isinstance(value, exp.Expr):
            arguments[key] = child = copied(value)
            child.parent, child.arg_key = copy, key
        elif type(value) is list:
            arguments[key] = several = [copied(one) if isinstance(one, exp.Expr) else one for one in value]
            for place, child in enumerate(several):
                if isinstance(child, exp.Expr):
                    child.parent, child.arg_key, child.index = copy, key, place
    return copy
