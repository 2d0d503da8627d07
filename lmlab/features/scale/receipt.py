"""Receipts of size: parameters counted, and what models reach on held-out texts."""

from collections.abc import Sequence
from textwrap import wrap

from lmlab.features.scale.counts import PartCount, Shape, parts
from lmlab.features.scale.counts import parameters as count
from lmlab.features.scale.measured import Measured
from lmlab.receipts.script import arguments, literal, loading, script, source_of
from lmlab.receipts.surprisals import surprisals

DEEPEST = 400  # layers that are built without weights in a few seconds
COUNTED = """\
with torch.device("meta"):  # shapes without weights
    model = AutoModelForCausalLM.from_config(config)
print(f"{sum(p.numel() for p in model.parameters())} parameters")"""
ADDED = """\
added = load_peft_weights(ADAPTER, "cpu").values()
print(f"{sum(tensor.numel() for tensor in added)} in the adapter")"""
TEXTS = "assets/datasets/probes/general.jsonl"


def parameters(model: str, count: int, added: int | None = None) -> str:
    """How many parameters a model has, from its config alone, and how many more its adapter; tied
    ones count once."""
    source = source_of(model)
    revision = f", revision={literal(source.revision)}" if source.revision else ""
    body = [
        *arguments([source]),
        f"config = AutoConfig.from_pretrained(MODEL{revision})",
        COUNTED,
        *([] if added is None else [ADDED]),
    ]
    found = [f"{count} parameters", *([] if added is None else [f"and {added} in the adapter"])]
    return script("The parameters of a model.", found, body, [source])


def shape(asked: Shape) -> str:
    """How many parameters a shape has: of a model that transformers builds where there is one of
    that shape, else by arithmetic, part by part."""
    config = _config(asked) if asked.layers <= DEEPEST else None
    found = [f"{count(asked)} parameters"]
    if config is None:
        return script("The parameters of a shape, part by part.", found, _arithmetic(asked))
    kind, fields = config
    given = ", ".join([literal(kind), *(f"{name}={value!r}" for name, value in fields.items())])
    lines = wrap(given, 96, initial_indent="    ", subsequent_indent="    ")
    body = ["config = AutoConfig.for_model(", *lines, ")", COUNTED]
    return script(f"The parameters of a shape, that of {kind}.", found, body)


def _config(asked: Shape) -> tuple[str, dict[str, int | bool]] | None:
    """The kind of model that has this shape, and its config; None where there is no such kind."""
    biases = (asked.attention_biases, asked.output_bias, asked.feed_forward_biases)
    plain = asked.query_width == asked.key_width == asked.width
    if (
        (asked.positions, asked.norm) == ("learned", "layer")
        and all((*biases, plain, asked.final_norm))
        and not (asked.gated or asked.extra_positions)
    ):
        return "gpt2", {
            "n_layer": asked.layers,
            "n_embd": asked.width,
            "n_head": asked.heads,
            "n_inner": asked.feed_forward,
            "vocab_size": asked.vocabulary,
            "n_positions": asked.context,
            "tie_word_embeddings": asked.tied,
        }
    rotary = (asked.positions, asked.norm) == ("none", "rms") and asked.gated and asked.final_norm
    if rotary and biases[0] == biases[1] and asked.width % asked.heads == 0:
        return "llama", {
            "num_hidden_layers": asked.layers,
            "hidden_size": asked.width,
            "num_attention_heads": asked.heads,
            "num_key_value_heads": asked.kv_heads or asked.heads,
            "head_dim": asked.head_width or asked.width // asked.heads,
            "intermediate_size": asked.feed_forward,
            "vocab_size": asked.vocabulary,
            "max_position_embeddings": asked.context,
            "attention_bias": biases[0],
            "mlp_bias": biases[2],
            "tie_word_embeddings": asked.tied,
        }
    return None


def _arithmetic(asked: Shape) -> list[str]:
    return [
        f"V, n, L = {asked.vocabulary}, {asked.context + asked.extra_positions}, {asked.layers}"
        "  # vocabulary, rows of positions, layers",
        f"d, f = {asked.width}, {asked.feed_forward}  # width, feed-forward",
        f"q, k = {asked.query_width}, {asked.key_width}  # of all queries, of all keys",
        "PARTS = {",
        *(f"    {literal(part.name)}: ({_term(asked, part)})," for part in parts(asked)),
        "}",
        "for name, (each, times) in PARTS.items():",
        '    print(f"{name}: {each} × {times} = {each * times}")',
        'print(f"{sum(each * times for each, times in PARTS.values())} parameters")',
    ]


def _term(asked: Shape, part: PartCount) -> str:
    """One part in letters: how many in one, and how many of them."""
    norm = 2 if asked.norm == "layer" else 1
    biases = {
        "q + 2 * k": asked.attention_biases,
        "d": asked.output_bias,
        "2 * f + d" if asked.gated else "f + d": asked.feed_forward_biases,
    }
    terms = {
        "token embeddings": "V * d, 1",
        "positions": "n * d, 1",
        "attention: queries": "d * q, L",
        "attention: keys and values": "2 * d * k, L",
        "attention: output": "q * d, L",
        "feed-forward": f"{2 + asked.gated} * d * f, L",
        "biases": f"{' + '.join(name for name, there in biases.items() if there)}, L",
        "norms": f"{2 * norm} * d, L",
        "last norm": f"{norm} * d, 1",
        "head": "V * d, 1",
    }
    return terms[part.name]


def measured(found: Sequence[Measured]) -> str:
    """Bits per byte and perplexity of one model on held-out texts that ship, by kind.

    Args:
        found: of one model, one a kind.
    """
    source = source_of(found[0].model)
    body = [
        *arguments([source]),
        f"KINDS, COUNT = {literal([one.kind for one in found])}, "
        f"{max(one.n_texts for one in found)}  # the first texts of each kind",
        *loading([source]),
        surprisals(source, max(one.longest for one in found)),
        f'rows = [json.loads(line) for line in open("{TEXTS}", encoding="utf-8")]',
        "for kind in KINDS:",
        '    texts = [row["text"] for row in rows if row["kind"] == kind][:COUNT]',
        "    nats = torch.cat([surprisals(text) for text in texts])",
        "    bits = float(nats.sum()) / math.log(2) / sum(len(text.encode()) for text in texts)",
        '    print(f"{kind}: {bits:.6f} bits per byte, perplexity {nats.mean().exp():.6f}")',
    ]
    bits = ", ".join(f"{one.bits_per_byte:.6f}" for one in found)
    return script("One model on held-out texts.", [f"bits per byte {bits}"], body, [source])
