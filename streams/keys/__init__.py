"""Keys, apart from the log: what they seal is unreadable once they are erased."""
