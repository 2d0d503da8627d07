"""What may be asked of a model. Imports nothing."""

# What a model may give, and what a feature may need; the words stand after ‘gives no’.
GIVES = {
    "scores": "log-probabilities of a text",
    "ranks": "ranks of tokens",
    "entropy": "entropies",
    "distributions": "whole next-token distributions",
    "text": "completions",
    "adapters": "adapters",
    "weights": "weights to look at",
    "training": "weights to train",
}
ADAPTERS, WEIGHTS = frozenset({"adapters"}), frozenset({"weights"})
DISTRIBUTIONS = frozenset({"distributions"})
OF_WEIGHTS = "Choose a model of weights, such as ‘base’."  # where one gives too little
