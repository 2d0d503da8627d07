"""Receipts of pre-training: a run from nothing made again by torch, tokenizers and transformers."""

from collections.abc import Mapping

from lmlab.receipts.script import literal, script
from lmlab.training.corpus import HELD_OUT, LOOKED_AT, SEPARATOR, first_chars, texts
from lmlab.training.pretrain_config import PretrainConfig
from lmlab.training.sets import TuningData

SHIPPED = """\
text = open("assets/corpora/pretraining/{name}.txt", encoding="utf-8").read()
documents = [part.strip("\\n") for part in text.split(END) if part.strip()]
chosen = set(random.Random(0).sample(range(len(documents)), round(len(documents) * {share})))
train = [one for i, one in enumerate(documents) if i not in chosen]
held = [documents[i] for i in sorted(chosen)]
starts = itertools.accumulate(map(len, held), initial=0)
valid = [one[: {looked} - at] for one, at in zip(held, starts) if at < {looked}]"""
TOKENS = """\
tokenizer = Tokenizer(models.BPE())
tokenizer.pre_tokenizer = pre_tokenizers.Sequence([
    pre_tokenizers.Split(Regex(WORDS), "isolated"),
    pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])
tokenizer.train_from_iterator(train, trainers.BpeTrainer(
    vocab_size=V, min_frequency=2, special_tokens=[END], show_progress=False,
    initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet())))
end = tokenizer.token_to_id(END)


def stream(documents):  # their ids, the end-of-text token before, between and after them
    coded = tokenizer.encode_batch(documents, add_special_tokens=False)
    return [end, *(token for one in coded for token in (*one.ids, end))]


def loss(rows):  # cross-entropy in nats, summed over all tokens but the first of each row
    ids = torch.tensor(rows)
    logits, targets = model(input_ids=ids).logits[:, :-1].flatten(0, 1), ids[:, 1:].flatten()
    return torch.nn.functional.cross_entropy(logits, targets, reduction="sum")


@torch.no_grad()
def held_out():
    windows = [valid[low : low + CONTEXT] for low in range(0, len(valid) - 1, CONTEXT - 1)]
    return sum(float(loss([window])) for window in windows) / (len(valid) - 1)

"""
TRAIN = """\
before, learning = held_out(), list(model.parameters())
groups = [{"params": [p for p in learning if p.ndim > 1], "weight_decay": DECAY},
          {"params": [p for p in learning if p.ndim < 2], "weight_decay": 0.0}]
optimiser = torch.optim.AdamW(groups, lr=RATE, betas=(0.9, 0.98), fused=True)
schedule = get_scheduler("cosine", optimiser, WARMUP, STEPS + bool(WARMUP))
for _ in range(bool(WARMUP)):  # a warm-up begins above 0
    optimiser.step()
    schedule.step()
for step in range(STEPS):
    chance = random.Random(f"{SEED}/{step}")
    starts = [chance.randint(0, len(ids) - CONTEXT) for _ in range(BATCH)]
    (loss([ids[at : at + CONTEXT] for at in starts]) / (BATCH * (CONTEXT - 1))).backward()
    torch.nn.utils.clip_grad_norm_(learning, CLIP)
    optimiser.step()
    schedule.step()
    optimiser.zero_grad()
print(f"held-out loss: {before:.6f} before, {held_out():.6f} after {STEPS} steps (nats a token)")"""


def pretrained(data: TuningData, config: PretrainConfig, losses: Mapping[str, float | None]) -> str:
    """The held-out loss before and after a run from nothing, by making the run again.

    Training adds up small differences of rounding: the number comes back to about three digits on
    another machine, to more on the same one.

    Args:
        data: the documents; those of a text that ships are read from its file, others stand in the
            script.
        config: the run.
        losses: what lmlab found: ``before`` and ``after``.

    Raises:
        InputError: a text of the visitor's that is so long that the script would be too long.
    """
    from lmlab.training.tokenizer import WORDS

    body = [
        f"END, WORDS = {literal(SEPARATOR)}, {literal(WORDS)}",
        f"V, CONTEXT, BATCH = {config.vocabulary}, {config.context}, {config.batch_size}",
        f"SEED, STEPS, WARMUP = {config.seed}, {config.steps}, "
        f"{round(config.warmup * config.steps)}",
        f"RATE, DECAY, CLIP = {config.learning_rate!r}, {config.weight_decay!r}, "
        f"{config.clip or 1e30!r}",
        *_documents(data),
        TOKENS,
        "ids, valid = stream(train), stream(valid)",
        f"torch.manual_seed({config.seed})",
        *_model(config),
        TRAIN,
    ]
    said = [f"{value:.6f} {name}" for name, value in losses.items() if value is not None]
    title = "A model from nothing, made again; the number is the loss on held-out text."
    return script(title, [f"held-out losses {', '.join(said)}"], body)


def _documents(data: TuningData) -> list[str]:
    if data.origin == "shipped":
        return [SHIPPED.format(name=data.name, share=HELD_OUT, looked=LOOKED_AT)]
    parts = {"train": texts(data), "valid": first_chars(texts(data, "valid"), LOOKED_AT)}
    return [
        f"{name} = [\n" + "".join(f"    {literal(one)},\n" for one in some) + "]"
        for name, some in parts.items()
    ]


def _model(config: PretrainConfig) -> list[str]:
    return [
        "model = LlamaForCausalLM(LlamaConfig(",
        "    vocab_size=tokenizer.get_vocab_size(), max_position_embeddings=CONTEXT,",
        f"    hidden_size={config.width}, intermediate_size={config.feed_forward},",
        f"    num_hidden_layers={config.layers}, num_attention_heads={config.heads},",
        f"    num_key_value_heads={config.heads}, tie_word_embeddings=True, use_cache=False,",
        "    bos_token_id=end, eos_token_id=end, pad_token_id=end))",
    ]
