"""What fine-tuning changed: in the weights, and in the distributions."""
