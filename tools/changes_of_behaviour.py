"""Where a module's behaviour can be changed by one small edit, as mutation testing does.

Not: texts (what has a space in it, or is an f-string), docstrings, annotations, logging, `__all__` and
its like, `TYPE_CHECKING` blocks, protocols, decorators. Own because those that exist (mutmut, cosmic-ray)
know no removed statement or change what runs in pytest's process only.
"""

from __future__ import annotations

import ast
import re
from contextlib import suppress

OPPOSITE = {ast.Eq: "!=", ast.NotEq: "==", ast.Is: "is not", ast.IsNot: "is", ast.In: "not in"}
OPPOSITE |= {ast.NotIn: "in", ast.Lt: ">=", ast.GtE: "<", ast.Gt: "<=", ast.LtE: ">"}
BOUNDARY = {ast.Lt: "<=", ast.LtE: "<", ast.Gt: ">=", ast.GtE: ">"}
SIGNS = {ast.Eq: "==", ast.NotEq: "!=", ast.Is: "is", ast.IsNot: r"is\s+not", ast.In: "in"}
SIGNS |= {ast.NotIn: r"not\s+in", ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">="}
ARITHMETIC = {ast.Add: ("+", "-"), ast.Sub: ("-", "+"), ast.Mult: ("*", "//")}
ARITHMETIC |= {ast.FloorDiv: ("//", "*"), ast.Mod: ("%", "*")}
LOGS = ("debug", "info", "warning", "error", "exception", "critical")


class Finder(ast.NodeVisitor):
    """The places of a module: kind, start, end, new text."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.found: list[tuple[str, int, int, str]] = []
        self._starts = [0]
        for line in text.splitlines(keepends=True):
            self._starts.append(self._starts[-1] + len(line))
        self._lines = text.splitlines()
        self.visit(ast.parse(text))

    def _at(self, line: int, column: int) -> int:
        return self._starts[line - 1] + len(self._lines[line - 1].encode()[:column].decode())

    def _start(self, node: ast.expr | ast.stmt) -> int:
        return self._at(node.lineno, node.col_offset)

    def _end(self, node: ast.expr | ast.stmt) -> int:
        return self._at(node.end_lineno or 0, node.end_col_offset or 0)

    def _replace(self, kind: str, node: ast.expr | ast.stmt, new: str) -> None:
        """`new` with the old text in the place of `…`."""
        start, end = self._start(node), self._end(node)
        self.found.append((kind, start, end, new.replace("…", self.text[start:end])))

    def _replace_between(self, kind: str, left: ast.expr, right: ast.expr, sign: str, new: str) -> None:
        """The operator; it is alone between its operands but for brackets."""
        start, end = self._end(left), self._start(right)
        if (found := re.fullmatch(rf"([\s)]*)({sign})[\s(]*", self.text[start:end])) is not None:
            self.found.append((kind, start + found.start(2), start + found.end(2), new))

    # Not to be changed

    def visit_JoinedStr(self, node: ast.JoinedStr) -> None:
        pass  # texts; and Python < 3.12 does not say where their parts are

    def visit_arguments(self, node: ast.arguments) -> None:
        for default in (*node.defaults, *filter(None, node.kw_defaults)):
            self.visit(default)

    def visit_FunctionDef(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        self.visit(node.args)
        for statement in node.body:
            self.visit(statement)

    visit_AsyncFunctionDef = visit_FunctionDef

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        if not any(isinstance(base, ast.Name) and base.id == "Protocol" for base in node.bases):
            for statement in node.body:
                self.visit(statement)

    def visit_AnnAssign(self, node: ast.AnnAssign) -> None:
        if node.value is not None:
            self.visit(node.value)

    def visit_Assign(self, node: ast.Assign) -> None:
        first = node.targets[0]
        if isinstance(first, ast.Name) and (first.id.startswith("__") or _is_a_type(node.value)):
            return
        if isinstance(first, (ast.Attribute, ast.Subscript)):
            self._replace("removed", node, "pass")
        self.generic_visit(node)

    # Statements

    def visit_If(self, node: ast.If) -> None:
        said = ast.unparse(node.test)
        if said == "TYPE_CHECKING" or "__name__" in said:
            return
        self._negate(node.test)
        self.generic_visit(node)

    def visit_While(self, node: ast.While) -> None:
        if not isinstance(node.test, ast.Constant):
            self._negate(node.test)
            self.generic_visit(node)
        else:
            for statement in node.body:
                self.visit(statement)

    def visit_IfExp(self, node: ast.IfExp) -> None:
        self._negate(node.test)
        self.generic_visit(node)

    def visit_comprehension(self, node: ast.comprehension) -> None:
        for test in node.ifs:
            self._negate(test)
        self.generic_visit(node)

    def _negate(self, test: ast.expr) -> None:
        self._replace("negated", test, "not (…)")

    def visit_Expr(self, node: ast.Expr) -> None:
        called = node.value.value if isinstance(node.value, ast.Await) else node.value
        if isinstance(called, ast.Call) and not _is_log(called):
            self._replace("removed", node, "pass")
            self.generic_visit(node)

    def visit_AugAssign(self, node: ast.AugAssign) -> None:
        self._replace("removed", node, "pass")
        if type(node.op) in ARITHMETIC and not _is_text(node.value):
            old, new = ARITHMETIC[type(node.op)]
            self._replace_between("arithmetic", node.target, node.value, re.escape(old) + "=", f"{new}=")
        self.generic_visit(node)

    def visit_Raise(self, node: ast.Raise) -> None:
        self._replace("removed", node, "pass")

    def visit_Return(self, node: ast.Return) -> None:
        if node.value is None:
            self._replace("removed", node, "pass")
            return
        if isinstance(node.value, (ast.Compare, ast.BoolOp)):
            self._replace("returned", node.value, "not (…)")
        elif not isinstance(node.value, ast.Constant):
            self._replace("returned", node.value, "None")
        self.generic_visit(node)

    def visit_Continue(self, node: ast.Continue) -> None:
        self._replace("removed", node, "pass")

    def visit_Break(self, node: ast.Break) -> None:
        self._replace("removed", node, "pass")

    def visit_Delete(self, node: ast.Delete) -> None:
        self._replace("removed", node, "pass")

    # Expressions

    def visit_Call(self, node: ast.Call) -> None:
        if not _is_log(node) and ast.unparse(node.func) not in ("TypeVar", "cast", "NewType"):
            self.generic_visit(node)

    def visit_Compare(self, node: ast.Compare) -> None:
        operands = [node.left, *node.comparators]
        for left, operator, right in zip(operands, node.ops, operands[1:], strict=False):
            sign = SIGNS[type(operator)]
            self._replace_between("comparison", left, right, sign, OPPOSITE[type(operator)])
            if type(operator) in BOUNDARY:
                self._replace_between("boundary", left, right, sign, BOUNDARY[type(operator)])
        self.generic_visit(node)

    def visit_BoolOp(self, node: ast.BoolOp) -> None:
        old, new = ("and", "or") if isinstance(node.op, ast.And) else ("or", "and")
        for left, right in zip(node.values, node.values[1:], strict=False):
            self._replace_between("and/or", left, right, old, new)
        self.generic_visit(node)

    def visit_UnaryOp(self, node: ast.UnaryOp) -> None:
        if isinstance(node.op, ast.Not):
            self.found.append(("negated", self._start(node), self._start(node) + len("not"), ""))
        self.generic_visit(node)

    def visit_BinOp(self, node: ast.BinOp) -> None:
        if type(node.op) in ARITHMETIC and not _is_text(node.left) and not _is_text(node.right):
            old, new = ARITHMETIC[type(node.op)]
            self._replace_between("arithmetic", node.left, node.right, re.escape(old), new)
        self.generic_visit(node)

    def visit_Constant(self, node: ast.Constant) -> None:
        value = node.value
        if isinstance(value, bool):
            self._replace("constant", node, str(not value))
        elif isinstance(value, (int, float)):
            # One more of many changes nothing.
            self._replace("constant", node, str(value + 1) if abs(value) < 10 else str(value * 10))
        elif isinstance(value, str) and value and not re.search(r"\s", value):
            self._replace("constant", node, repr(f"{value}X"))


def _is_a_type(node: ast.expr) -> bool:
    return bool(re.match(r"(Literal|Union|Optional|Callable|TypeVar|NewType)\b", ast.unparse(node)))


def _is_log(node: ast.Call) -> bool:
    called = node.func
    return (
        isinstance(called, ast.Attribute)
        and (called.attr in LOGS and "log" in ast.unparse(called.value).lower())
    ) or ast.unparse(called) in ("print", "warnings.warn")


def _is_text(node: ast.expr) -> bool:
    if isinstance(node, ast.Constant):
        return isinstance(node.value, (str, bytes))
    return isinstance(node, (ast.JoinedStr, ast.List, ast.Tuple))


def places(text: str) -> list[tuple[str, int, int, str]]:
    """Those that leave a valid program that is another one."""
    same = ast.dump(ast.parse(text))
    found = []
    for kind, start, end, new in Finder(text).found:
        with suppress(SyntaxError):
            if ast.dump(ast.parse(text[:start] + new + text[end:])) != same:
                found.append((kind, start, end, new))
    return found
