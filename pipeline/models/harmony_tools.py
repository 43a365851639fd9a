"""The texts of tools in harmony: declarations, calls and responses, as openai-harmony renders them.

Source: openai/harmony, docs/format.md (Function calling) and src/encoding.rs.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

Schema = Mapping[str, Any]

CALL = " to=functions.{}<|channel|>commentary <|constrain|>json<|message|>{}<|call|>"
RESPONSE = "<|start|>functions.{} to=assistant<|channel|>commentary<|message|>{}<|end|>"
# The types of JSON Schema that TypeScript has under another name, or in other words.
TYPES = {"string": "string", "number": "number", "integer": "number", "boolean": "boolean"}
NEW_LINE = re.compile(r"\r?\n")


def write_tools(tools: Sequence[Mapping[str, Any]]) -> str:
    """Return the section of the developer message that declares functions, given as OpenAI's list; "" for none."""
    if not tools:
        return ""
    functions = "".join(write_function(tool["function"]) for tool in tools)
    return f"# Tools\n\n## functions\n\nnamespace functions {{\n\n{functions}}} // namespace functions"


def write_call(content: str) -> str:
    """Return the message of a call, from what follows `<|start|>assistant`; the content is its name and arguments."""
    call = json.loads(content)
    return CALL.format(call["name"], write_json(call["arguments"]))


def write_response(name: str, content: str) -> str:
    """Return the message with the result of a function, from its `<|start|>`."""
    return RESPONSE.format(name, content)


def write_json(value: Any) -> str:
    """Return a value as harmony writes it: without spaces, and letters as they are."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def write_function(function: Mapping[str, Any]) -> str:
    """Return a function as a type of TypeScript, below its description."""
    *lines, last = NEW_LINE.split(function.get("description") or "")
    remarks = "".join(f"// {line}\n" for line in [*lines, *([last] if last else [])])
    parameters = function.get("parameters")
    taken = "" if parameters is None else f"_: {write_type(parameters, '')}"
    return f"{remarks}type {function['name']} = ({taken}) => any;\n\n"


def write_type(schema: Any, indent: str) -> str:
    """Return a schema as a type of TypeScript."""
    if not isinstance(schema, dict):
        return "any"
    if isinstance(schema.get("oneOf"), list):
        return "\n".join(write_variants(schema["oneOf"], indent))
    kind = schema.get("type")
    if isinstance(kind, list) and (names := [name for name in kind if isinstance(name, str)]):
        return " | ".join("number" if name == "integer" else name for name in names)
    if kind == "object":
        return write_object(schema, indent)
    if kind == "array":
        return f"{write_type(schema['items'], indent)}[]" if "items" in schema else "Array<any>"
    values = schema.get("enum")
    if kind == "string" and isinstance(values, list) and (texts := [text for text in values if isinstance(text, str)]):
        return " | ".join(f'"{text}"' for text in texts)
    return TYPES.get(kind, "any") if isinstance(kind, str) else "any"


def write_variants(variants: Sequence[Schema], indent: str) -> Iterator[str]:
    """Yield the lines of a choice of types, after an empty one."""
    yield ""
    for variant in map(as_schema, variants):
        said, default = text_of(variant, "description"), variant.get("default")
        of_list = isinstance(default, str) and variant.get("enum")
        remarks = [said, f"default: {write_json(default)}" if of_list else say_default(variant)]
        yield f"{indent} | {write_nullable(variant, f'{indent}   ')}{remark_after(remarks)}"


def write_nullable(schema: Schema, indent: str) -> str:
    """Return a schema as a type, which may be null where the schema says so."""
    written = write_type(schema, indent)
    return f"{written} | null" if schema.get("nullable") is True and "null" not in written else written


def write_object(schema: Schema, indent: str) -> str:
    """Return an object as a type, a property a line, each below what is said about it."""
    said = text_of(schema, "description")
    lines = [*([f"{indent}// {said}"] if said is not None else []), "{"]
    properties = schema.get("properties")
    required = schema.get("required")
    for name, value in properties.items() if isinstance(properties, dict) else ():
        child = as_schema(value)
        mark = "" if isinstance(required, list) and name in required else "?"
        write = write_choice if isinstance(child.get("oneOf"), list) else write_property
        lines += [indent + line for line in remarks_above(child)]
        lines += write(f"{name}{mark}", child, indent)
    return "\n".join([*lines, f"{indent}}}"])


def remarks_above(schema: Schema) -> Iterator[str]:
    """Yield the remarks above a property: its title, its description and its examples."""
    if (title := text_of(schema, "title")) is not None:
        yield f"// {title}"
        yield "//"
    said = text_of(schema, "description")
    if said is not None and "oneOf" not in schema:
        yield f"// {said}"
    if isinstance(examples := schema.get("examples"), list) and examples:
        yield "// Examples:"
        yield from (f'// - "{example}"' for example in examples if isinstance(example, str))


def write_property(name: str, schema: Schema, indent: str) -> list[str]:
    """Return the line of a property."""
    default = None if "oneOf" in schema else say_default(schema)
    return [f"{indent}{name}: {write_nullable(schema, f'{indent}    ')},{remark_after([default])}"]


def write_choice(name: str, schema: Schema, indent: str) -> Iterator[str]:
    """Yield the lines of a property with several types. What is said of it and of the first is written once."""
    said, variants = text_of(schema, "description"), [as_schema(variant) for variant in schema["oneOf"]]
    is_above = said is not None and not (variants and text_of(variants[0], "description") == said)
    if is_above:
        yield f"{indent}// {said}"
    if (default := say_default(schema)) is not None:
        yield f"{indent}// {default}"
    yield f"{indent}{name}:"
    for number, variant in enumerate(variants):
        own = text_of(variant, "description")
        own = None if own == said or (number == 0 and is_above) else own
        yield f"{indent} | {write_nullable(variant, f'{indent}   ')}{remark_after([own, say_default(variant)])}"
    yield f"{indent},"


def remark_after(remarks: Sequence[str | None]) -> str:
    """Return a remark behind a type, of those that are there."""
    said = [remark for remark in remarks if remark is not None]
    return f" // {' '.join(said)}" if said else ""


def say_default(schema: Schema) -> str | None:
    """Return the remark about a default; a text stands in quotation marks, unless it is one of a list."""
    if "default" not in schema:
        return None
    default = schema["default"]
    if not isinstance(default, str):
        return f"default: {write_json(default)}"
    return f"default: {default}" if schema.get("enum") else f'default: "{default}"'


def as_schema(value: Any) -> Schema:
    """Return a schema, an empty one in place of another value, such as JSON Schema's `true`."""
    return value if isinstance(value, dict) else {}


def text_of(schema: Schema, key: str) -> str | None:
    """Return the text under a key, None where there is none."""
    value = schema.get(key)
    return value if isinstance(value, str) else None
