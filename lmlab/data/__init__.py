"""Tables in, which may come from strangers, and the sets that ship."""
