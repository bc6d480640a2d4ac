"""What each tool does: a function that gets the registry and checked arguments, and returns an answer."""
