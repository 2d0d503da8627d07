"""Receipts of fine-tuning: a run made again by torch, transformers and peft alone."""

from collections.abc import Mapping, Sequence

from lmlab.errors import InputError
from lmlab.receipts.script import arguments, literal, script, source_of
from lmlab.text.templates import PromptTemplate
from lmlab.training.config import FinetuneConfig

TITLE = "A fine-tuning run in the {form} form, made again; the number is the loss on held-out rows."
READ = """
fill = ImmutableSandboxedEnvironment(keep_trailing_newline=True).from_string


def example(row):  # its ids, and the first that carries loss
LABELLED
ASKED
    coded = tokenizer(prompt + answer, add_special_tokens=False, return_offsets_mapping=True)
    lead = tokenizer("").input_ids if prompt.rstrip() or BOS is None else [BOS]
    lead = [] if coded.input_ids[:1] == lead[-1:] else lead
    n, spans = len(BORDER), coded.offset_mapping
    first = len(lead) + next(i for i, (a, b) in enumerate(spans) if b > n or a == b == n)
    return (lead + coded.input_ids + END)[:LONGEST], max(1, FIRST)


def loss(rows):  # cross-entropy in nats, summed over the tokens that carry loss
    ids = torch.nn.utils.rnn.pad_sequence([torch.tensor(row) for row, _ in rows], True)
    kept = [torch.tensor(([-100] * first + row[first:])[: len(row)]) for row, first in rows]
    targets = torch.nn.utils.rnn.pad_sequence(kept, True, -100)[:, 1:].flatten()
    logits = model(input_ids=ids, use_cache=False).logits[:, SOFT:-1].flatten(0, 1)
    return torch.nn.functional.cross_entropy(logits, targets, reduction="sum")


def held_out():
    model.eval()
    with torch.no_grad():
        total = sum(float(loss([row])) for row in valid)
    return total / sum(max(0, len(ids) - first) for ids, first in valid)


def batches():  # rows of similar length together, in an order of each epoch's own
    for epoch in itertools.count():
        chance = random.Random(f"{SEED}/{epoch}")
        order = sorted(range(len(train)), key=lambda i: len(train[i][0]) + chance.random() * 4)
        found = [order[low : low + BATCH] for low in range(0, len(order), BATCH)]
        chance.shuffle(found)
        yield from found

"""
TRAIN = """\
train, valid = ([example(json.loads(line)) for line in open(f"{DATA}/{part}.jsonl")]
                for part in ("train", "valid"))
before, learning = held_out(), [p for p in model.parameters() if p.requires_grad]
groups = [{"params": [p for p in learning if p.ndim > 1], "weight_decay": DECAY},
          {"params": [p for p in learning if p.ndim < 2], "weight_decay": 0.0}]
optimiser = torch.optim.AdamW(groups, lr=RATE, betas=(0.9, 0.98), fused=True)
schedule = get_scheduler(SCHEDULE, optimiser, WARMUP, STEPS + bool(WARMUP))
for _ in range(bool(WARMUP)):  # a warm-up begins above 0
    optimiser.step()
    schedule.step()
stream = batches()
for step in range(STEPS):
    model.train()
    torch.manual_seed((SEED * 1_000_003 + step) * 31)
    taken = [[train[i] for i in next(stream)] for _ in range(PARTS)]
    count = sum(len(ids) - first for rows in taken for ids, first in rows)
    for rows in taken:
        (loss(rows) / count).backward()
    torch.nn.utils.clip_grad_norm_(learning, CLIP)
    optimiser.step()
    schedule.step()
    optimiser.zero_grad()
print(f"held-out loss: {before:.6f} before, {held_out():.6f} after {STEPS} steps (nats a token)")"""
PLAIN = """\
    prompt, answer = (fill(block).render(row) for block in (PROMPT, TARGET))"""
CHAT = """\
    ask, query, answer = (fill(block).render(row).strip() for block in (PROMPT, QUERY, TARGET))
    turns = [{"role": "user", "content": (ask + "\\n\\n" if ask else "") + query}]
    prompt = tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=True)
    answer += TAIL"""
# What ends the model's turn, up to its first control token.
TURNS = """\
assert "endgeneration" not in str(tokenizer.chat_template), "it says by itself what is learned"
turns = [{"role": "user", "content": "Q"}, {"role": "assistant", "content": "ANSWER"}]
TAIL = tokenizer.apply_chat_template(turns, tokenize=False).rpartition("ANSWER")[2].strip()
for token in map(str, tokenizer.added_tokens_decoder.values()):
    TAIL = TAIL[: TAIL.find(token) + len(token)] if token in TAIL else TAIL"""
# The tokenizer's end token, unless generation stops at another control token.
ENDS = """\
STOPS = model.generation_config.eos_token_id
STOPS = STOPS if isinstance(STOPS, list) else [STOPS]
added = tokenizer.added_tokens_decoder
control = [one for one in STOPS if one in added and added[one].special]
EOS = control[0] if control and EOS not in STOPS else EOS"""
LABELLED = """\
    answer = str(row[ANSWER])
    row = {**row, ANSWER: LABELS.get(answer, answer), "labels": list(LABELS.values())}
"""
PROMPT = """\
model = get_peft_model(model, PromptTuningConfig(
    task_type="CAUSAL_LM", num_virtual_tokens=SOFT, token_dim=model.config.hidden_size))
table = model.get_input_embeddings().weight
START
model.prompt_encoder["default"].embedding.weight.data.copy_(table[chosen])"""
ONWARD = """\
set_peft_model_state_dict(model, load_peft_weights(ADAPTER, "cpu"))"""


def finetuned(
    model: str,
    data: str,
    template: PromptTemplate | None,
    config: FinetuneConfig,
    losses: Mapping[str, float | None],
    *,
    shipped: bool = True,
    learned: Sequence[str] = (),
    adapter: str = "",
) -> str:
    """The held-out loss before and after a run, by making the run again.

    Training adds up small differences of rounding: the number comes back to about three digits on
    another machine, to more on the same one.

    Args:
        model: the base, by name.
        data: name of the set.
        template: the wording; None for plain text.
        config: method and training.
        losses: what lmlab found: ``before`` and ``after``.
        shipped: whether the set is one of lmlab's; any other is read from a run's own folder.
        learned: names of the parameters that learn, of selective fine-tuning.
        adapter: that the run went on from, if any.

    Raises:
        InputError: a wording that a short script cannot repeat.
    """
    source = source_of(f"{model}+{adapter}" if adapter else model)
    chat = config.form == "chat" and template is not None
    _check_short(template, chat)
    body = [
        *arguments([source], DATA=_place(data, shipped)),
        *_wording(template, chat),
        *_training(config),
        "tokenizer = AutoTokenizer.from_pretrained(MODEL)",
        "model = AutoModelForCausalLM.from_pretrained(MODEL, dtype=torch.float32)",
        f"SOFT, BOS, EOS = {config.length if config.method == 'prompt' else 0}, "
        "tokenizer.bos_token_id, tokenizer.eos_token_id",
        f"LONGEST = {config.max_length or 'model.config.max_position_embeddings - SOFT'}",
        *_ends(config, chat),
        f"torch.manual_seed({config.seed})",
        *_method(config, learned),
        *([ONWARD] if adapter else []),
        _reading(config, template, chat),
        TRAIN,
    ]
    said = [f"{value:.6f} {name}" for name, value in losses.items() if value is not None]
    title = TITLE.format(form=config.form)
    return script(title, [f"held-out losses {', '.join(said)}"], body, [source], ["DATA"])


def _check_short(template: PromptTemplate | None, chat: bool) -> None:
    if template is not None and template.options:
        raise InputError("There is no receipt of a wording whose options differ by row.")
    if chat and template is not None and template.turns:
        raise InputError("There is no receipt of chats whose turns differ by row.")


def _place(data: str, shipped: bool) -> str:
    """The folder of ``train.jsonl`` and ``valid.jsonl``."""
    return f"assets/datasets/{data}" if shipped else "rows"


def _reading(config: FinetuneConfig, template: PromptTemplate | None, chat: bool) -> str:
    """How a row becomes ids, and the rest that reads rows."""
    parts = {
        "LABELLED\n": LABELLED if _labelled(template) else "",
        "ASKED": CHAT if chat else PLAIN,
        "BORDER": "prompt" if chat else "prompt.rstrip()",
        "FIRST": "first" if config.loss_on == "answer" else "0",
    }
    read = READ
    for name, part in parts.items():
        read = read.replace(name, part)
    return read


def _ends(config: FinetuneConfig, chat: bool) -> list[str]:
    """What follows an answer: the end of the model's turn, else the end token."""
    if not config.end_token:
        return ["TAIL, END = '', []"]
    end = f"END = [] if {'TAIL or ' if chat else ''}EOS is None else [EOS]"
    return [ENDS, *([TURNS] if chat else []), end]


def _wording(template: PromptTemplate | None, chat: bool) -> list[str]:
    if template is None:
        return ["PROMPT, TARGET = '', '{{ text }}'"]
    labels = f"ANSWER, LABELS = {literal(template.answer)}, {literal(dict(template.labels))}"
    first, second = template.instruction, template.query
    prompt = [f"PROMPT, QUERY = {literal(first)}, {literal(second)}"]
    return [
        *(prompt if chat else [f"PROMPT = {literal(first + second)}"]),
        f"TARGET = {literal(template.target)}",
        *([labels] if _labelled(template) else []),
    ]


def _labelled(template: PromptTemplate | None) -> bool:
    """Whether a wording's blocks see labels, or words in place of them."""
    return template is not None and (
        bool(template.labels) or "labels" in template.instruction + template.query + template.target
    )


def _training(config: FinetuneConfig) -> list[str]:
    return [
        f"SEED, STEPS, BATCH, PARTS = {config.seed}, {config.steps}, {config.batch_size}, "
        f"{config.accumulation}",
        f"RATE, DECAY, CLIP = {config.learning_rate!r}, {config.weight_decay!r}, "
        f"{config.clip or 1e30!r}",
        f"SCHEDULE, WARMUP = {config.schedule!r}, {round(config.warmup * config.steps)}",
    ]


def _method(config: FinetuneConfig, learned: Sequence[str]) -> list[str]:
    if config.method == "selective":
        return [
            f"LEARN = {literal(list(learned))}",
            "for name, p in model.named_parameters():",
            "    p.requires_grad_(name in LEARN)",
        ]
    if config.method == "lora":
        return ["model = get_peft_model(model, LoraConfig(", *_lora(config), "))"]
    if config.method == "prompt":
        chosen = "chosen = torch.randint(len(table), (SOFT,))"
        if config.start_text:
            ids = f"tokenizer({literal(config.start_text)}, add_special_tokens=False).input_ids"
            chosen = f"ids = {ids}\nchosen = torch.tensor((ids * (SOFT // len(ids) + 1))[:SOFT])"
        return [PROMPT.replace("START", chosen)]
    return []


def _lora(config: FinetuneConfig) -> list[str]:
    """Arguments of peft's LoraConfig."""
    given = [
        f"r={config.rank}",
        f"lora_alpha={config.alpha!r}",
        f"lora_dropout={config.dropout!r}",
        f"init_lora_weights={config.start == 'zero'}",
    ]
    if config.targets == "all-linear":
        given.append("target_modules='all-linear'")
    elif config.targets != "auto":
        given.append(f"target_modules={list(config.target_names)!r}")
    if config.layers:
        layers = ", ".join(f"({n}) % model.config.num_hidden_layers" for n in config.layers)
        given.append(f"layers_to_transform=[{layers}]")
    given += [f"use_{name}=True" for name in ("rslora", "dora") if getattr(config, name)]
    return [f"    task_type='CAUSAL_LM', {', '.join(given)},"]
