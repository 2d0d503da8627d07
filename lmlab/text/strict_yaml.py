"""YAML as far as a template needs it: mappings, lists and strings; no anchors, types or repeats."""

from typing import Any

import yaml

from lmlab.errors import InputError

LONGEST = 20_000


class _Loader(yaml.BaseLoader):  # type: ignore[misc]
    """Every plain value is a string, so that ``no`` is a word; aliases could grow without bound."""

    def compose_node(self, parent: Any, index: Any) -> Any:
        if self.check_event(yaml.AliasEvent):
            mark = self.peek_event().start_mark
            raise yaml.constructor.ConstructorError(None, None, "aliases are not allowed", mark)
        event = self.peek_event()
        if (tag := getattr(event, "tag", None)) not in (None, "!"):
            said = f"‘{str(tag)[:40]}’ is not read, as it can stand for code"
            raise yaml.constructor.ConstructorError(None, None, said, event.start_mark)
        return super().compose_node(parent, index)

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
        seen: set[str] = set()
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode):
                continue
            if key.value in seen:
                said = f"‘{key.value[:60]}’ stands there twice"
                raise yaml.constructor.ConstructorError(None, None, said, key.start_mark)
            seen.add(key.value)
        mapping: dict[Any, Any] = super().construct_mapping(node, deep=deep)
        return mapping


def load_mapping(text: str, what: str = "template") -> dict[str, Any]:
    """A YAML mapping of strings, lists and mappings; an InputError says the line of a mistake."""
    if len(text) > LONGEST:
        raise InputError(f"The {what} has {len(text):,} characters; at most {LONGEST:,} are read.")
    try:
        value = yaml.load(text, Loader=_Loader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = f" in line {mark.line + 1}" if mark else ""
        raise InputError(f"The {what} is no valid YAML{line}: {error.problem}.") from None
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        raise InputError(f"The {what} is no valid YAML: {str(error)[:100]}.") from None
    if not isinstance(value, dict):
        raise InputError(f"The {what} is no mapping of fields.", "Begin with ‘name: …’.")
    return {str(key): item for key, item in value.items()}
