"""A function of receipts: −ln p of each token of a text, as lmlab scores it by default."""

from lmlab.assets import SHIPPED
from lmlab.receipts.script import Source

# Exactly one start token; windows of which half is new.
SURPRISALS = """\
start = tokenizer.bos_token or tokenizer.eos_token
LEAD = tokenizer("").input_ids or tokenizer.convert_tokens_to_ids([start])
LIMIT = model.config.max_position_embeddings{soft}


@torch.no_grad()
def surprisals(text):  # −ln p of each token; a long text is read in windows
    ids, found = tokenizer(text, add_special_tokens=False).input_ids, []
    ids = LEAD * (ids[:1] != LEAD[-1:]) + ids
    ends = [*range(LIMIT + 1, len(ids), LIMIT // 2), len(ids)]
    for low, high in zip([1, *ends], ends):
        logits = model(torch.tensor([ids[max(0, high - 1 - LIMIT) : high - 1]])).logits[0]
        logp = logits[low - high :].log_softmax(-1).double()
        found.append(-logp[range(high - low), ids[low:high]])
    return torch.cat(found)

"""
# The same where every text fits and the tokenizer brings the start token.
FITTING = """\
LEAD = tokenizer("").input_ids


@torch.no_grad()
def surprisals(text):  # −ln p of each token
    ids = tokenizer(text, add_special_tokens=False).input_ids
    ids = torch.tensor(LEAD * (ids[:1] != LEAD[-1:]) + ids)
    logp = model(ids[None]).logits[0, -len(ids) : -1].log_softmax(-1).double()
    return -logp.gather(1, ids[1:, None])

"""
FITS = 400  # tokens that fit the context of every model that ships, a soft prompt beside them


def surprisals(source: Source, longest: int) -> str:
    """``surprisals(text)``: −ln p of each token of a text of so many tokens at most, in nats."""
    if source.model.startswith(SHIPPED) and longest <= FITS:
        return FITTING
    soft = ' - getattr(model.active_peft_config, "num_virtual_tokens", 0)' if source.adapter else ""
    return SURPRISALS.format(soft=soft)
