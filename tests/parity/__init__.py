"""One generated history through both engines; what differs afterwards is named with the history that led to it."""
