"""Stage 4: the labelled sets and the probe texts that ship, with licence and origin beside them.

python -m recipes.datasets --data FOLDER
"""

import argparse

from recipes import instructions, probes
from recipes.config import ASSETS, corpus_folder
from recipes.sets import SPLITS, DataSet, all_sets
from recipes.textio import write_rows, write_text


def main() -> None:
    """Writes ``assets/datasets/<name>/{train,valid,test}.jsonl`` and a README for each."""
    options = _options()
    data = corpus_folder(options.data)
    target = ASSETS / "datasets"
    for found in (*all_sets(data), instructions.instructions(data / "sets")):
        folder = target / found.name
        for split in SPLITS:
            write_rows(folder / f"{split}.jsonl", found.rows[split])
        write_text(folder / "README.md", readme(found))
        print(found.name, {split: len(rows) for split, rows in found.rows.items()})
    rows = probes.general(data / "pretrain")
    write_rows(target / "probes" / "general.jsonl", rows)
    write_text(target / "probes" / "README.md", PROBES.format(origins=probes.origins()))
    print("probes", len(rows))


PROBES = """# probes

Held-out text of several kinds (`kind`, `text`), none of it in the training text of the embedded
models: for bits per byte, and for what a fine-tune forgets.

{origins}
"""


def readme(found: DataSet) -> str:
    """What the set is, for whoever opens its folder."""
    fields = "\n".join(f"- `{name}`: {meaning}" for name, meaning in found.fields.items())
    counts = ", ".join(f"{split} {len(found.rows[split]):,}" for split in SPLITS)
    return (
        f"# {found.name}\n\n{found.about[0].upper()}{found.about[1:]}. JSONL, one row a line: "
        f"{counts}; no row is in two splits.\n\n{fields}\n\n"
        f"**Licence:** {found.licence}\n\n**Origin:** {found.origin}\n"
    )


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", help="folder that holds pretrain/ and sets/")
    return parser.parse_args()


if __name__ == "__main__":
    main()
