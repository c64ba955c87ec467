"""The truth: the rules of the domain, the log, and what drives the one over the other."""
