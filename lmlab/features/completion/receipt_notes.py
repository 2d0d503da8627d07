"""Notes of what the Completion tab shows: title and receipt."""

from lmlab.features.completion.branches import Tree
from lmlab.generation.completions import Completion
from lmlab.parts.receipt_button import Note, quoted
from lmlab.receipts.completions import completion


def of_completion(tree: Tree | None) -> Note | None:
    """A completion, drawn or chosen."""
    if tree is None or not tree.path():
        return None
    done = Completion(tree.model, tree.form, tree.path())
    title = f"Completion of {quoted(tree.prompt)} by {tree.model}"
    return Note(tree.name, title, lambda: completion(done, tree.drawn))
