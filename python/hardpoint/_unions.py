"""Annotations written `A | B` as strings, on a Python that cannot evaluate them.

Owns: the rewrite of `A | B` to `Union[A, B]`. Must not know: schemas. Loaded only when needed (3.9).
"""

from __future__ import annotations

import ast
import typing

__all__ = ["evaluate"]


class _Rewrite(ast.NodeTransformer):
    def visit_BinOp(self, node: ast.BinOp) -> ast.AST:
        self.generic_visit(node)
        if not isinstance(node.op, ast.BitOr):
            return node
        pair = ast.Tuple(elts=[node.left, node.right], ctx=ast.Load())
        union = ast.Name(id="__hardpoint_union__", ctx=ast.Load())
        return ast.Subscript(value=union, slice=pair, ctx=ast.Load())


def evaluate(text: str, scope: dict[str, typing.Any]) -> typing.Any:
    """What the annotation `text` means in `scope`."""
    tree = ast.fix_missing_locations(_Rewrite().visit(ast.parse(text.strip(), mode="eval")))
    names = dict(scope)
    names["__hardpoint_union__"] = typing.Union
    return eval(compile(tree, "<annotation>", "eval"), names)
