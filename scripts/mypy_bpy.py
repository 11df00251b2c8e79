# SPDX-License-Identifier: GPL-3.0-or-later
"""A mypy plugin that reads Blender's property declarations.

Blender declares a property as an annotation that is a call, ``name: bpy.props.StringProperty()``,
which no type checker takes for a type. The plugin replaces the call with the type of the property's
value, so that a misspelt property, a wrong item of an enumeration or a wrong value is an error.
It also corrects the functions for which the stubs declare no result.
"""

from __future__ import annotations

import ast
from collections.abc import Callable
from functools import cache
from pathlib import Path

from mypy.nodes import AssignmentStmt
from mypy.plugin import ClassDefContext, FunctionContext, MethodContext, Plugin
from mypy.types import (
    AnyType,
    Instance,
    LiteralType,
    NoneType,
    RawExpressionType,
    Type,
    TypeOfAny,
    UnboundType,
    UnionType,
)

_SCALARS = {
    "StringProperty": "str",
    "IntProperty": "int",
    "FloatProperty": "float",
    "BoolProperty": "bool",
}
_VECTORS = {"IntVectorProperty": "int", "FloatVectorProperty": "float"}
_TEXTS = ("pgettext", "pgettext_iface", "pgettext_tip", "pgettext_rpt", "pgettext_data")
_RESULTS = ("bpy.utils.register_cli_command", "addon_utils.enable")
"""Functions that return something, though the stubs say None."""


class BlenderPlugin(Plugin):
    """Types of properties that Blender builds from annotations."""

    def get_customize_class_mro_hook(
        self, fullname: str
    ) -> Callable[[ClassDefContext], None] | None:
        """Return the hook that runs before mypy analyzes a class's body."""
        return _replace_declarations

    def get_function_hook(self, fullname: str) -> Callable[[FunctionContext], Type] | None:
        """Return the hook for functions whose result the stubs deny."""
        module, _, name = fullname.rpartition(".")
        if module == "bpy.app.translations" and name in _TEXTS:
            return lambda context: context.api.named_generic_type("builtins.str", [])
        if module == "bpy.props" or fullname in _RESULTS:
            return lambda context: AnyType(TypeOfAny.special_form)
        return None

    def get_method_hook(self, fullname: str) -> Callable[[MethodContext], Type] | None:
        """Return the hook for methods whose result the stubs deny: a context manager."""
        if fullname == "bpy.types.BlendDataLibraries.load":
            return lambda context: AnyType(TypeOfAny.special_form)
        return None


def plugin(version: str) -> type[Plugin]:
    """Return the plugin's class, as mypy asks for it."""
    return BlenderPlugin


def _replace_declarations(context: ClassDefContext) -> None:
    for statement in context.cls.defs.body:
        if isinstance(statement, AssignmentStmt) and isinstance(statement.type, RawExpressionType):
            module = context.api.modules[context.api.cur_mod_id]
            call = _read_declarations(Path(module.path)).get(statement.line)
            text = context.api.named_type("builtins.str")
            value = _value_type(call, text) if call is not None else None
            if value is not None:
                value.set_line(statement.type)
                statement.type = statement.unanalyzed_type = value


@cache
def _read_declarations(path: Path) -> dict[int, ast.Call]:
    """Return the calls to ``bpy.props`` in annotations by line; helpers that return one count."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    helpers = {
        function.name: statement.value
        for function in tree.body
        if isinstance(function, ast.FunctionDef)
        for statement in function.body
        if isinstance(statement, ast.Return) and isinstance(statement.value, ast.Call)
    }
    declarations: dict[int, ast.Call] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.AnnAssign) and isinstance(node.annotation, ast.Call):
            call = node.annotation
            if isinstance(call.func, ast.Name):
                call = helpers.get(call.func.id, call)
            declarations[node.lineno] = call
    return declarations


def _value_type(call: ast.Call, text: Instance) -> Type | None:
    """Return the type of a property's value, or None for a call to something else."""
    name = ast.unparse(call.func).rpartition(".")[2]
    options = {keyword.arg: keyword.value for keyword in call.keywords}
    if name in _SCALARS:
        return UnboundType(_SCALARS[name])
    if name in _VECTORS:
        item = UnboundType(_VECTORS[name])
        return UnboundType("bpy.types.bpy_prop_array", [item])
    if name == "EnumProperty":
        return _enum_type(options.get("items"), text)
    if name in ("PointerProperty", "CollectionProperty") and "type" in options:
        target = ast.unparse(options["type"])
        if name == "CollectionProperty":
            return UnboundType("bpy.types.bpy_prop_collection_idprop", [UnboundType(target)])
        # A pointer to a data-block may be empty; a property group is always there.
        is_data_block = target.startswith("bpy.types.")
        return (
            UnionType([UnboundType(target), NoneType()]) if is_data_block else UnboundType(target)
        )
    return None


def _enum_type(items: ast.expr | None, text: Instance) -> Type:
    """Return the identifiers of an enumeration as literals, or a text if code computes them."""
    identifiers: list[str] = []
    for item in items.elts if isinstance(items, (ast.Tuple, ast.List)) else ():
        first: ast.expr = item
        while isinstance(first, (ast.Tuple, ast.Starred, ast.Call)):
            first = _first_part(first)
        if not (isinstance(first, ast.Constant) and isinstance(first.value, str)):
            return text
        identifiers.append(first.value)
    literals = [LiteralType(identifier, fallback=text) for identifier in identifiers]
    return UnionType(list(literals)) if literals else text


def _first_part(item: ast.Tuple | ast.Starred | ast.Call) -> ast.expr:
    """Return the first value of an item, or the first argument of a function that builds it."""
    if isinstance(item, ast.Starred):
        return item.value
    parts = item.elts if isinstance(item, ast.Tuple) else item.args
    return parts[0] if parts else ast.Constant(None)
