"""How the embedded suite is made: corpus, tokenizer, pre-training, tuning, report; one command each."""
